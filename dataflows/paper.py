"""``python -m bytewax.run dataflows.paper``: the live dataflow with a strategy on a simulated exchange.

Settings come from the file and the environment (``TICKWAX_STRATEGY__NAME=glft``); `tickwax paper` takes flags instead.
"""

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.live import prepare_live
    from dataflows.runtime.live_module import live_module
    from dataflows.settings.model import load_settings

flow = live_module(lambda: prepare_live(load_settings(), paper=True))
