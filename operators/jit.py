"""How kernels are compiled: one policy for all of them.

No fastmath: a kernel's floating-point operations happen in the order in which they are written, so that the same rows
give the same bits whatever the batch. The machine code is cached under a folder named by the kernels' own source text,
because Numba's cache looks at the file of the outermost function alone and would miss a change in one that it calls.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def _cache_dir() -> Path:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:16]
    base = Path(numba.config.CACHE_DIR) if numba.config.CACHE_DIR else Path.home() / ".cache" / "tickwax"
    return base / digest


CACHE_DIR = _cache_dir()
numba.config.CACHE_DIR = str(CACHE_DIR)


def kernel(function: F) -> F:
    """Compile ``function`` on first use; cached, without the GIL, division by zero as in NumPy."""
    compiled: F = numba.njit(function, cache=True, nogil=True, error_model="numpy", _nrt=False)
    return compiled


def is_cached() -> bool:
    """Whether compiled kernels are in the cache already (or compilation is off)."""
    return bool(numba.config.DISABLE_JIT) or any(CACHE_DIR.rglob("*.nbi"))
