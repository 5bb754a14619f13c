"""The program that a run is a part of, where the process is not the run's own."""

import threading
from collections.abc import Callable


class Caller:
    """A program that calls a replay, such as a notebook: it goes on, whatever becomes of the run.

    Attributes:
        tell: told in lines what the user should know, such as damage of the tape.
        frame: whether the rows are kept in memory for it.
        progress: whether it wants a bar.
        failure: the first error of the dataflow, as it was before Bytewax wrapped it.
    """

    def __init__(self, tell: Callable[[str], None], frame: bool, progress: bool) -> None:
        self.tell, self.frame, self.progress = tell, frame, progress
        self.failure: Exception | None = None
        self._lock = threading.Lock()

    def failed(self, error: Exception) -> None:
        """Keep the first error; workers may be threads."""
        with self._lock:
            self.failure = self.failure or error
