"""``python -m bytewax.run dataflows.backtest``: a recorded tape, a strategy and the simulated exchange.

Settings come from the file and the environment (``TICKWAX_STRATEGY__NAME=momentum``); `tickwax backtest` takes flags
instead. With ``-r DIR -s S -b S`` a run that was killed goes on when it is started again.
"""

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.backtest import prepare_backtest
    from dataflows.runtime.engine_options import recovery
    from dataflows.runtime.exit_codes import or_exit
    from dataflows.runtime.kernels import ready_trading
    from dataflows.runtime.module_run import commit_at_exit
    from dataflows.settings.model import load_settings

_backtest = or_exit(lambda: prepare_backtest(load_settings(), recovery=recovery()))
_backtest.stop_on_signals()
ready_trading()
commit_at_exit(_backtest)
flow = _backtest.flow
