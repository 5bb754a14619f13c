"""How far a replay is: rows, rows a second, and how many times faster than the market was."""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from sources.instrument import Instrument
from sources.latency import Latencies
from sources.tape.batch import InstrumentBatch, TapeBatch

_NS = 1e9
_REFRESH = 0.25  # s
_WIDE = 80  # columns of a terminal that has room for a bar beside the texts
_BAR = 12


def progress_bar(before: str, *after: str | ProgressColumn, shown: bool | None = None) -> Progress:
    """A bar between texts on standard error, gone at the end.

    Args:
        before, after: formats of a task, taken literally otherwise.
        shown: whether to show it; None: if standard error is a terminal.
    """
    console = Console(stderr=True)
    texts = [TextColumn(part, markup=False) if isinstance(part, str) else part for part in (before, *after)]
    columns = [texts[0], BarColumn(_BAR), *texts[1:]] if console.width >= _WIDE else texts
    disable = not (sys.stderr.isatty() if shown is None else shown)
    return Progress(*columns, console=console, transient=True, disable=disable)


@contextmanager
def instrument_bars(totals: Mapping[Instrument, int]) -> Iterator[Callable[[Instrument, int], None]]:
    """A bar an instrument, of a total each; call what it gives with an instrument and how much of it is done."""
    with progress_bar("{task.description}", "{task.percentage:>3.0f} %", TimeRemainingColumn()) as bars:
        tasks = {i: bars.add_task(str(i), total=total) for i, total in totals.items()}
        yield lambda instrument, done: bars.update(tasks[instrument], completed=done)


class RunsBar:
    """A bar of runs that end one after the other. It begins at its first call, when forks are there: it is a thread."""

    def __init__(self, name: str, runs: int) -> None:
        self._bar = progress_bar(name, "{task.completed:,} of {task.total:,} runs", TimeRemainingColumn())
        self._task = self._bar.add_task(name, total=runs)

    def __call__(self, done: int) -> None:
        """So many runs have ended."""
        self._bar.start()
        self._bar.update(self._task, completed=done)

    def stop(self) -> None:
        """Remove the bar."""
        self._bar.stop()


class ReplayProgress:
    """Counts what the workers of this process read; a bar on a terminal, nothing in a log file."""

    def __init__(self, rows: int, shown: bool | None = None) -> None:
        """Args:
        rows: how many there are to read, for the bar.
        shown: whether to show it; None: if standard error is a terminal.
        """
        self.rows = 0
        self.market_ns = 0  # from the first row that was read to the last, of whatever instrument
        self._first = self._last = 0
        self.latencies = Latencies()
        self._told = False
        self._ended = 0.0
        self._lock = threading.Lock()
        self._began = self._shown = perf_counter()
        text = "{task.percentage:>3.0f} % · {task.fields[speed]}"
        self._bar = progress_bar("replay", text, TimeRemainingColumn(), shown=shown)
        self._task = self._bar.add_task("replay", total=rows or None, speed="")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Show the bar."""
        self._began = self._shown = perf_counter()
        self._bar.start()

    def stop(self) -> None:
        """Remove the bar, and stop the clock."""
        self._ended = self._ended or perf_counter()
        self._bar.stop()

    def add(self, item: InstrumentBatch) -> None:
        """Count a batch that a worker has begun with."""
        with self._lock:
            self.latencies.add_tape(item)
        self.add_rows(item.batch)

    def add_rows(self, batch: TapeBatch) -> None:
        """The same of one that has no more than its times."""
        with self._lock:
            self.rows += batch.rows
            first, last = int(batch.receive_ts[0]), int(batch.receive_ts[-1])
            self._first, self._last = min(self._first or first, first), max(self._last, last)
            self.market_ns = max(0, self._last - self._first)
            now = perf_counter()
            if now - self._shown >= _REFRESH:
                self._shown = now
                self._bar.update(self._task, completed=self.rows, speed=self.speed())

    def reached(self, rows: int, market_ns: int) -> None:
        """Show what other processes have read, all in all; time counts from the first call, when they are ready."""
        if not self._told:
            self._told = True
            self._began = perf_counter()
        self.rows, self.market_ns = rows, market_ns
        self._bar.update(self._task, completed=rows, speed=self.speed())

    def speed(self) -> str:
        """Rows a second and times real time, in words."""
        seconds = max((self._ended or perf_counter()) - self._began, 1e-9)
        return f"{self.rows / seconds / 1e6:.2f} M rows/s · {self.market_ns / _NS / seconds:,.0f} × real time"
