"""Whether a live run makes progress: health is the age of what was done last, not that somebody answers.

A disk that hangs holds up the dataflow's thread while sockets and metrics go on: every counter stands at its last, good
value. So the ages below are computed when they are read.
"""

import threading
import time
from collections.abc import Callable

_BEHIND = 5.0  # seconds without a turn of the dataflow that are worth a word
_LOOK = 0.5  # seconds between two looks


class Liveness:
    """Ages of a run's progress, in seconds; safe for use by several threads."""

    def __init__(
        self,
        bound: float,
        on_behind: Callable[[float], None] = lambda seconds: None,
        on_caught_up: Callable[[float], None] = lambda seconds: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        bound: how long progress may stand still in a healthy run.
        on_behind: told once of a standstill, with how long it has been.
        on_caught_up: told of its end, with how long it was.
        now: seconds of a clock that never steps back.
        """
        self.bound = bound
        self._on_behind = on_behind
        self._on_caught_up = on_caught_up
        self._now = now
        self._turns: dict[int, float] = {}  # by thread of a worker: when it last asked for rows
        self._row: float | None = None  # when the newest row was handed on
        self._unsynced: dict[str, tuple[Callable[[], float], float]] = {}
        self._behind = False
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def turn(self) -> None:
        """This thread's worker is about to take rows: it is done with those before."""
        if self._ended.is_set():
            return
        now, worker = self._now(), threading.get_ident()
        waited = now - self._turns.get(worker, now)
        self._turns[worker] = now
        if waited >= _BEHIND:
            self._tell(waited)
            with self._lock:
                self._behind = False
            self._on_caught_up(waited)

    def row(self) -> None:
        """A row was handed on."""
        self._row = self._now()

    def watch_sync(self, name: str, age: Callable[[], float], allowed: float) -> None:
        """``age``: for how long the oldest row of a data set has waited for the disk; ``allowed``: in a sound run."""
        self._unsynced[name] = (age, allowed)

    @property
    def turn_age(self) -> float:
        """Since the slowest worker took rows; 0 before the first."""
        turns = list(self._turns.values())
        return max(0.0, self._now() - min(turns)) if turns else 0.0

    @property
    def row_age(self) -> float:
        """Since a row was handed on to the sinks; NaN before the first."""
        return float("nan") if self._row is None else self._now() - self._row

    def sync_age(self, name: str) -> float:
        """For how long the oldest row of a data set has waited for the disk."""
        return self._unsynced[name][0]()

    def trouble(self) -> str:
        """Why the run is not healthy, in a line; empty if it is."""
        if (age := self.turn_age) > self.bound:
            return f"the dataflow has stood still for {age:.0f} s"
        for name, (age_of, allowed) in self._unsynced.items():
            if (age := age_of()) > allowed + self.bound:
                return f"{name}: rows have waited for the disk for {age:.0f} s"
        return ""

    def watch(self) -> None:
        """Look now and then, in a thread of its own, until `end`."""
        threading.Thread(target=self._watch, name="liveness", daemon=True).start()

    def end(self) -> None:
        """The run is about to end: no worker takes rows any more, and that is well."""
        self._ended.set()
        self._turns.clear()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK):
            if (age := self.turn_age) >= _BEHIND:
                self._tell(age)

    def _tell(self, seconds: float) -> None:
        with self._lock:
            news, self._behind = not self._behind, True
        if news:
            self._on_behind(seconds)
