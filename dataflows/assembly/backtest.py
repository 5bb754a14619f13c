"""The dataflow of a backtest: a recorded tape, features, a strategy or a schedule, the simulated exchange, Parquet."""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream

from dataflows.assembly.engines import own_config
from dataflows.assembly.forecasting import refuse_in_sample
from dataflows.assembly.grids import grids_of
from dataflows.assembly.identities import edges_of
from dataflows.assembly.schedules import read_schedules
from dataflows.assembly.tapes import check_range, open_tape, weighed
from dataflows.assembly.trade_engines import TradeEngines
from dataflows.assembly.trading import in_words, rows_in, strategy_factory, trading_identity
from dataflows.assembly.trained_strategies import check_instruments, check_unseen
from dataflows.reports.progress import ReplayProgress
from dataflows.runtime.engine_options import Recovery, cluster
from dataflows.runtime.process_tuning import keep_freed_memory
from dataflows.runtime.replay_run import Replay
from dataflows.runtime.run_identity import trade_identity
from dataflows.settings.model import Settings
from operators.execution.grid import Grid
from operators.execution.schedule import Schedule
from operators.execution.schemas import EQUITY, SCHEMAS
from operators.feature_engine import FeatureEngine
from operators.placement.log import PLACEMENTS
from operators.row_batch import NO_MORE_ROWS, RowBatch, RowSchema
from operators.rules.episode_step import find_episodes
from operators.rules.episodes import EpisodeBuilder
from operators.rules.schemas import APPLIED, entry_columns, episodes_schema
from operators.trade_engine import TradeEngine
from operators.trade_step import trade
from sinks.identity import Identity, check_folder
from sinks.lock import check_writable
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import ResumableSink, already_there, begun
from sinks.state_files import StateFiles
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.placement import BY_HASH, Placement, Share, plain
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader
from sources.tape.resumable_source import TapeShards
from sources.tape.source import TapeSource

_OVERWRITE = "backtest.overwrite"
_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete


@dataclass
class Backtest(Replay):
    """A backtest that is ready to run, with what it was put together from."""

    readers: list[TapeReader] = field(kw_only=True)
    schedules: dict[Instrument, Schedule] | None = field(kw_only=True)
    grids: dict[Instrument, Grid] = field(default_factory=dict, kw_only=True)


