"""The dataflow of a replay, put together from sources, operators and sinks."""

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from dataflows.assembly.data_sets import wanted_data_sets
from dataflows.assembly.engines import engine_factory
from dataflows.assembly.forecasting import PREDICTIONS, forecasting_of, keyed_plainly
from dataflows.assembly.identities import edges_of
from dataflows.assembly.schemas import features_of
from dataflows.assembly.tapes import check_range, open_tape, weighed
from dataflows.reports.progress import ReplayProgress
from dataflows.runtime.caller import Caller
from dataflows.runtime.engine_options import Recovery, cluster
from dataflows.runtime.exit_codes import say
from dataflows.runtime.process_tuning import keep_freed_memory
from dataflows.runtime.replay_run import Replay
from dataflows.runtime.run_identity import identity
from dataflows.settings.model import Settings
from operators.feature_engine import FeatureEngine
from operators.feature_step import features
from operators.row_batch import RowBatch
from operators.schema import since
from sinks.frame import FrameSink
from sinks.lock import DataSetLock
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import ResumableSink
from sinks.state_files import StateFiles
from sources.instrument import Instrument
from sources.placement import BY_HASH, Share, plain
from sources.tape.layout import instruments
from sources.tape.reader import TapeReader
from sources.tape.resumable_source import TapeShards
from sources.tape.source import TapeSource

if TYPE_CHECKING:
    from sources.kafka.source import KafkaTapeSource
    from sources.tape.paced import PacedTape

_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete: a thin tape has few tape rows for many of them


def prepare_replay(
    settings: Settings, recovery: Recovery | None = None, share: Share | None = None, caller: Caller | None = None
) -> Replay:
    """Put the replay of a recorded tape together: tape, of files or of a topic → features → Parquet and Kafka.

    Args:
        recovery: what Bytewax is given for a resumption.
        share: of this process, if others have the rest. Without one, instruments are dealt to the workers by weight
            if this process is alone; processes of a cluster that were started by hand go by the hash of names, since
            each of them may see another state of a tape that grows.
        caller: the program that the replay is a part of. Nothing ends its process, and its command line is not read.

    Raises:
        TickwaxError: the tape cannot be read, has none of the instruments asked for, or the features are there already.
    """
    locks: list[DataSetLock] = []
    try:
        return _prepare(settings, recovery, share, caller, locks)
    except BaseException:
        for lock in reversed(locks):
            lock.release()
        raise


