"""``python -m bytewax.run dataflows.live``: the exchanges to tape and features, until stopped or for ``duration``.

Settings come from the file and the environment (``TICKWAX_SYMBOLS='["bybit_linear:BTCUSDT"]'``); `tickwax live` takes
flags instead.
"""

import sys

from dataflows.kernels import ready_features
from dataflows.live_flow import prepare_live
from dataflows.startup import load_or_exit
from sources.errors import TickwaxError

try:
    _live = prepare_live(load_or_exit())
except TickwaxError as e:
    print(f"tickwax: {e}", file=sys.stderr)
    sys.exit(2)

ready_features()
_live.stop_on_signals()
flow = _live.flow
