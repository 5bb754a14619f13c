"""The dataflows, put together from sources, operators and sinks."""

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from dataflows.assembly.fractional_orders import lacking
from dataflows.assembly.identities import identity_of, own_fractional_orders, same_columns
from dataflows.assembly.tapes import check_range, first_few, open_tape, weighed
from dataflows.reports.progress import ReplayProgress
from dataflows.runtime.caller import Caller
from dataflows.runtime.engine_options import Recovery, cluster
from dataflows.runtime.exit_codes import exit_code, in_a_line, say
from dataflows.runtime.interruption import on_interruption
from dataflows.runtime.process_tuning import keep_freed_memory
from dataflows.runtime.run_identity import identity
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine, Memory, Quality
from operators.feature_step import features
from operators.row_batch import RowBatch, RowSchema
from operators.schema import book_schema, feature_schema, since
from sinks.frame import FrameSink
from sinks.identity import Identity, check_folder
from sinks.lock import DataSetLock, check_writable, only_writer
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import ResumableSink, already_there, begun
from sinks.state_files import StateFiles
from sources.balance import BY_HASH, Placement, plain
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import data_files, instruments, journal_files
from sources.tape.reader import TapeReader
from sources.tape.resumable_source import TapeShards
from sources.tape.source import TapeSource
from sources.venues.registry import has_full_depth

if TYPE_CHECKING:
    from sources.kafka.source import KafkaTapeSource

_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete: a thin tape has few tape rows for many of them


@dataclass
class Replay:
    """A replay that is ready to run, and what can be told of it meanwhile and afterwards."""

    flow: Dataflow
    progress: ReplayProgress
    sinks: dict[str, ReplaySink | ResumableSink]  # by data set
    engines: dict[Instrument, FeatureEngine]
    stop: threading.Event | None = None  # ends a replay that would go on for ever; None: it ends by itself
    ending: threading.RLock = field(default_factory=threading.RLock)  # held by whoever has begun to end the process
    alone: bool = True  # no other process has a share
    committed: bool = False
    aborted: bool = False
    locks: list[DataSetLock] = field(default_factory=list)
    states: StateFiles | None = None  # None: cannot be resumed
    frame: FrameSink | None = None  # rows in memory, if the caller wants them
    caller: Caller | None = None  # the program that this is a part of; None: the process is the replay's own
    release_signals: Callable[[], None] = lambda: None  # undoes `stop_on_signals`

    def commit(self) -> bool:
        """Let the rows appear: for after the flow, which must have returned. False, and none do, after `abort`.

        Raises:
            TickwaxError: there are none.
        """
        self.progress.stop()
        outputs = [*self.sinks.values(), *filter(None, [self.frame])]
        if outputs and self.alone and not any(sink.rows_pending for sink in outputs):
            self.abort()
            raise TickwaxError(NOTHING.format(self.progress.rows))
        with self.ending:
            try:
                for sink in self.sinks.values():
                    sink.commit()
            except TickwaxError as e:
                self.stop_with_error(e)
                raise
            self.committed = True
            self.release_signals()
            self.release_signals = lambda: None
            self._unlock()
        return not self.aborted

    def abort(self) -> None:
        """Leave no trace of what is not committed, but for what a resumable run will go on with."""
        self.aborted = not self.committed
        self.progress.stop()
        for sink in self.sinks.values():
            sink.abort()
        self._unlock()

    def stop_with_error(self, error: Exception, code: int = 1) -> None:
        """End the process with one line: Bytewax would print a Rust and a Python traceback, and in a cluster
        nothing. A caller's process goes on; it is told of the error once the dataflow has ended."""
        if self.caller is not None:
            self.caller.failed(error)
            for sink in self.sinks.values():  # Bytewax closes them: were that to fail, too, Rust would end the process
                sink.abort()
            return
        self._end(in_a_line(error), exit_code(error, code))

    def stop_on_signals(self) -> None:
        """From now on an interruption ends the process at once and leaves nothing, whatever its threads are at; one
        that would go on for ever it ends in order."""
        self.release_signals = on_interruption(self._interrupted)

    def _interrupted(self, number: int) -> None:
        if self.stop is not None and not self.stop.is_set():
            self.stop.set()
            say(f"{signal.Signals(number).name}: stopping …")
        else:
            left = "start again with the same -r to go on" if self.states else "nothing was written"
            self._end(f"interrupted; {left}", 128 + number)

    def hold(self, path: Path) -> None:
        """Keep other writers away from a data set until the end.

        Raises:
            TickwaxError: there is one.
        """
        together, tell = (cluster(), say) if self.caller is None else ("", self.caller.tell)
        self.locks.append(DataSetLock(path, together, tell))

    def _unlock(self) -> None:
        for lock in reversed(self.locks):  # the first may have made the folder that holds them all
            lock.release()
        self.locks.clear()
        if self.states is not None:
            self.states.close()

    def _end(self, line: str, code: int) -> None:
        with self.ending:  # other threads that want to end the process wait here until it has
            if self.committed:
                return
            self.abort()
            say(line)
            os._exit(code)

    @property
    def quality(self) -> Quality:
        """Data-quality counters over all instruments of this process."""
        each = [engine.quality for engine in self.engines.values()]
        return Quality(*(sum(counts) for counts in zip(*each, strict=True))) if each else Quality(0, 0, 0, 0, 0, 0)


