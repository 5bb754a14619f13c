"""The operators' kernels: compiled as all kernels are (`sources.jit`), cached by the text of this package."""

from sources.jit import KernelCache

CACHE = KernelCache(
    "operators", "operators/**/*.py", "sources/tape/batch.py", "sources/jit.py", allocates=False, inlined=True
)
kernel = CACHE.kernel
rare_kernel = CACHE.rare_kernel
entry_kernel = CACHE.entry_kernel
pasted = CACHE.pasted
short_kernel = CACHE.short_kernel
