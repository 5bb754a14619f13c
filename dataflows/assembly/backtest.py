"""The dataflow of a backtest: a recorded tape, features, a strategy or a schedule, the simulated exchange, Parquet."""

import math
import sys
import traceback
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from dataflows.assembly.schedules import read_schedules
from dataflows.assembly.tapes import check_range, open_tape, weighed
from dataflows.reports.progress import ReplayProgress
from dataflows.runtime.exit_codes import say
from dataflows.runtime.process_tuning import keep_freed_memory
from dataflows.runtime.replay_run import Replay
from dataflows.settings.model import Settings
from operators.execution.grid import Grid, GridSearch
from operators.execution.schedule import Schedule
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.state import ExecutionConfig
from operators.execution.strategy import CompiledStrategy, Strategy, StrategyError
from operators.feature_engine import FeatureEngine
from operators.identity import feature_settings
from operators.row_batch import NO_MORE_ROWS, RowBatch
from operators.strategies import STRATEGIES
from operators.trade_engine import TooManyOrdersError, Traded, TradeEngine
from operators.trade_step import trade
from sinks.identity import Identity, check_folder
from sinks.lock import check_writable
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import already_there
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.placement import plain
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader
from sources.tape.source import TapeSource
from sources.venues.names import FIXED_DEPTH

SCHEMAS = (ORDERS, FILLS, EQUITY)
_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete


def prepare_backtest(settings: Settings) -> Replay:
    """Put a backtest together.

    Raises:
        TickwaxError: the tape cannot be read; there is neither a strategy nor a schedule, or both; one of them is
            wrong; the results are there already.
    """
    keep_freed_memory()
    config = settings.feature_config()
    chosen, readers = open_tape(settings)
    check_range(readers, "replay.start", settings.replay.start, "replay.end", settings.replay.end)
    orders = settings.backtest.orders
    if (orders is None) == (not settings.strategy.name):
        raise TickwaxError("strategy.name: name a strategy, or a schedule with backtest.orders; one of the two")
    schedules = None if orders is None else read_schedules(orders, readers)
    make_strategy = strategy_factory(settings)
    placement = weighed(settings, readers)
    progress = ReplayProgress(sum(reader.rows for reader in readers), None)
    engines: dict[Instrument, FeatureEngine] = {}
    flow = Dataflow("tickwax_backtest")
    backtest = Replay(flow, progress, {}, engines)
    source = TapeSource(readers, progress.add, backtest.stop_with_error, _ROWS_AT_ONCE * config.sampling_ns, placement)
    grids = grids_of(settings, readers)
    first = {reader.instrument: reader.first_ordinal for reader in readers}

    def make(instrument: Instrument) -> TradeEngine:
        schedule = None if schedules is None else schedules.get(instrument, Schedule.empty())
        engine = TradeEngine(
            config,
            execution_config(settings, instrument.venue),
            grids[instrument],
            strategy=make_strategy(),
            schedule=schedule,
            full_depth=instrument.venue in FIXED_DEPTH,
        )
        engines[instrument] = engine
        return engine

    def failed(error: Exception) -> None:
        if isinstance(error, StrategyError):
            traceback.print_exception(error.__cause__)
            error = TickwaxError(f"strategy.name: {error}")
        elif isinstance(error, TooManyOrdersError):
            error = TickwaxError(f"strategy.name: {settings.strategy.name} sent {error}")
        backtest.stop_with_error(error)

    tape = op.input("tape", flow, source)
    traded = trade("trade", tape, make, first_ordinal=first.__getitem__, on_error=failed)
    named = op.map("instrument", traded, lambda item: (plain(item[0]), item[1]))
    out = settings.backtest.path
    for schema in SCHEMAS:
        folder, marks = out / schema.name, Identity(schema.name, identity_of(settings))
        _check(folder, marks, chosen, settings.backtest.overwrite)
        rows = op.filter_map(schema.name, named, partial(_rows_of, schema.name))
        replaced = chosen if settings.backtest.overwrite else []
        hold = partial(backtest.hold, folder)
        backtest.sinks[schema.name] = ReplaySink(
            folder, schema, "backtest", settings.tape.compression, replaced, backtest.stop_with_error, hold,
            placement, marks,
        )  # fmt: skip
        op.output(f"{schema.name}_parquet", rows, backtest.sinks[schema.name])
    return backtest


