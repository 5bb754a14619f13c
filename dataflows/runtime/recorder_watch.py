"""Whether another process records, seen by the lock of its data set."""

import time
from collections.abc import Callable
from pathlib import Path

from sinks.lock import holder

_LOOK = 0.5  # seconds between two looks
_SHORTEST = 0.9  # seconds over which a rate is taken


class RecorderWatch:
    """Tells of a recorder's beginning and end once each, and gives the state in words; for one thread, but `state`."""

    def __init__(
        self,
        root: Path,
        tell: Callable[[str], None],
        rows: Callable[[], int],
        instruments: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        root: of the tape.
        tell: told of changes, in a line each.
        rows, instruments: how many have come.
        clock: seconds, from any beginning.
        """
        self._root, self._tell, self._clock = root, tell, clock
        self._rows, self._instruments = rows, instruments
        self._looked = -_LOOK
        self._held: bool | None = False
        self._known = False  # whether there has been one
        self.state = f"nobody records to {root}; waiting"  # empty while somebody does
        self._before = (clock(), 0)
        self._rate = 0.0

    def look(self) -> None:
        """Look, if it is time."""
        now = self._clock()
        if now - self._looked < _LOOK:
            return
        first = self._looked < 0
        self._looked = now
        held = holder(self._root)
        if held and not self._held:
            self.state, self._known = "", True
            self._tell(f"{self._root}: {'attached to its recorder' if first else 'a recorder has begun'}")
        elif not held and self._held:
            how = "has ended" if held is None else "was killed"
            self.state = f"the recorder {how}; waiting for another one"
            self._tell(f"{self._root}: {self.state}")
        elif first and not held:
            self._tell(self.state)
        self._held = held

    def line(self) -> str:
        """How it is now; may be asked from any thread."""
        now, rows = self._clock(), self._rows()
        then, before = self._before
        if now - then >= _SHORTEST:
            self._before, self._rate = (now, rows), (rows - before) / (now - then)
        count = self._instruments()
        parts = [self.state or f"recording to {self._root}", f"{self._rate:,.0f} rows/s"]
        return " · ".join(["attached", *parts, f"{count:,} instrument{'s'[: count != 1]}"])
