"""How the kernels of the sources are compiled: one policy for all of them.

The machine code is cached under a folder named by the text of the kernels' modules, because Numba's cache looks at the
file of the outermost function alone and would miss a change in one that it calls.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

_BASE = Path(numba.config.CACHE_DIR) if numba.config.CACHE_DIR else Path.home() / ".cache" / "tickwax"


def _cache_dir() -> Path:
    texts = [p.read_bytes() for p in sorted(Path(__file__).parent.rglob("*.py"))]
    digest = hashlib.sha256(b"".join(text for text in texts if b"sources.jit" in text)).hexdigest()[:16]
    return _BASE / f"sources-{digest}"


_CACHE_DIR = _cache_dir()


def kernel(function: F) -> F:
    """Compile ``function`` on first use; cached, without the GIL, division by zero as in NumPy."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_CACHE_DIR)  # read when the kernel is declared
    try:
        compiled: F = numba.njit(function, cache=True, nogil=True, error_model="numpy")
    finally:
        numba.config.CACHE_DIR = before
    return compiled
