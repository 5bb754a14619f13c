"""The kernels of rules: compiled as all kernels are (`sources.jit`), in a cache of their own."""

from sources.jit import KernelCache

CACHE = KernelCache(
    "rules", "operators/rules/*.py", "operators/execution/*.py", "sources/tape/batch.py", "sources/jit.py",
    allocates=False, inlined=True,
)  # fmt: skip
kernel = CACHE.kernel
entry_kernel = CACHE.entry_kernel
