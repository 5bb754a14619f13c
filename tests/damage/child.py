"""Calls in a process of its own, so that a death by signal is seen and is not ours."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_SECONDS = 60  # after which a call hangs
_ROOM = 4 << 30  # bytes of addresses: what asks for an absurd size is refused, as where memory is short


class DiedError(Exception):
    """The process ended instead of answering."""


def _serve(calls: Connection) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ROOM, resource.RLIM_INFINITY))
    while True:
        try:
            work, arguments = calls.recv()
        except EOFError:  # nobody asks any more
            return
        calls.send(work(*arguments))


class Child:
    """A process that is asked one call after the other; started again after a death."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None

    def ask(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What ``work``, a function of a module, returns.

        Raises:
            DiedError: a signal or an exception ended the process, or it hangs.
        """
        if self._process is None:
            self._calls, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        self._calls.send((work, arguments))
        try:
            if self._calls.poll(_SECONDS):
                return self._calls.recv()
            how = f"hangs for {_SECONDS} s"
        except EOFError:
            self._process.join(_SECONDS)
            code = self._process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self.close()
        raise DiedError(how)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