NOTHING = (
    "no feature row: the {:,} tape rows that were read complete none; a range needs a snapshot, and a book that "
    "changes for longer than features.sampling"
)


@dataclass(frozen=True)
class Share:
    """What one process of a cluster computes; the same `placement` in all of them."""

    placement: Placement
    has: Callable[[Instrument], bool]


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
    engines: dict[Instrument, FeatureEngine] = {}
    make_engine = engine_factory(settings, config, engines, tell)
    flow = Dataflow("tickwax_replay")
    replay = Replay(flow, progress, {}, engines, alone=not (share or together), locks=locks, caller=caller)
    if recovery:
        replay.states = StateFiles(recovery.directory, recovery.backup_seconds, time.monotonic, replay.stop_with_error)
    longest_ns = _ROWS_AT_ONCE * config.sampling_ns
    refuse = partial(replay.stop_with_error, code=2)
    source: TapeSource | TapeShards | KafkaTapeSource
    if settings.tape.topic:
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
    if settings.replay.start:
        # Rows before the range only make the book known.
        first = {str(r.instrument): r.first_ordinal for r in readers}

        def in_range(item: tuple[str, RowBatch]) -> tuple[str, RowBatch] | None:
            kept = since(item[1], first[plain(item[0])])
            return (item[0], kept) if kept.rows or not item[1].rows else None

        rows = op.filter_map("range", rows, in_range)
    if settings.kafka.bootstrap:
        from dataflows.assembly.kafka import (
            publish_replayed,  # takes a quarter of a second, which most runs need not spend
        )

        publish_replayed(rows, settings, config, replay.stop_with_error)
    rows = op.map("instrument", rows, lambda item: (plain(item[0]), item[1]))
    for path, schema, marks in _wanted_sets(settings, config, chosen, recovery is not None, tell):
        name = schema.name
        codec, overwrite = settings.tape.compression, settings.features.overwrite
        if recovery:
            replay.hold(path)
            on_error = replay.stop_with_error
            sink = ResumableSink(path, schema, "replay-r", codec, chosen, overwrite, on_error, marks)
            replay.sinks[name] = sink
            # Bytewax hands a partition values without their keys.
            op.output(f"{name}_parquet", op.map(f"{name}_keyed", rows, lambda item: (item[0], item)), sink)
        else:
            replaced = chosen if overwrite else []
            hold = partial(replay.hold, path)
            on_error = replay.stop_with_error
            replay.sinks[name] = ReplaySink(path, schema, "replay", codec, replaced, on_error, hold, placement, marks)
            op.output(f"{name}_parquet", rows, replay.sinks[name])
    if caller is not None and caller.frame:
        replay.frame = FrameSink(feature_schema(config), chosen, replay.stop_with_error)
        op.output("frame", rows, replay.frame)
    if not replay.sinks and replay.frame is None:
        op.inspect("nowhere", rows, lambda step_id, item: None)
    if recovery and replay.states:
        from dataflows.runtime.recovery_check import Resumed  # needs SQLite, which most runs do not
        from dataflows.runtime.recovery_store import take_up

        sets = {f"{name}_parquet": sink.root for name, sink in replay.sinks.items()}
        first = {str(r.instrument): r.first_ordinal for r in readers}
        run_of_tape = None if settings.tape.topic else identity(settings, chosen)
        take_up(recovery.directory, replay.states, Resumed(flow.flow_id, run_of_tape, sets, first), not together)
    return replay


