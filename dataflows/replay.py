"""``python -m bytewax.run dataflows.replay``: a recorded tape through the same operators and sinks as live.

Settings come from the file and the environment (``TICKWAX_TAPE__PATH=…``); `tickwax replay` takes flags instead. With
``-r DIR -s S -b S`` a run that was killed goes on when it is started again; ``python -m bytewax.recovery DIR 1`` makes
the folder.
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
    from dataflows.assembly.replay import prepare_replay
    from dataflows.reports.summary import replay_lines
    from dataflows.runtime.engine_options import recovery
    from dataflows.runtime.exit_codes import exit_code, or_exit, say
    from dataflows.runtime.kernels import ready_features
    from dataflows.settings.model import load_settings
    from sources.errors import TickwaxError

_replay = or_exit(lambda: prepare_replay(load_settings(), recovery()))


def _finish() -> None:
    try:
        if _replay.commit():
            for line in replay_lines(_replay):
                say(line)
    except TickwaxError as e:
        say(str(e))
        os._exit(exit_code(e))
    except BaseException:  # Python would print it, and end with 0
        traceback.print_exc()
        os._exit(1)


def _excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _replay.abort()
    sys.__excepthook__(kind, error, trace)


_replay.stop_on_signals()
ready_features()
sys.excepthook = _excepthook
atexit.register(_finish)  # there is no other place after the flow; without effect after an exception
_replay.progress.start()
flow = _replay.flow
