"""A live run that is ready to start: its life from the first frame to files, whatever ends it."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bytewax.dataflow import Dataflow

from dataflows.reports.summary import latency_lines
from dataflows.runtime.exit_codes import exit_code, in_a_line, say
from dataflows.runtime.interruption import on_interruption
from dataflows.runtime.kernels import ready_features
from dataflows.runtime.metrics import LiveTelemetry
from dataflows.runtime.process_tuning import ready_interpreter
from operators.feature_engine import FEW_ROWS, FeatureEngine
from sinks.live_sink import LiveSink
from sinks.lock import DataSetLock
from sinks.tape_grid import ready_grid
from sources.errors import DiskFailure, TickwaxError
from sources.instrument import Instrument
from sources.tape.journal_kernels import compile_kernels

_GRACE = 5.0  # seconds from a signal to the end
_LISTENING = 1.0  # seconds that a terminal has to take the line that ends the process
_PATIENCE = 2.5  # of them to begin with files; renaming those of 400 instruments takes another second


class Publishing(Protocol):
    """A sink that may have given up."""

    @property
    def error(self) -> TickwaxError | None:
        """Why, if it has."""


@dataclass
class Live:
    """A live run that is ready to start."""

    flow: Dataflow
    stop: threading.Event
    engines: dict[Instrument, FeatureEngine]
    sinks: dict[str, LiveSink[Any]]  # by data set
    telemetry: LiveTelemetry
    locks: list[DataSetLock] = field(default_factory=list)
    publishers: list[Publishing] = field(default_factory=list)
    preparations: list[Callable[[], None]] = field(default_factory=list)  # for `ready`
    closing: list[Callable[[], None]] = field(default_factory=list)  # for `release`
    page: str = ""  # address of the page in a browser, if it is served
    leaving: list[Callable[[], None]] = field(default_factory=list)  # before the line that ends the process
    _signals: int = field(default=0)
    _stopped: float = field(default=math.inf)  # when the signal came
    _late: threading.Timer | None = field(default=None)  # ends a run that does not stop

    def ready(self) -> None:
        """What may take seconds and must not happen while frames come."""
        ready_features(gil_rows=FEW_ROWS)
        for prepare in self.preparations:
            prepare()
        compile_kernels()
        ready_grid()
        ready_interpreter()
        self.telemetry.liveness.watch()

    def stop_on_signals(self) -> Callable[[], None]:
        """SIGINT or SIGTERM ends the run in order: sockets, buffers, files; a second one, or 5 s, at once."""
        return on_interruption(self._interrupted)

    def release(self) -> None:
        """Let others write to the data sets; for after the flow."""
        self.telemetry.liveness.end()
        if self._late is not None:  # it has stopped: what is told of it may take as long as it likes
            self._late.cancel()
        for close in self.closing:
            close()
        for lock in reversed(self.locks):  # the first may have made the folder that holds them all
            lock.release()

    def patience(self) -> float | None:
        """Seconds that may still be spent on files; None while no signal has come."""
        return max(0.0, self._stopped + _PATIENCE - time.monotonic()) if self.stop.is_set() else None

    @property
    def left(self) -> str | None:
        """What there was no time for at the end, in a line."""
        late = [str(sink.root) for sink in self.sinks.values() if not sink.all_appeared]
        return f"{', '.join(late)}: the newest rows are in a journal, and in files at the next start" if late else None

    @property
    def failure(self) -> str | None:
        """Why rows are missing in a topic, if delivery was given up; the recording has gone on."""
        return next((str(p.error) for p in self.publishers if p.error), None)

    @property
    def nothing(self) -> str | None:
        """Why the run is no success although it ended in order: no row was recorded; None if there are rows, or if it
        was stopped before anything could come."""
        rows = any(sink.rows_written or not sink.all_appeared for sink in self.sinks.values())
        if rows or not self.sinks or (self._signals and not self.telemetry.heard):
            return None
        return f"nothing was recorded: {self.telemetry.why_nothing()}"

    def closing_lines(self) -> list[str]:
        """What there is to say at the end of the run, but for data sets."""
        self.telemetry.tell_counts()
        return [*self.telemetry.quarantined(), *latency_lines(self.telemetry.latencies)]

    def _interrupted(self, number: int) -> None:
        self._signals += 1
        self._stopped = min(self._stopped, time.monotonic())
        self.stop.set()
        if self._signals > 1:
            self._exit("stopped at once", 128 + number)
        say(f"{signal.Signals(number).name}: stopping …")
        self._late = threading.Timer(_GRACE, self._exit, ("it took longer than 5 s to stop", 1))
        self._late.daemon = True
        self._late.start()

    def fail(self, error: Exception, code: int) -> None:
        """End the process with one line: of an exception that leaves a callback Bytewax would print a Rust and a Python
        traceback, and in a cluster nothing. What has been recorded is in journals."""
        self._leave()
        _say_last(in_a_line(error))
        if not isinstance(error, DiskFailure):  # a disk that does not answer would hold the process
            self.release()
        os._exit(exit_code(error, code))

    def _exit(self, line: str, code: int) -> None:
        self._leave()
        _say_last(line)
        os._exit(code)

    def _leave(self) -> None:
        for leave in list(self.leaving):
            leave()


def _say_last(line: str) -> None:
    """Say a line, and wait no longer than a moment: a terminal that takes nothing must not keep the process."""
    saying = threading.Thread(target=say, args=(line,), daemon=True)
    saying.start()
    saying.join(_LISTENING)
