"""Interruptions that are heard at once, whatever the main thread is at."""

import os
import signal
import threading
from collections.abc import Callable

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