def _rows_of(name: str, item: tuple[str, Traded]) -> tuple[str, RowBatch] | None:
    rows: RowBatch = getattr(item[1], name)
    return (item[0], rows) if rows.rows or rows is NO_MORE_ROWS else None


def _check(folder: Path, marks: Identity, chosen: list[Instrument], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise TickwaxError(f"backtest.path: {folder} is not a folder")
    check_target(folder, marks.data_set, "backtest.path")
    check_writable(folder)
    if (there := next((i for i in chosen if data_files(folder, i)), None)) and not overwrite:
        raise TickwaxError(f"backtest.path: {already_there(folder, there)}")
    check_folder(folder, marks, set(chosen), appended=False)


def identity_of(settings: Settings) -> dict[str, str]:
    """Every setting that decides a value of a backtest, as text by name."""
    strategy = {f"strategy.{key}": str(value) for key, value in settings.strategy.model_dump().items()}
    execution = {f"execution.{key}": str(value) for key, value in settings.execution.model_dump().items()}
    return {**feature_settings(settings.feature_config()), **execution, **strategy}


def execution_config(settings: Settings, venue: str) -> ExecutionConfig:
    """How the exchange is simulated for instruments of a venue.

    Raises:
        TickwaxError: a value is out of its range.
    """
    e = settings.execution
    fees = e.fees.get(venue)
    try:
        return ExecutionConfig(
            queue=e.queue,
            queue_power=e.queue_power,
            latency_entry_ns=e.latency_entry.ns,
            latency_response_ns=e.latency_response.ns,
            maker=e.maker if fees is None else fees.maker,
            taker=e.taker if fees is None else fees.taker,
            one_clock=e.one_clock,
            max_position=math.inf if e.max_position is None else e.max_position,
            max_order=math.inf if e.max_order is None else e.max_order,
        )
    except ValueError as error:
        raise TickwaxError(f"execution.{error}") from None


def grids_of(
    settings: Settings, readers: list[TapeReader], tell: Callable[[str], None] = say
) -> dict[Instrument, Grid]:
    """The grid of each instrument: from the settings, else from its tape, which is told.

    Raises:
        TickwaxError: one is wrong, or the tape has no price.
    """
    grids = {}
    for reader in readers:
        instrument = reader.instrument
        given = settings.execution.grids.get(str(instrument))
        try:
            if given is not None:
                grids[instrument] = Grid(Fraction(str(given.tick)), Fraction(str(given.lot)), float(given.min))
                continue
            search = GridSearch()
            for batch in reader.batches():
                search.add(batch)
            found = search.grid()
        except ValueError as e:
            raise TickwaxError(f"execution.grids: {instrument}: {e}") from None
        if found is None:
            raise TickwaxError(f"execution.grids: {instrument}: the tape has no price to infer a tick from; name one")
        tell(f"{instrument}: tick {float(found.tick):.12g}, lot {float(found.lot):.12g}, inferred from the tape")
        grids[instrument] = found
    return grids


def strategy_factory(settings: Settings) -> Callable[[], Strategy | CompiledStrategy | None]:
    """What makes the strategy of an instrument; None where there is none.

    Raises:
        TickwaxError: there is no such strategy, or a parameter is none of its own, or out of its range.
    """
    name = settings.strategy.name
    if not name:
        return lambda: None
    kind = STRATEGIES.get(name) or _own(name)
    given = dict((settings.strategy.model_extra or {}).items())
    known = [field.name for field in fields(kind)] if hasattr(kind, "__dataclass_fields__") else None
    if known is not None and (odd := next((key for key in given if key not in known), None)):
        there = ", ".join(known) or "none"
        raise TickwaxError(f"strategy.{odd}: {name} has no such parameter; it has: {there}")

    def make() -> Any:
        try:
            return kind(**{key: _number(value) for key, value in given.items()})
        except (TypeError, ValueError) as e:
            raise TickwaxError(f"strategy.{e}") from None

    make()
    return make


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _own(name: str) -> type[Any]:
    """The class that ``module:Class`` names."""
    module, separator, attribute = name.partition(":")
    if not separator:
        raise TickwaxError(f"strategy.name: '{name}' is not one of {', '.join(STRATEGIES)}, nor module:Class")
    if (here := str(Path.cwd())) not in sys.path:  # a console script does not look there
        sys.path.append(here)
    try:
        found: type[Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as e:
        raise TickwaxError(f"strategy.name: '{name}' cannot be imported: {e}") from None
    return found
