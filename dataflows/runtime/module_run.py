"""A replay or backtest that ``python -m bytewax.run`` imports: what our own command line would do around the flow."""

import atexit
import os
import sys
import traceback
from collections.abc import Callable
from types import TracebackType

from dataflows.reports.summary import replay_lines
from dataflows.runtime.exit_codes import exit_code, say
from dataflows.runtime.replay_run import Replay
from sources.errors import TickwaxError


def commit_at_exit(run: Replay, lines: Callable[[Replay], list[str]] = replay_lines) -> None:
    """Start its progress; let its rows appear when the flow has returned, and none of them if it raised.

    Args:
        lines: what is told at the end.
    """

    def finish() -> None:
        try:
            if run.commit():
                for line in lines(run):
                    say(line)
        except TickwaxError as e:
            say(str(e))
            os._exit(exit_code(e))
        except BaseException:  # Python would print it, and end with 0
            traceback.print_exc()
            os._exit(1)

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        run.abort()
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = excepthook
    atexit.register(finish)  # there is no other place after the flow; without effect after an exception
    run.progress.start()
