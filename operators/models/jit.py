"""The models' kernels: compiled as all kernels are (`sources.jit`), cached by the text of this package."""

from sources.jit import KernelCache

CACHE = KernelCache("models", "operators/models/**/*.py", "sources/jit.py", allocates=False, inlined=True)
kernel = CACHE.kernel
rare_kernel = CACHE.rare_kernel
entry_kernel = CACHE.entry_kernel
