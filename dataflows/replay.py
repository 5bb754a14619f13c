"""``python -m bytewax.run dataflows.replay``: a recorded tape through the same operators and sinks as live.

Settings come from the file and the environment (``TICKWAX_TAPE__PATH=…``); `tickwax replay` takes flags instead.
"""

import atexit
import sys
from types import TracebackType

from dataflows.flows import prepare_replay
from dataflows.kernels import ready_features
from dataflows.startup import load_or_exit
from sources.errors import TickwaxError

try:
    _replay = prepare_replay(load_or_exit())
except TickwaxError as e:
    print(f"tickwax: {e}", file=sys.stderr)
    sys.exit(2)


def _excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    _replay.abort()
    sys.__excepthook__(kind, error, traceback)


_replay.stop_on_signals()
ready_features()
sys.excepthook = _excepthook
atexit.register(_replay.commit)  # there is no other place after the flow; without effect after an exception
_replay.progress.start()
flow = _replay.flow
