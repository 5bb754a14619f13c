"""The kernels of the synthetic market and its exchange: compiled as all kernels are (`sources.jit`)."""

from sources.jit import KernelCache

CACHE = KernelCache("synthetic", "synthetic/**/*.py", "simulator/**/*.py", "sources/tape/batch.py", "sources/jit.py")
kernel = CACHE.kernel
