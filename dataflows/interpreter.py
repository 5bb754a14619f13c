"""How the Python interpreter is set: for a quick start, and for a live run without long pauses."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_INTERVAL = 0.0005  # seconds; Python's own 5 ms is what a frame would wait for a busy dataflow
_YOUNG_OBJECTS = 50_000


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without looking for garbage: what imports make stays, and the search is a sixth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def ready_interpreter() -> None:
    """Call once everything is imported and compiled.

    Two threads share the interpreter of a live run. What is there by now lives as long as the process, so the garbage
    collector need not look at it again and again (60 ms each time, with Numba loaded); what comes later is nearly all
    freed by counting references.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
