"""The dataflow of a backtest: a recorded tape, features, a strategy or a schedule, the simulated exchange, Parquet."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from dataflows.assembly.engines import own_config
from dataflows.assembly.grids import grids_of
from dataflows.assembly.schedules import read_schedules
from dataflows.assembly.tapes import check_range, open_tape, weighed
from dataflows.assembly.trade_engines import TradeEngines
from dataflows.assembly.trading import in_words, rows_in, strategy_factory, trading_identity
from dataflows.reports.progress import ReplayProgress
from dataflows.runtime.engine_options import cluster
from dataflows.runtime.process_tuning import keep_freed_memory
from dataflows.runtime.replay_run import Replay
from dataflows.settings.model import Settings
from operators.execution.grid import Grid
from operators.execution.schedule import Schedule
from operators.execution.schemas import SCHEMAS
from operators.feature_engine import FeatureEngine
from operators.trade_engine import TradeEngine
from operators.trade_step import trade
from sinks.identity import Identity, check_folder
from sinks.lock import check_writable
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import already_there
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.placement import BY_HASH, Share, plain
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader
from sources.tape.source import TapeSource

_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete


@dataclass
class Backtest(Replay):
    """A backtest that is ready to run, with what it was put together from."""

    readers: list[TapeReader] = field(kw_only=True)
    schedules: dict[Instrument, Schedule] | None = field(kw_only=True)
    grids: dict[Instrument, Grid] = field(default_factory=dict, kw_only=True)


def prepare_backtest(settings: Settings, share: Share | None = None) -> Backtest:
    """Put a backtest together.

    Args:
        share: of this process, if others have the rest.

    Raises:
        TickwaxError: the tape cannot be read; there is neither a strategy nor a schedule, or both; one of them is
            wrong; the results are there already.
    """
    keep_freed_memory()
    config = settings.feature_config()
    chosen, readers = open_tape(settings, share.has if share else lambda instrument: True)
    if not share:
        check_range(readers, "replay.start", settings.replay.start, "replay.end", settings.replay.end)
    orders = settings.backtest.orders
    if (orders is None) == (not settings.strategy.name):
        raise TickwaxError("strategy.name: name a strategy, or a schedule with backtest.orders; one of the two")
    everybody = open_tape(settings, tell=lambda line: None)[1] if share and orders else readers
    schedules = None if orders is None else read_schedules(orders, everybody)
    strategy_factory(settings)  # a wrong one is told before the tape's grid is looked for
    # Processes that were started by hand may each see another state of a tape that grows.
    placement = share.placement if share else BY_HASH if cluster() else weighed(settings, readers)
    progress = ReplayProgress(sum(reader.rows for reader in readers), None)
    engines: dict[Instrument, FeatureEngine] = {}
    flow = Dataflow("tickwax_backtest")
    alone = not (share or cluster())
    backtest = Backtest(flow, progress, {}, engines, alone=alone, readers=readers, schedules=schedules)
    source = TapeSource(readers, progress.add, backtest.stop_with_error, _ROWS_AT_ONCE * config.sampling_ns, placement)
    grids = backtest.grids = grids_of(settings, readers)
    trading = TradeEngines(settings, own_config(settings, config), schedules)
    first = {reader.instrument: reader.first_ordinal for reader in readers}

    def make(instrument: Instrument) -> TradeEngine:
        engines[instrument] = engine = trading.make(instrument, grids[instrument])
        return engine

    def failed(error: Exception) -> None:
        backtest.stop_with_error(in_words(error, settings))

    tape = op.input("tape", flow, source)
    traded = trade("trade", tape, make, first_ordinal=first.__getitem__, on_error=failed)
    named = op.map("instrument", traded, lambda item: (plain(item[0]), item[1]))
    out = settings.backtest.path
    for schema in SCHEMAS:
        folder, marks = out / schema.name, trading_identity(schema.name, settings, config, grids)
        _check(folder, marks, chosen, settings.backtest.overwrite)
        rows = rows_in(schema.name, named)
        replaced = chosen if settings.backtest.overwrite else []
        hold = partial(backtest.hold, folder)
        backtest.sinks[schema.name] = ReplaySink(
            folder, schema, "backtest", settings.tape.compression, replaced, backtest.stop_with_error, hold,
            placement, marks,
        )  # fmt: skip
        op.output(f"{schema.name}_parquet", rows, backtest.sinks[schema.name])
    return backtest


def _check(folder: Path, marks: Identity, chosen: list[Instrument], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise TickwaxError(f"backtest.path: {folder} is not a folder")
    check_target(folder, marks.data_set, "backtest.path")
    check_writable(folder)
    if (there := next((i for i in chosen if data_files(folder, i)), None)) and not overwrite:
        raise TickwaxError(f"backtest.path: {already_there(folder, there, 'backtest.overwrite')}")
    check_folder(folder, marks, set(chosen), appended=False)
