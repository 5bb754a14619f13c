"""``python -m bytewax.run dataflows.optimal_d``: the fractional order d per instrument, from a recorded tape.

Settings come from the file and the environment (``TICKWAX_OPTIMAL_D__TRAIN_UNTIL=…``); `tickwax optimal-d` takes flags
instead.
"""

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.optimal_d import prepare_optimal_d
    from dataflows.runtime.exit_codes import or_exit
    from dataflows.runtime.kernels import ready_features
    from dataflows.settings.model import load_settings

_run = or_exit(lambda: prepare_optimal_d(load_settings()))
_run.stop_on_signals()
ready_features()
_run.progress.start()
flow = _run.flow
