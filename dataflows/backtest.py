"""``python -m bytewax.run dataflows.backtest``: a recorded tape, a strategy and the simulated exchange.

Settings come from the file and the environment (``TICKWAX_STRATEGY__NAME=momentum``); `tickwax backtest` takes flags
instead.
"""

import atexit
import os
import sys
import traceback
from types import TracebackType

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.backtest import prepare_backtest
    from dataflows.reports.summary import replay_lines
    from dataflows.runtime.exit_codes import exit_code, or_exit, say
    from dataflows.settings.model import load_settings
    from sources.errors import TickwaxError

_backtest = or_exit(lambda: prepare_backtest(load_settings()))


def _finish() -> None:
    try:
        if _backtest.commit():
            for line in replay_lines(_backtest):
                say(line)
    except TickwaxError as e:
        say(str(e))
        os._exit(exit_code(e))
    except BaseException:  # Python would print it, and end with 0
        traceback.print_exc()
        os._exit(1)


def _excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _backtest.abort()
    sys.__excepthook__(kind, error, trace)


_backtest.stop_on_signals()
sys.excepthook = _excepthook
atexit.register(_finish)  # there is no other place after the flow; without effect after an exception
_backtest.progress.start()
flow = _backtest.flow