def prepare_backtest(settings: Settings, share: Share | None = None, recovery: Recovery | None = None) -> Backtest:
    """Put a backtest together.

    Args:
        share: of this process, if others have the rest.
        recovery: what Bytewax is given for a resumption.

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
    strategy = strategy_factory(settings)()  # a wrong one is told before the tape's grid is looked for
    check_instruments(strategy, chosen)
    check_unseen(strategy, settings, readers)
    if recovery and strategy is not None and not hasattr(strategy, "decide_kernel"):
        name = settings.strategy.name
        raise TickwaxError(
            f"-r: {name} is written in Python, so its state cannot be kept; use a strategy in the Numba form"
        )
    # Processes that were started by hand may each see another state of a tape that grows.
    placement = share.placement if share else BY_HASH if cluster() or recovery else weighed(settings, readers)
    progress = ReplayProgress(sum(reader.rows for reader in readers), None)
    engines: dict[Instrument, FeatureEngine] = {}
    flow = Dataflow("tickwax_backtest")
    alone = not (share or cluster())
    backtest = Backtest(flow, progress, {}, engines, alone=alone, readers=readers, schedules=schedules)
    grids = backtest.grids = grids_of(settings, readers)
    trading = TradeEngines(settings, own_config(settings, config), schedules)
    refuse_in_sample(settings, trading.forecasting, readers)
    trading.placing.check(grids)
    trading.placing.tell(min((reader.span[0] for reader in readers), default=None))
    edges = edges_of(readers)

    def identity(data_set: str) -> Identity:
        return trading_identity(data_set, settings, config, grids, edges, trading.identity)

    longest_ns = _ROWS_AT_ONCE * config.sampling_ns
    run = trade_identity(settings, chosen, identity(EQUITY.name).settings, grids)
    source: TapeSource | TapeShards
    if recovery:
        states = StateFiles(recovery.directory, recovery.backup_seconds, time.monotonic, backtest.stop_with_error)
        backtest.states = states
        refuse = partial(backtest.stop_with_error, code=2)
        source = TapeShards(readers, run, progress.add, backtest.stop_with_error, refuse, longest_ns)
    else:
        source = TapeSource(readers, progress.add, backtest.stop_with_error, longest_ns, placement)
    first = {reader.instrument: reader.first_ordinal for reader in readers}

    def make(instrument: Instrument) -> TradeEngine:
        engines[instrument] = engine = trading.make(instrument, grids[instrument])
        return engine

    def failed(error: Exception) -> None:
        backtest.stop_with_error(in_words(error, settings))

    tape = op.input("tape", flow, source)
    traded = trade("trade", tape, make, first_ordinal=first.__getitem__, keeper=backtest.states, on_error=failed)
    named = op.map("instrument", traded, lambda item: (plain(item[0]), item[1]))
    written = [(schema, rows_in(schema.name, named)) for schema in SCHEMAS]
    if trading.rules.on:
        written.append((APPLIED, rows_in(APPLIED.name, named)))
    if trading.placing.on:
        written.append((PLACEMENTS, rows_in(PLACEMENTS.name, named)))
    forecasts = () if trading.forecasting is None else trading.forecasting.columns
    builder = partial(EpisodeBuilder.of, config, settings.execution.latency_entry.ns, forecasts)
    failing = backtest.stop_with_error
    episodes = find_episodes("episodes", traded, builder, keeper=backtest.states, on_error=failing)
    plainly = op.filter_map("episodes_of", episodes, _episode_rows)
    written.append((episodes_schema(entry_columns(config, forecasts)), plainly))
    try:
        for schema, rows in written:
            _write(rows, schema, settings, chosen, identity(schema.name), backtest, placement)
        if recovery and backtest.states:
            from dataflows.runtime.recovery_progress import EpisodeProgress, Resumed, TradeProgress
            from dataflows.runtime.recovery_store import take_up  # needs SQLite, which most runs do not

            sets = {f"{name}_parquet": sink.root for name, sink in backtest.sinks.items()}
            made = {"episodes_parquet": sets.pop("episodes_parquet")}
            traded_so_far = Resumed(flow.flow_id, run, sets, TradeProgress())
            episodes_so_far = Resumed(flow.flow_id, None, made, EpisodeProgress())
            take_up(recovery.directory, backtest.states, traded_so_far, alone, episodes_so_far)
    except BaseException:
        backtest.abort()
        raise
    return backtest


def _episode_rows(item: tuple[str, RowBatch]) -> tuple[str, RowBatch] | None:
    return (plain(item[0]), item[1]) if item[1].rows or item[1] is NO_MORE_ROWS else None


def _write(
    rows: KeyedStream[RowBatch],
    schema: RowSchema,
    settings: Settings,
    chosen: list[Instrument],
    marks: Identity,
    backtest: Backtest,
    placement: Placement,
) -> None:
    """The end of the dataflow for one data set."""
    folder, name, overwrite = settings.backtest.path / schema.name, schema.name, settings.backtest.overwrite
    resumable = backtest.states is not None
    _check(folder, marks, chosen, overwrite or (resumable and begun(folder)))
    codec, on_error = settings.tape.compression, backtest.stop_with_error
    if resumable:
        backtest.hold(folder)
        sink = ResumableSink(folder, schema, "backtest-r", codec, chosen, overwrite, on_error, marks, _OVERWRITE)
        backtest.sinks[name] = sink
        # Bytewax hands a partition values without their keys.
        op.output(f"{name}_parquet", op.map(f"{name}_keyed", rows, lambda item: (item[0], item)), sink)
        return
    hold, replaced = partial(backtest.hold, folder), chosen if overwrite else []
    backtest.sinks[name] = ReplaySink(folder, schema, "backtest", codec, replaced, on_error, hold, placement, marks)
    op.output(f"{name}_parquet", rows, backtest.sinks[name])


def _check(folder: Path, marks: Identity, chosen: list[Instrument], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise TickwaxError(f"backtest.path: {folder} is not a folder")
    check_target(folder, marks.data_set, "backtest.path")
    check_writable(folder)
    if (there := next((i for i in chosen if data_files(folder, i)), None)) and not overwrite:
        raise TickwaxError(f"backtest.path: {already_there(folder, there, _OVERWRITE)}")
    check_folder(folder, marks, set(chosen), appended=False)
