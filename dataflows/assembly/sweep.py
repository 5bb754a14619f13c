"""A sweep: a backtest for every combination of settings and every instrument, over processes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

from dataflows.assembly.backtest_in_memory import backtest_in_memory
from dataflows.assembly.engines import own_config
from dataflows.assembly.grids import grids_of
from dataflows.assembly.latencies import measured_latencies
from dataflows.assembly.schedules import read_schedules
from dataflows.assembly.tapes import check_range, open_tape
from dataflows.assembly.trading import execution_config, strategy_factory, trading_identity
from dataflows.runtime.exit_codes import in_a_line, say
from dataflows.runtime.forked import forked
from dataflows.runtime.kernels import ready_trading
from dataflows.settings.model import Settings, load_settings
from dataflows.settings.sweep_grid import SweepGrid, Value
from operators.config import FeatureConfig
from operators.execution.grid import Grid
from operators.execution.latency import Latency
from operators.execution.run_statistics import run_statistics
from operators.execution.schedule import Schedule
from operators.execution.state import ExecutionConfig
from operators.execution.strategy import CompiledStrategy, Strategy, StrategyError, runner
from operators.trade_engine import TooManyOrdersError, TradeEngine
from sinks.identity import Identity
from sinks.lock import DataSetLock
from sinks.sweep import DATA_SET, check_sweep_target, sweep_schema, write_sweep
from sources.errors import DamagedError, TickwaxError
from sources.instrument import Instrument
from sources.tape.reader import TapeReader
from sources.venues.names import FIXED_DEPTH

DEFAULT_PATH = Path("data/sweep")
_KEY = "backtest.path"


@dataclass(frozen=True)
class Combination:
    """Settings of a run, of every instrument.

    Attributes:
        values: those that are varied, by dotted key.
        execution: by venue.
        latency: as measured, by instrument.
    """

    number: int
    values: Mapping[str, Value]
    make_strategy: Callable[[], Strategy | CompiledStrategy | None]
    execution: Mapping[str, ExecutionConfig]
    latency: Callable[[Instrument], Latency | None]

    @property
    def text(self) -> str:
        """The values that are varied."""
        return ", ".join(f"{key} = {value}" for key, value in self.values.items())


@dataclass(frozen=True)
class SweptRun:
    """A run that has ended: its row, or what stops the sweep."""

    instrument: Instrument
    row: Mapping[str, Any]
    stop: str = ""
    damaged: bool = False


@dataclass
class Sweep:
    """A sweep that is ready to run."""

    grid: SweepGrid
    config: FeatureConfig
    own: Callable[[Instrument], FeatureConfig]
    combinations: list[Combination]
    readers: list[TapeReader]
    grids: Mapping[Instrument, Grid]
    schedules: Mapping[Instrument, Schedule] | None
    spans: Mapping[Instrument, tuple[int, int]]
    out: Path
    identity: Identity
    compression: str
    overwrite: bool
    rows: dict[Instrument, list[Mapping[str, Any]]] = field(default_factory=dict)  # by run, once it has ended

    @property
    def runs(self) -> int:
        """Combinations times instruments."""
        return len(self.combinations) * len(self.readers)

    @cached_property
    def failures(self) -> list[str]:
        """A line for every run that failed, once all have ended."""
        return [
            f"{instrument}: run {row['run']} ({self.combinations[row['run']].text}): {row['error']}"
            for instrument, rows in self.rows.items()
            for row in rows
            if row["error"] is not None
        ]

    def run(
        self,
        processes: int,
        progress: Callable[[int], None] = lambda done: None,
        clean_up: Callable[[], None] = lambda: None,
    ) -> list[Path]:
        """Run everything, and write the rows; returns the files, none if every run failed.

        Args:
            progress: told how many runs have ended, at first 0.
            clean_up: called before an interruption ends the process, in any thread.

        Raises:
            TickwaxError: the tape cannot be read, or the rows cannot be written.
            SystemExit: a process was killed; that has been said.
        """
        self.rows = {reader.instrument: [] for reader in self.readers}
        lock = DataSetLock(self.out, say=say)

        def let_go() -> None:
            clean_up()
            lock.release()

        try:
            with forked(self._run, self.runs, processes, let_go) as results:
                progress(0)
                for done, ended in enumerate(results, 1):
                    if ended.stop:
                        raise DamagedError(ended.stop) if ended.damaged else TickwaxError(ended.stop)
                    self.rows[ended.instrument].append(ended.row)
                    progress(done)
            for rows in self.rows.values():
                rows.sort(key=lambda row: int(row["run"]))
            if len(self.failures) == self.runs:
                return []
            schema = sweep_schema(self.grid.values)
            return write_sweep(self.out, self.rows, schema, self.identity, self.compression, self.overwrite)
        finally:
            lock.release()

    def _run(self, number: int) -> SweptRun:
        """One backtest. The longest tapes come first, so that no process is left with one at the end."""
        reader = self.readers[number // len(self.combinations)]
        combination = self.combinations[number % len(self.combinations)]
        instrument, (first, last) = reader.instrument, self.spans[reader.instrument]
        row: dict[str, Any] = {"ts": first, "end_ts": last, "run": combination.number, **combination.values}
        began = perf_counter()
        row["error"] = None
        try:
            orders, fills, equity = backtest_in_memory(
                reader, self._engine(combination, instrument), self.config.sampling_ns
            )
            if len(equity["ts"]):
                row |= run_statistics(orders, fills, equity)
            else:
                row["error"] = "no feature row is complete in the range"
        except StrategyError as e:
            row["error"] = f"{e}: {type(e.__cause__).__name__}: {e.__cause__}"
        except TooManyOrdersError as e:
            row["error"] = f"the strategy sent {e}"
        except TickwaxError as e:
            return SweptRun(instrument, row, str(e), isinstance(e, DamagedError))
        except Exception as e:
            row["error"] = in_a_line(e)
        row["seconds"] = perf_counter() - began
        return SweptRun(instrument, row)

    def _engine(self, combination: Combination, instrument: Instrument) -> TradeEngine:
        schedules = self.schedules
        return TradeEngine(
            self.own(instrument),
            combination.execution[instrument.venue],
            self.grids[instrument],
            strategy=combination.make_strategy(),
            schedule=None if schedules is None else schedules.get(instrument, Schedule.empty()),
            latency=combination.latency(instrument),
            full_depth=instrument.venue in FIXED_DEPTH,
        )


def prepare_sweep(flags: Mapping[str, Any], grid: SweepGrid) -> Sweep:
    """Check every combination, and put the sweep together.

    Args:
        flags: settings by dotted key, as the command line gave them.

    Raises:
        TickwaxError: a setting is wrong in any combination, or given twice; the tape cannot be read; the results are
            there already.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    if twice := next((key for key in (*grid.values, *(["symbols"] if grid.symbols else [])) if key in given), None):
        raise grid.refused(f"{twice}: it is given on the command line, too; name it in one place")
    if grid.symbols is not None:
        given["symbols"] = grid.symbols
    base = load_settings(given)
    each = [_checked(grid, given, values) for values in grid.combinations()]
    chosen, readers = open_tape(base, tell=_Once())
    check_range(readers, "replay.start", base.replay.start, "replay.end", base.replay.end)
    out = base.backtest.path if "path" in base.backtest.model_fields_set else DEFAULT_PATH
    orders = base.backtest.orders
    for settings in each:
        if (orders is None) == (not settings.strategy.name):
            raise grid.refused("strategy.name: name a strategy, or a schedule with backtest.orders; one of the two")
    venues = {reader.instrument.venue for reader in readers}
    combinations = [
        _combination(grid, number, values, settings, venues)
        for number, (values, settings) in enumerate(zip(grid.combinations(), each, strict=True))
    ]
    grids = grids_of(base, readers)
    config = base.feature_config()
    identity = _identity(base, config, grid, grids)
    check_sweep_target(out, identity, chosen, base.backtest.overwrite, _KEY)
    _check_strategies(grid, combinations, config, next(iter(grids.values())))
    readers.sort(key=lambda reader: -reader.weight(config.sampling_ns))
    return Sweep(
        grid, config, own_config(base, config), combinations, readers, grids,
        None if orders is None else read_schedules(orders, readers),
        {reader.instrument: _span(reader, base) for reader in readers},
        out, identity, base.tape.compression, base.backtest.overwrite,
    )  # fmt: skip


