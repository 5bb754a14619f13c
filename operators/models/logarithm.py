"""Logarithm with the same bits on every processor."""

import numpy as np

from operators.models.jit import kernel


@kernel
def log_ratio(a: float, b: float) -> float:
    """``log(a/b)`` of numbers above 0, of additions, multiplications, divisions and roots alone: the same bits wherever
    it runs. Near 0 it is right to a few units in the last place."""
    x, times = a / b, 2.0
    while x > 1.25 or x < 0.8:
        x = np.sqrt(x)
        times *= 2.0
    # log x = 2 artanh z, |z| < 0.112: the first term left out is below 1e-20.
    z = (a - b) / (a + b) if times == 2.0 else (x - 1.0) / (x + 1.0)
    square, total = z * z, 0.0
    for k in range(10, -1, -1):
        total = total * square + 1.0 / (2 * k + 1)
    return times * z * total
