"""The kernels of placement: compiled as all kernels are (`sources.jit`), in a cache of their own."""

from sources.jit import KernelCache

CACHE = KernelCache(
    "placement", "operators/placement/*.py", "operators/execution/*.py", "sources/tape/batch.py", "sources/jit.py",
    allocates=False, inlined=True,
)  # fmt: skip
kernel = CACHE.kernel
rare_kernel = CACHE.rare_kernel
entry_kernel = CACHE.entry_kernel
