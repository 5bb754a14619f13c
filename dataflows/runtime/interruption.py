"""Interruptions that are heard at once, whatever the main thread is at."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dataflows.runtime.exit_codes import say

INTERRUPTED_S = 2.0  # that a training has to end by itself

_INTERRUPTED = 128 + signal.SIGINT  # exit code
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def on_interruption(act: Callable[[int], None]) -> Callable[[], None]:
    """Call ``act`` with the number of a signal that asks for the end; returns what undoes this; a second
    call of that does nothing. For the main thread.

    Python runs a signal's handler between two steps of the main thread, and inside Bytewax, say while it waits for
    another process, there may be none for long. So a thread of its own is told through a pipe.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)

    def watch() -> None:
        while number := os.read(read, 1):
            if number[0] in _SIGNALS:
                act(number[0])
        os.close(read)

    wakeup = signal.set_wakeup_fd(write)
    handlers = {number: signal.signal(number, lambda number, frame: None) for number in _SIGNALS}
    threading.Thread(target=watch, name="interruption", daemon=True).start()

    undone = False

    def undo() -> None:
        nonlocal undone
        if undone:
            return
        undone = True
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(write)

    return undo


@contextmanager
def ending_within(seconds: float) -> Iterator[None]:
    """Ctrl-C ends what is inside as it always does, and then the process; where that takes longer, the process at once.

    A library that compiles hears no signal, for half a minute where it is JAX, and one whose threads are at work when
    the interpreter ends may crash. So the interpreter does not: what is inside has to leave its files such that a kill
    does no harm. For the main thread.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    over = threading.Event()

    def watch() -> None:
        while number := os.read(read, 1):
            if number[0] == signal.SIGINT and not over.wait(seconds):
                say("interrupted")
                os._exit(_INTERRUPTED)
        os.close(read)

    wakeup = signal.set_wakeup_fd(write)
    threading.Thread(target=watch, name="interruption", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        over.set()
        sys.stdout.flush()
        os._exit(_INTERRUPTED)
    finally:
        over.set()
        signal.set_wakeup_fd(wakeup)
        os.close(write)