def _prepare(
    settings: Settings,
    recovery: Recovery | None,
    share: Share | None,
    caller: Caller | None,
    locks: list[DataSetLock],
) -> Replay:
    """As `prepare_replay`; ``locks`` is filled with those of the data sets that are held."""
    together, tell = (cluster(), say) if caller is None else ("", caller.tell)
    if caller is None:
        keep_freed_memory()
    config = settings.feature_config()
    readers: list[TapeReader] = []
    placement = share.placement if share else BY_HASH
    if settings.tape.topic:
        chosen = _already_there(settings)
    else:
        chosen, readers = open_tape(settings, share.has if share else lambda instrument: True, tell)
        if not share:
            r = settings.replay
            check_range(readers, "replay.start", r.start, "replay.end", r.end)
        if not (share or recovery or together):
            placement = weighed(settings, readers)
    progress = ReplayProgress(sum(r.rows for r in readers), None if caller is None else caller.progress)
    forecasting = forecasting_of(settings, config, tell)
    engines: dict[Instrument, FeatureEngine] = {}
    shown = settings.ui.on and caller is None
    make_engine = engine_factory(settings, config, engines, tell, gil_rows=0, with_books=shown)
    flow = Dataflow("tickwax_replay")
    replay = Replay(flow, progress, {}, engines, alone=not (share or together), locks=locks, caller=caller)
    if recovery:
        replay.states = StateFiles(recovery.directory, recovery.backup_seconds, time.monotonic, replay.stop_with_error)
    longest_ns = _ROWS_AT_ONCE * config.sampling_ns
    refuse = partial(replay.stop_with_error, code=2)
    source: TapeSource | TapeShards | KafkaTapeSource | PacedTape
    window = None
    if shown:
        from dataflows.assembly.window import open_window, paced  # with a web server, which most runs need not import

        source = paced(settings, readers, recovery, progress.add, replay.stop_with_error, placement)
        window = open_window(settings, config, "replay", chosen)
        replay.closing.append(window.server.close)
    elif settings.tape.topic:
        from dataflows.assembly.kafka import topic_source  # takes a quarter of a second, which most runs need not spend

        replay.stop = threading.Event() if settings.tape.follow else None
        source = topic_source(settings, replay.stop, progress.add, replay.stop_with_error, refuse, longest_ns)
    elif recovery:
        run = identity(settings, chosen)
        source = TapeShards(readers, run, progress.add, replay.stop_with_error, refuse, longest_ns)
    else:
        source = TapeSource(readers, progress.add, replay.stop_with_error, longest_ns, placement)
    tape = op.input("tape", flow, source)
    rows = features("features", tape, make_engine, keeper=replay.states, on_error=replay.stop_with_error)
    streams = {"features": rows}
    if window is not None:
        window.tape(tape)
        window.features(rows)
    if forecasting is not None:
        kept = recovery is not None
        streams[PREDICTIONS] = forecasting.step(rows, keeps=kept, on_error=replay.stop_with_error)
        if window is not None:
            window.rows(forecasting.schema, streams[PREDICTIONS])
    if settings.replay.start:
        # Rows before the range only make the book known, and the model its state.
        first = {str(r.instrument): r.first_ordinal for r in readers}

        def in_range(item: tuple[str, RowBatch]) -> tuple[str, RowBatch] | None:
            kept = since(item[1], first[plain(item[0])])
            return (item[0], kept) if kept.rows or not item[1].rows else None

        steps = {"features": "range", PREDICTIONS: "predictions_range"}
        streams = {name: op.filter_map(steps[name], stream, in_range) for name, stream in streams.items()}
    if settings.kafka.bootstrap:
        from dataflows.assembly.kafka import (
            publish_replayed,  # takes a quarter of a second, which most runs need not spend
        )

        publish_replayed(streams, settings, config, forecasting, replay.stop_with_error)
    rows = keyed_plainly("instrument", streams["features"])
    predictions = keyed_plainly("predictions_instrument", streams[PREDICTIONS]) if forecasting is not None else rows
    edges, resumes = edges_of(readers), recovery is not None
    for path, schema, marks in wanted_data_sets(settings, config, chosen, resumes, tell, edges, forecasting):
        name = schema.name
        given = predictions if name == PREDICTIONS else rows
        codec, overwrite = settings.tape.compression, settings.features.overwrite
        if recovery:
            replay.hold(path)
            on_error = replay.stop_with_error
            sink = ResumableSink(path, schema, "replay-r", codec, chosen, overwrite, on_error, marks)
            replay.sinks[name] = sink
            # Bytewax hands a partition values without their keys.
            op.output(f"{name}_parquet", op.map(f"{name}_keyed", given, lambda item: (item[0], item)), sink)
        else:
            replaced = chosen if overwrite else []
            hold = partial(replay.hold, path)
            on_error = replay.stop_with_error
            replay.sinks[name] = ReplaySink(path, schema, "replay", codec, replaced, on_error, hold, placement, marks)
            op.output(f"{name}_parquet", given, replay.sinks[name])
    if caller is not None and caller.frame:
        replay.frame = FrameSink(features_of(settings, config), chosen, replay.stop_with_error)
        op.output("frame", rows, replay.frame)
    if not replay.sinks and replay.frame is None and window is None:
        op.inspect("nowhere", rows, lambda step_id, item: None)
    if recovery and replay.states:
        from dataflows.runtime.recovery_progress import FeatureProgress, Resumed
        from dataflows.runtime.recovery_store import take_up

        # Of cold rows there are no predictions, so their newest row is not the features'.
        sets = {f"{name}_parquet": sink.root for name, sink in replay.sinks.items() if name != PREDICTIONS}
        first = {str(r.instrument): r.first_ordinal for r in readers}
        run_of_tape = None if settings.tape.topic else identity(settings, chosen)
        resumed = Resumed(flow.flow_id, run_of_tape, sets, FeatureProgress(first))
        take_up(recovery.directory, replay.states, resumed, not together)
    return replay


def _already_there(settings: Settings) -> list[Instrument]:
    """Instruments asked for that a replay's folders hold rows of; what a topic holds is known only once it is read."""
    from dataflows.assembly.kafka import asked_for

    asked = asked_for(settings)
    predicted = settings.predict.path if settings.predict.model else None
    paths = [path for path in (settings.features.path, settings.books.path, predicted) if path is not None]
    return sorted({i for path in paths for i in instruments(path) if asked(str(i))})
