"""``python -m bytewax.run dataflows.live``: the exchanges to tape and features, until stopped or for ``duration``.

Settings come from the file and the environment (``TICKWAX_SYMBOLS='["bybit_linear:BTCUSDT"]'``); `tickwax live` takes
flags instead.
"""

import atexit
import os

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.live import prepare_live
    from dataflows.runtime.engine_options import recovery
    from dataflows.runtime.exit_codes import or_exit, say
    from dataflows.runtime.live_run import Live
    from dataflows.settings.model import load_settings
    from sources.errors import TickwaxError


def _prepare() -> Live:
    if recovery():
        raise TickwaxError(
            "-r: a live run has no past to return to; what a killed one recorded is recovered without it"
        )
    return prepare_live(load_settings())


_live = or_exit(_prepare)
_live.ready()
_live.stop_on_signals()


def _finish() -> None:
    _live.release()
    for line in _live.closing_lines():
        say(line)
    if _live.left:
        say(_live.left)
    if failure := _live.failure or _live.nothing:
        say(failure)
        os._exit(1)


atexit.register(_finish)  # there is no other place after the flow
flow = _live.flow
