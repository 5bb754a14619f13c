"""``python -m bytewax.run dataflows.replay``: a recorded tape through the same operators and sinks as live.

Settings come from the file and the environment (``TICKWAX_TAPE__PATH=…``); `tickwax replay` takes flags instead.
"""

import atexit
import os
import sys
from types import TracebackType

from dataflows.flows import Replay, prepare_replay
from dataflows.kernels import ready_features
from dataflows.settings import load_settings
from dataflows.startup import or_exit
from dataflows.summary import replay_lines
from sources.errors import TickwaxError

_RECOVERY = ("-r", "--recovery-directory")


def _refuse_recovery() -> None:
    # State would resume and the tape would not: rows would be computed twice or never.
    if os.environ.get("BYTEWAX_RECOVERY_DIRECTORY") or any(a.startswith(_RECOVERY) for a in sys.argv[1:]):
        raise TickwaxError("-r: a replay cannot be resumed yet; run it without, it writes all of its rows or none")


def _prepare() -> Replay:
    _refuse_recovery()
    return prepare_replay(load_settings())


_replay = or_exit(_prepare)


def _finish() -> None:
    if _replay.commit():
        for line in replay_lines(_replay):
            print(f"tickwax: {line}", file=sys.stderr)


def _excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    _replay.abort()
    sys.__excepthook__(kind, error, traceback)


_replay.stop_on_signals()
ready_features()
sys.excepthook = _excepthook
atexit.register(_finish)  # there is no other place after the flow; without effect after an exception
_replay.progress.start()
flow = _replay.flow