def _already_there(settings: Settings) -> list[Instrument]:
    """Instruments asked for that a replay's folders hold rows of; what a topic holds is known only once it is read."""
    from dataflows.assembly.kafka import asked_for

    asked = asked_for(settings)
    paths = [path for path in (settings.features.path, settings.books.path) if path is not None]
    return sorted({i for path in paths for i in instruments(path) if asked(str(i))})


def engine_factory(
    settings: Settings,
    config: FeatureConfig,
    made: dict[Instrument, FeatureEngine],
    tell: Callable[[str], None] = say,
) -> Callable[[Instrument], FeatureEngine]:
    """What makes the engine of an instrument, with its own fractional orders if there are any; kept in ``made``.

    Tells which instruments the file of orders lacks. What it returns raises a TickwaxError where memory is short.
    """
    orders = own_fractional_orders(settings, config)
    tell_lack = lacking(settings.features.d_file, config, first_few(tell, "more instruments lack an order"))
    with_books = settings.books.path is not None
    memory: dict[FeatureConfig, Memory] = defaultdict(list)

    def make(instrument: Instrument) -> FeatureEngine:
        own = orders.get(instrument, {})
        tell_lack(instrument, own)
        mine = replace(config, price_d=own.get("price", config.price_d), volume_d=own.get("volume", config.volume_d))
        full = has_full_depth(instrument.venue)
        try:
            made[instrument] = FeatureEngine(mine, full_depth=full, with_books=with_books, memory=memory[mine])
        except MemoryError as e:
            raise TickwaxError(f"{instrument}: no memory for the state of its features: {e}") from None
        return made[instrument]

    return make


def _wanted_sets(
    settings: Settings,
    config: FeatureConfig,
    chosen: list[Instrument],
    resumable: bool,
    tell: Callable[[str], None],
) -> Iterator[tuple[Path, RowSchema, Identity]]:
    """The Parquet data sets that are switched on: folder, schema, what their files say of themselves.

    Raises:
        TickwaxError: one is no folder, cannot be written to, or holds rows of an instrument already and may not be
            overwritten.
    """
    for path, schema in (
        (settings.features.path, feature_schema(config)),
        (settings.books.path, book_schema(config)),
    ):
        if path is None:
            continue
        name = schema.name
        if path.exists() and not path.is_dir():
            raise TickwaxError(f"{name}.path: {path} is not a folder")
        check_writable(path)
        if path.is_dir() and journal_files(path):
            with only_writer(path, tell):
                pass  # what a killed live run left is there already, too
        there = next((i for i in chosen if data_files(path, i)), None)
        # A resumable run that has begun may have put them there: its partitions know.
        if there and not settings.features.overwrite and not (resumable and begun(path)):
            raise TickwaxError(f"{name}.path: {already_there(path, there)}")
        same_columns(path, schema, chosen)
        marks = identity_of(name, settings, config)
        check_folder(path, marks, set(chosen), appended=False)
        yield path, schema, marks
