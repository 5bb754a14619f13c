"""Log lines on their way to the screen: a bounded number, from any thread, and nobody waits."""

import io
import threading
from collections import deque
from typing import TextIO

from typing_extensions import override

_KEPT = 2000  # lines


class LogLines(io.TextIOBase):
    """A file that keeps the newest lines that are written to it.

    Attributes:
        count: lines that have come since the beginning.
    """

    def __init__(self, copy: TextIO | None = None) -> None:
        """``copy``: is written the same; for a log that goes to a file."""
        self.count = 0
        self._copy = copy
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._begun = ""
        self._lock = threading.Lock()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            self._lines.extend(lines)
            self.count += len(lines)
            if self._copy is not None:
                self._copy.write(text)
                self._copy.flush()
        return len(text)

    def since(self, seen: int) -> list[str]:
        """The lines after the first ``seen``, as far as they are kept."""
        with self._lock:
            new = min(self.count - seen, len(self._lines))
            return list(self._lines)[len(self._lines) - new :]
