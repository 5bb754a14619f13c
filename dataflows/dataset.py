"""``python -m bytewax.run dataflows.dataset``: labels beside recorded features.

Settings come from the file and the environment (``TICKWAX_DATASET__PATH=data/dataset``); `tickwax dataset` takes flags
instead.
"""

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.dataset import prepare_dataset
    from dataflows.reports.dataset import lines
    from dataflows.runtime.exit_codes import or_exit
    from dataflows.runtime.kernels import ready_labels
    from dataflows.runtime.module_run import commit_at_exit
    from dataflows.settings.model import load_settings

_labelling = or_exit(lambda: prepare_dataset(load_settings()))
_labelling.run.stop_on_signals()
ready_labels()
commit_at_exit(_labelling.run, lambda run: lines(_labelling.counts))
flow = _labelling.run.flow
