"""A dataflow under the terminal's application: Bytewax in a thread, the application in the main one.

Textual is imported here alone: it takes a fifth of a second, which no other verb is to spend.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from dataflows.runtime.live_run import Live
from operators.config import FeatureConfig

if TYPE_CHECKING:
    from window.tap import Tap
    from window.terminal.log import LogLines

_LEAVING = 5.0  # seconds that a terminal has to take the last of the screen


def on_a_terminal() -> bool:
    """Whether there is somebody to look and to press keys."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def under_screen(
    live: Live, run: Callable[[], None], tap: "Tap", config: FeatureConfig, log: "LogLines", status: Callable[[], str]
) -> None:
    """Run a dataflow and show it until it ends.

    A key that quits is an interruption as any other (SIGINT), so that the run ends in order. A run that ends its
    process by itself first leaves the screen: its line is to be read.

    Args:
        run: the dataflow; must not be the main thread's.
        status: the line above everything.

    Raises:
        BaseException: what ``run`` raised.
        SystemExit: the application failed.
    """
    from window.terminal.app import Terminal

    app = Terminal(tap, config, log, status, lambda: os.kill(os.getpid(), signal.SIGINT))
    left = threading.Event()
    printing = sys.stdout, sys.stderr
    raised: list[BaseException] = []

    def leave() -> None:
        app.leave()
        left.wait(_LEAVING)
        sys.stdout, sys.stderr = printing

    def flow() -> None:
        try:
            run()
        except BaseException as e:
            raised.append(e)
        finally:
            app.leave()

    live.leaving.append(leave)
    thread = threading.Thread(target=flow, name="dataflow")
    thread.start()
    try:
        app.run()
    finally:
        sys.stdout, sys.stderr = printing
        left.set()
        live.leaving.remove(leave)
        if app.return_code:  # the application has failed, and told of it: the run ends in order
            live.stop.set()
        thread.join()
    if raised:
        raise raised[0]
    if app.return_code:
        raise SystemExit(1)
