"""A replay that is ready to run: its life from the start of the flow to rows that appear, or to nothing left."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bytewax.dataflow import Dataflow

from dataflows.reports.progress import ReplayProgress
from dataflows.runtime.caller import Caller
from dataflows.runtime.engine_options import cluster
from dataflows.runtime.exit_codes import exit_code, in_a_line, say
from dataflows.runtime.interruption import on_interruption
from operators.feature_engine import FeatureEngine, Quality
from sinks.frame import FrameSink
from sinks.lock import DataSetLock
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import ResumableSink
from sinks.state_files import StateFiles
from sources.errors import TickwaxError
from sources.instrument import Instrument

NOTHING = (
    "no feature row: the {:,} tape rows that were read complete none; a range needs a snapshot, and a book that "
    "changes for longer than features.sampling"
)


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
    nothing: Callable[[int], str] = NOTHING.format  # why no row is written, of so many tape rows
    committed: bool = False
    aborted: bool = False
    locks: list[DataSetLock] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)  # what else ends with the run
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
            raise TickwaxError(self.nothing(self.progress.rows))
        with self.ending:
            try:
                for sink in self.sinks.values():
                    sink.commit()
            except TickwaxError as e:
                self.stop_with_error(e)
                raise
            self.committed = True
            self.release_signals()
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
        try:
            self.locks.append(DataSetLock(path, together, tell))
        except TickwaxError as e:  # nothing is begun yet: as wrong as a folder that is taken
            self.stop_with_error(e, 2)
            raise

    def _unlock(self) -> None:
        for close in self.closing:
            close()
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
