"""The kernels of the recorder, with a cache of their own: the whole loop over tape rows is in them, and takes half a
minute to compile."""

from sources.jit import KernelCache

CACHE = KernelCache(
    "recorder", "learning/environment/calls.py", "learning/environment/recorder.py", "learning/environment/room.py",
    "operators/*.py", "operators/execution/*.py", "operators/features/*.py", "sources/tape/batch.py", "sources/jit.py",
    allocates=False,
)  # fmt: skip
kernel, entry_kernel = CACHE.kernel, CACHE.entry_kernel
