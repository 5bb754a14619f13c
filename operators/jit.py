"""The operators' kernels: compiled as all kernels are (`sources.jit`), cached by the text of what they call."""

from sources.jit import KernelCache

# Packages with caches of their own are not among them: a change there compiles nothing here anew.
_PACKAGES = ("operators", *(f"operators/{name}" for name in ("execution", "features", "strategies")))

CACHE = KernelCache(
    "operators", *(f"{package}/*.py" for package in _PACKAGES), "sources/tape/batch.py", "sources/jit.py",
    allocates=False, inlined=True,
)  # fmt: skip
kernel = CACHE.kernel
rare_kernel = CACHE.rare_kernel
entry_kernel = CACHE.entry_kernel
pasted = CACHE.pasted
short_kernel = CACHE.short_kernel
