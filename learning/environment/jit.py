"""The kernels of the recorder, with a cache of their own: the whole loop over tape rows is in them, and takes half a
minute to compile."""

from sources.jit import KernelCache

CACHE = KernelCache(
    "recorder", "learning/environment/calls.py", "learning/environment/recorder.py", "learning/environment/room.py",
    "operators/*.py", "operators/execution/*.py", "operators/features/*.py", "sources/tape/batch.py", "sources/jit.py",
    allocates=False,
)  # fmt: skip
kernel, entry_kernel = CACHE.kernel, CACHE.entry_kernel

_STEPS = KernelCache(
    "environment", "learning/environment/*.py", "learning/rewards.py", "operators/**/*.py", "sources/tape/batch.py",
    "sources/jit.py", allocates=False, inlined=True,
)  # fmt: skip
step_kernel, step_entry_kernel = _STEPS.kernel, _STEPS.entry_kernel
"""Kernels of a step, without reference counts, and with what they call as a part of them: many agents take a tenth of
the time."""
