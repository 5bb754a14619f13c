"""The mathematics: Numba kernels over arrays and explicit state, and the thin keyed operators that own that state."""
