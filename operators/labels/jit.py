"""The labels' kernels: compiled as all kernels are (`sources.jit`), cached by the text of this package."""

from sources.jit import KernelCache

CACHE = KernelCache(
    "labels", "operators/labels/*.py", "operators/config.py", "sources/jit.py", allocates=False, inlined=True
)
kernel = CACHE.kernel
entry_kernel = CACHE.entry_kernel
