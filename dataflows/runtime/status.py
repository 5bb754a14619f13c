"""How a live run is, in one line: rows a second, books known, gaps, room on the disk, time left."""

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import Counter, Gauge

from dataflows.runtime.metrics import KNOWN, LOST
from dataflows.runtime.row_metrics import ROWS
from sources.tape.layout import workplace

_NS = 1e9
_SHORTEST = 0.9  # seconds over which a rate is taken


class Status:
    """Reads what the run counts anyway; nothing in the run waits for it."""

    def __init__(
        self,
        what: str,
        books: int | None,
        folders: Iterable[Path],
        duration_ns: int | None,
        rows: Callable[[], float] | None = None,
        trouble: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        what: the verb.
        books: instruments that are asked for; None: as many as there are.
        folders: of the data sets that are written.
        duration_ns: how long the run goes on; None: until it is stopped.
        rows: tape rows so far; None: those that reached the tape's or the features' sink.
        trouble: why the run is not healthy; empty if it is.
        clock: seconds, from any beginning.
        """
        self._what, self._books, self._duration = what, books, duration_ns
        self._folders = [workplace(folder) for folder in folders]
        self._rows, self._trouble, self._clock = rows or _rows, trouble, clock
        self._before = (clock(), self._rows())
        self._first: float | None = None  # when the first row had come
        self._lost = _sum(LOST)
        self._rate = 0.0

    def line(self) -> str:
        """The run as it is now."""
        now, rows = self._clock(), self._rows()
        then, before = self._before
        if now - then >= _SHORTEST:
            self._before, self._rate = (now, rows), (rows - before) / (now - then)
        known, lost = int(_sum(KNOWN)), int(_sum(LOST) - self._lost)
        if self._first is None and (known or rows):
            self._first = now
        if self._first is None:
            return f"{self._what} · connecting …"
        books = f"{known:,}" if self._books is None else f"{known:,} of {self._books:,}"
        parts = [
            self._what,
            f"{self._rate:,.0f} rows/s",
            f"{books} books known",
            f"{lost:,} gap{'s'[: lost != 1]}",
            *self._disk(),
            *self._left(now),
        ]
        if trouble := self._trouble():
            parts.insert(1, trouble)
        return " · ".join(parts)

    def _disk(self) -> list[str]:
        free = []
        for folder in self._folders:
            try:
                free.append(shutil.disk_usage(folder).free)
            except OSError:
                continue
        return [f"{min(free) / 1e9:,.1f} GB free"] if free else []

    def _left(self, now: float) -> list[str]:
        if self._duration is None or self._first is None:
            return []
        left = max(0, round(self._duration / _NS - (now - self._first)))
        hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
        return [f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"]


def _rows() -> float:
    by_sink = _by_sink()
    return by_sink.get("tape") or by_sink.get("features", 0.0)


def _by_sink() -> dict[str, float]:
    samples = (s for metric in ROWS.collect() for s in metric.samples if s.name.endswith("_total"))
    return {s.labels["sink"]: s.value for s in samples}


def _sum(metric: Counter | Gauge) -> float:
    """Over all labels."""
    return sum(s.value for m in metric.collect() for s in m.samples if not s.name.endswith("_created"))
