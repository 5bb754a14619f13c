"""``python -m bytewax.run dataflows.optimal_d``: the fractional order d per instrument, from a recorded tape.

Settings come from the file and the environment (``TICKWAX_OPTIMAL_D__TRAIN_UNTIL=…``); `tickwax optimal-d` takes flags
instead.
"""

from dataflows.interpreter import quick_imports
from dataflows.terminal import ready_streams

ready_streams()
with quick_imports():
    from dataflows.kernels import ready_features
    from dataflows.order_search import prepare_optimal_d
    from dataflows.settings import load_settings
    from dataflows.startup import or_exit

_run = or_exit(lambda: prepare_optimal_d(load_settings()))
_run.stop_on_signals()
ready_features()
_run.progress.start()
flow = _run.flow
