"""How the process is set: for a quick start, for a replay at full speed, and for a live run without long pauses."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_INTERVAL = 0.0005  # seconds; Python's own 5 ms is what a frame would wait for a busy dataflow
_YOUNG_OBJECTS = 50_000
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_MOST_BYTES = (1 << 31) - 1


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without looking for garbage: what imports make stays, and the search is a sixth of a start.

    Nothing here multiplies matrices; NumPy's library for it starts a thread a core, which spin for 0.1 s.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory for what is allocated next; false if it is not glibc.

    Feature rows are arrays of megabytes, which would go back to the system and come again, page by page: with a row an
    update that was a seventh of a replay's time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _MOST_BYTES) and mallopt(_M_TRIM_THRESHOLD, _MOST_BYTES))
