"""``python -m bytewax.run dataflows.train``: a model from a data set of labels.

Settings come from the file and the environment (``TICKWAX_TRAIN__MODEL=gbm``); `tickwax train` takes flags instead.
"""

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.training_flow import training_flow
    from dataflows.runtime.exit_codes import or_exit
    from dataflows.settings.model import load_settings

flow = training_flow(or_exit(load_settings))