class _Once:
    """Says a line the first time: every run reads the tape anew."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            say(line)


def _checked(grid: SweepGrid, given: Mapping[str, Any], values: Mapping[str, Value]) -> Settings:
    try:
        return load_settings({**given, **values})
    except TickwaxError as e:
        raise grid.refused(str(e)) from None


def _combination(
    grid: SweepGrid, number: int, values: Mapping[str, Value], settings: Settings, venues: set[str]
) -> Combination:
    try:
        execution = {venue: execution_config(settings, venue) for venue in venues}
        return Combination(number, values, strategy_factory(settings), execution, measured_latencies(settings))
    except TickwaxError as e:
        raise grid.refused(str(e)) from None


def _check_strategies(grid: SweepGrid, combinations: list[Combination], config: FeatureConfig, any_grid: Grid) -> None:
    """Whether each strategy can be run; compiles those that are, so that no fork has to."""
    compiled: set[Any] = set()
    for combination in combinations:
        strategy = combination.make_strategy()
        if strategy is None:
            continue
        try:
            runner(strategy, config, any_grid)
        except (TypeError, ValueError) as e:
            raise grid.refused(f"strategy: {combination.text}: {e}") from None
        kernel = getattr(strategy, "decide_kernel", None)
        if kernel is not None and kernel not in compiled:
            compiled.add(kernel)
            ready_trading(engine=TradeEngine(config, ExecutionConfig(), any_grid, strategy=strategy))


def _span(reader: TapeReader, settings: Settings) -> tuple[int, int]:
    """First and last receive time of the tape, within the range."""
    (first, last), start, end = reader.span, settings.replay.start, settings.replay.end
    return max(first, start.ns) if start else first, min(last, end.ns) if end else last


def _identity(base: Settings, config: FeatureConfig, grid: SweepGrid, grids: Mapping[Instrument, Grid]) -> Identity:
    """The settings that all runs share, and the values of those that are varied."""
    one = trading_identity(DATA_SET, base, config, grids)
    fixed = {key: text for key, text in one.settings.items() if key not in grid.values}
    varied = {key: ", ".join(map(str, values)) for key, values in grid.values.items()}
    return Identity(DATA_SET, fixed | varied, one.own)
