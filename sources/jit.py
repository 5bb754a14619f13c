"""How kernels are compiled: one policy for all of them.

No fastmath: a kernel's floating-point operations happen in the order in which they are written, so that the same rows
give the same bits whatever the batch.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

from sources.kernel_files import KernelFiles, held, obstacle

F = TypeVar("F", bound=Callable[..., Any])

_ROOT = Path(__file__).parent.parent


def _base() -> Path | None:
    """The folder of all caches; None where the user has no home (a container's unknown user)."""
    if numba.config.CACHE_DIR:
        return Path(numba.config.CACHE_DIR)
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "tickwax"
    try:
        return Path.home() / ".cache" / "tickwax"
    except RuntimeError:
        return None


_BASE = _base()


class KernelCache:
    """Where the machine code of one package's kernels is kept.

    The folder is named by the text of the sources, because a kernel's machine code holds that of the kernels it calls.
    """

    def __init__(self, name: str, *sources: str, allocates: bool = True, inlined: bool = False) -> None:
        """Args:
        sources: patterns, below the folder of all packages, of the files whose change makes a new folder.
        allocates: whether a kernel may make arrays. Those that only change what they are handed do without Numba's
            reference counts, which can cost more than the arithmetic (200 against 340 k feature rows/s).
        inlined: whether kernels become part of those that call them. A call hands over a named tuple of arrays as some
            hundred numbers on the stack: 1.71 against 1.25 µs a feature row. It costs a fifth more compilation.
        """
        self.files = sorted(file for pattern in sources for file in _ROOT.glob(pattern))
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in self.files)).hexdigest()[:16]
        self.folder = None if _BASE is None else _BASE / f"{name}-{digest}"
        self._allocates = allocates
        self._inlined = inlined

    def kernel(self, function: F) -> F:
        """Compile ``function`` on first use; without the GIL, division by zero as in NumPy."""
        return self._compiled(function, nogil=True)

    def rare_kernel(self, function: F) -> F:
        """The same for one that is called rarely: it never becomes part of its caller, which compiles faster."""
        return self._compiled(function, nogil=True, inlined=False)

    @staticmethod
    def pasted(function: F) -> F:
        """A function whose text becomes part of the kernels that call it: nothing is compiled for it alone."""
        pasted: F = numba.njit(function, inline="always")
        return pasted

    def entry_kernel(self, function: F) -> F:
        """The same for one that Python alone calls: it loads faster."""
        return self._compiled(function, nogil=True, entry=True)

    def short_kernel(self, function: F) -> F:
        """An entry kernel for calls of microseconds: they keep the GIL.

        Whoever lets it go waits for it as long as another thread likes to run, up to 5 ms.
        """
        return self._compiled(function, nogil=False, entry=True)

    def _compiled(self, function: F, nogil: bool, entry: bool = False, inlined: bool | None = None) -> F:
        compiled: F = numba.njit(
            function,
            nogil=nogil,
            error_model="numpy",
            _nrt=self._allocates,
            forceinline=(self._inlined and not entry) if inlined is None else inlined,
        )
        if not numba.config.DISABLE_JIT:
            compiled._cache = KernelFiles(function, self.folder, entry)  # type: ignore[attr-defined]
        return compiled

    def holds(self, kernel: str) -> bool:
        """Whether ``module.function`` has machine code already (or compilation is off)."""
        return bool(numba.config.DISABLE_JIT) or held(self.folder, kernel)

    def obstacle(self) -> str | None:
        """Why compiled kernels cannot be kept, in words; None if they can."""
        return obstacle(self.folder)


CACHE = KernelCache("sources", "sources/**/*.py")
kernel = CACHE.kernel
