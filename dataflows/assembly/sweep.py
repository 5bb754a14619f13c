"""A sweep: a backtest for every combination of settings and every instrument, over processes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dataflows.assembly.engines import own_config
from dataflows.assembly.forecasting import refuse_in_sample
from dataflows.assembly.grids import grids_of
from dataflows.assembly.identities import edges_of
from dataflows.assembly.many_backtests import ManyBacktests, Row, Variant
from dataflows.assembly.schedules import read_schedules
from dataflows.assembly.tapes import check_range, open_tape
from dataflows.assembly.trade_engines import TradeEngines
from dataflows.assembly.trading import trading_identity
from dataflows.assembly.trials import tried
from dataflows.runtime.exit_codes import say
from dataflows.runtime.kernels import ready_trading
from dataflows.settings.model import Settings, load_settings
from dataflows.settings.sweep_grid import SweepGrid, Value
from operators.config import FeatureConfig
from operators.execution.grid import Grid
from operators.execution.runners import runner
from sinks.identity import Identity
from sinks.lock import DataSetLock
from sinks.sweep import DATA_SET, check_sweep_target, sweep_schema, write_sweep
from sinks.trials import FOLDER, Trial, write_trials
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.store.path import StorePath

DEFAULT_PATH = Path("data/sweep")
_KEY = "backtest.path"


@dataclass
class Sweep:
    """A sweep that is ready to run."""

    grid: SweepGrid
    backtests: ManyBacktests
    out: Path
    identity: Identity
    rows: dict[Instrument, list[Row]] = field(default_factory=dict)  # by run, once it has ended

    @property
    def trials(self) -> Path | None:
        """Folder of the trials, beside that of the sweep; None: an object store, to which nothing can be added."""
        return None if isinstance(self.out, StorePath) else self.out.parent / FOLDER

    def _tried(self) -> list[Trial]:
        return [
            tried("sweep", instrument, {**self.identity.of(instrument), **self.backtests.variants[row["run"]].values},
                  row["returns"])
            for instrument, rows in self.rows.items()
            for row in rows
            if row["error"] is None
        ]  # fmt: skip

    @cached_property
    def failures(self) -> list[str]:
        """A line for every run that failed, once all have ended."""
        return [
            f"{instrument}: run {row['run']} ({_text(self.backtests.variants[row['run']])}): {row['error']}"
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
            processes, progress, clean_up: as of `ManyBacktests.run`.

        Raises:
            TickwaxError: the tape cannot be read, or the rows cannot be written.
            SystemExit: a process was killed; that has been said.
        """
        lock = DataSetLock(self.out, say=say)

        def let_go() -> None:
            clean_up()
            lock.release()

        try:
            self.rows = self.backtests.run(processes, progress, let_go)
            if len(self.failures) == self.backtests.runs:
                return []
            settings, schema = self.backtests.settings, sweep_schema(self.grid.values)
            overwrite = settings.backtest.overwrite
            files = write_sweep(self.out, self.rows, schema, self.identity, settings.tape.compression, overwrite)
            if self.trials is not None:
                write_trials(self.trials, self._tried(), time.time_ns())
            return files
        finally:
            lock.release()


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
    grids, config = grids_of(base, readers), base.feature_config()
    own = own_config(base, config)
    schedules = None if orders is None else read_schedules(orders, readers)
    venues = {reader.instrument.venue for reader in readers}
    variants: list[Variant] = []
    tell = _Once()
    for values, settings in zip(grid.combinations(), each, strict=True):
        try:
            variants.append(Variant(values, TradeEngines(settings, own, schedules, venues, tell)))
        except TickwaxError as e:
            raise grid.refused(str(e)) from None
    for variant in variants:
        refuse_in_sample(base, variant.engines.forecasting, readers)
        try:
            variant.engines.placing.check(grids)
        except TickwaxError as e:
            raise grid.refused(str(e)) from None
        variant.engines.placing.tell(min((reader.span[0] for reader in readers), default=None), tell)
    consulted = {key: text for variant in variants for key, text in variant.engines.identity.items()}
    identity = _identity(trading_identity(DATA_SET, base, config, grids, edges_of(readers), consulted), grid)
    check_sweep_target(out, identity, chosen, base.backtest.overwrite, _KEY)
    _check_strategies(grid, variants, config, *next(iter(grids.items())))
    readers.sort(key=lambda reader: -reader.weight(config.sampling_ns))
    return Sweep(grid, ManyBacktests(base, variants, readers, grids), out, identity)


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


def _text(variant: Variant) -> str:
    return ", ".join(f"{key} = {value}" for key, value in variant.values.items())


def _check_strategies(
    grid: SweepGrid, variants: list[Variant], config: FeatureConfig, one: Instrument, its: Grid
) -> None:
    """Whether each strategy can be run; compiles those that are, so that no fork has to."""
    compiled: set[Any] = set()
    for variant in variants:
        strategy = variant.engines.make_strategy()
        if strategy is None:
            continue
        forecasting = variant.engines.forecasting
        forecasts = () if forecasting is None else forecasting.columns
        try:
            runner(strategy, config, its, forecasts=forecasts)
        except (TypeError, ValueError) as e:
            raise grid.refused(f"strategy: {_text(variant)}: {e}") from None
        kernel = getattr(strategy, "decide_kernel", None)
        loop = (kernel, variant.engines.placing.on)
        if kernel is not None and loop not in compiled:
            compiled.add(loop)
            if forecasting is not None:
                forecasting.ready()
            ready_trading(engine=variant.engines.make(one, its))


def _identity(one: Identity, grid: SweepGrid) -> Identity:
    """The settings that all runs share, and the values of those that are varied."""
    fixed = {key: text for key, text in one.settings.items() if key not in grid.values}
    varied = {key: ", ".join(map(str, values)) for key, values in grid.values.items()}
    return Identity(DATA_SET, fixed | varied, one.own)
