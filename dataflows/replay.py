"""``python -m bytewax.run dataflows.replay``: a recorded tape through the same operators and sinks as live.

Settings come from the file and the environment (``TICKWAX_TAPE__PATH=…``); `tickwax replay` takes flags instead. With
``-r DIR -s S -b S`` a run that was killed goes on when it is started again; ``python -m bytewax.recovery DIR 1`` makes
the folder.
"""

from dataflows.reports.terminal import ready_streams
from dataflows.runtime.process_tuning import quick_imports

ready_streams()
with quick_imports():
    from dataflows.assembly.replay import prepare_replay
    from dataflows.runtime.engine_options import recovery
    from dataflows.runtime.exit_codes import or_exit
    from dataflows.runtime.kernels import ready_features
    from dataflows.runtime.module_run import commit_at_exit
    from dataflows.settings.model import load_settings

_replay = or_exit(lambda: prepare_replay(load_settings(), recovery()))
_replay.stop_on_signals()
ready_features()
commit_at_exit(_replay)
flow = _replay.flow
