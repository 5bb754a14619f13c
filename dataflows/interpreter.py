"""How the Python interpreter is set for a live run: two threads that share it, and no long pauses."""

import gc
import sys

_SWITCH_INTERVAL = 0.0005  # seconds; Python's own 5 ms is what a frame would wait for a busy dataflow
_YOUNG_OBJECTS = 50_000


def ready_interpreter() -> None:
    """Call once everything is imported and compiled.

    What is there by now lives as long as the process, so the garbage collector need not look at it again and again
    (60 ms each time, with Numba loaded); what comes later is nearly all freed by counting references.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
