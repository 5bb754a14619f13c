"""The kernels of learning: compiled as all kernels are (`sources.jit`), cached by the text of what they call."""

from sources.jit import KernelCache

CACHE = KernelCache("learning", "learning/**/*.py", "operators/**/*.py", "sources/tape/batch.py", "sources/jit.py")
kernel = CACHE.kernel
entry_kernel = CACHE.entry_kernel
pasted = CACHE.pasted
