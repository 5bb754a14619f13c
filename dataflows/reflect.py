"""``python -m bytewax.run dataflows.reflect``: rules from the episodes of a run.

Settings come from the file and the environment (``TICKWAX_BACKTEST__PATH=…``, ``TICKWAX_RULES__STORE=…``); `tickwax
reflect` takes flags instead.
"""

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.reflecting import prepare_reflection
    from dataflows.runtime.exit_codes import or_exit
    from dataflows.settings.model import load_settings

flow = or_exit(lambda: prepare_reflection(load_settings()))
