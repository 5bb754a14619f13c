"""One line that tells how a run is: in place on a terminal, below whatever else is printed; else now and then."""

import io
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from typing_extensions import override

from dataflows.reports.terminal import cells, literal

_REDRAWN = 0.5  # seconds between two looks on a terminal
_PLAIN = 60.0  # likewise elsewhere: a log file is not to be filled by it
_WIPE = "\r\x1b[K"


class StatusLine(io.TextIOBase):
    """Stands for standard error while it `shows`, so that no line is written over it.

    On a terminal the line is drawn anew again and again, and gone at the end. A terminal that takes nothing holds up
    this thread, and whoever prints, as it does without the line.
    """

    def __init__(self, to: TextIO, *, every: float = _PLAIN) -> None:
        """Args:
        to: where it is written.
        every: seconds between two lines where ``to`` is no terminal.
        """
        self._to = to
        self._terminal = to.isatty()
        self._every = _REDRAWN if self._terminal else every
        self._lock = threading.RLock()
        self._shown = ""
        self._drawn = False  # whether the cursor stands behind it
        self._ended = threading.Event()

    @contextmanager
    def shows(self, status: Callable[[], str]) -> Iterator[None]:
        """Tell of the run while the block lasts; ``status`` is asked in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(status,), name="status line", daemon=True)
        before, sys.stderr = sys.stderr, self
        thread.start()
        try:
            yield
        finally:
            self.end()
            sys.stderr = before

    def end(self) -> None:
        """Wipe the line out; from any thread."""
        self._ended.set()
        with self._lock:
            self._wipe()
            self._shown = ""
            self._to.flush()

    @override
    def writable(self) -> bool:
        return True

    @override
    def isatty(self) -> bool:
        return self._terminal

    @override
    def fileno(self) -> int:
        return self._to.fileno()

    @override
    def write(self, text: str) -> int:
        with self._lock:
            self._wipe()
            self._to.write(text)
            if text.endswith("\n"):
                self._draw()
            self._to.flush()
        return len(text)

    @override
    def flush(self) -> None:
        self._to.flush()

    def _run(self, status: Callable[[], str]) -> None:
        while not self._ended.wait(self._every):
            text = literal(status())
            with self._lock:
                if self._ended.is_set():
                    return
                if not self._terminal:
                    print(f"tickwax: {text}", file=self._to, flush=True)
                    continue
                self._wipe()
                columns = shutil.get_terminal_size().columns - 1
                while cells(text) > columns:
                    text = text[:-1]
                self._shown = text
                self._draw()
                self._to.flush()

    def _wipe(self) -> None:
        if self._drawn:
            self._to.write(_WIPE)
            self._drawn = False

    def _draw(self) -> None:
        self._to.write(self._shown)
        self._drawn = bool(self._shown)
