"""Sums that do not drift: pairs of doubles ``hi + lo`` that carry 106 bits.

A window's sum is kept by adding what enters and subtracting what leaves. In plain float64 the rounding errors of both
pile up and a window that is empty again is not 0. Here ``hi`` stays the correctly rounded sum as long as the terms lie
within about 30 decimal digits of one another, which sizes and prices do; beyond that the error is about 1e-32 of the
largest term.

Sources: Knuth, TAOCP vol. 2, 4.2.2 (two_sum); Dekker 1971 (fast_two_sum, two_product); Joldes, Muller & Popescu 2017,
"Tight and rigorous error bounds for basic building blocks of double-word arithmetic", algorithms 4, 6 and 12.
"""

import numba

from operators.intrinsics import fused
from operators.jit import kernel
from sources.tape.batch import Float64s

_SPLITTER = 134217729.0  # 2**27 + 1: cuts a double into two halves of 26 bits


@kernel
def two_sum(a: float, b: float) -> tuple[float, float]:
    """``a + b`` as its rounded value and the exact error."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@kernel
def fast_two_sum(a: float, b: float) -> tuple[float, float]:
    """The same for ``|a| ≥ |b|``."""
    s = a + b
    return s, b - (s - a)


def _two_product_in_python(a: float, b: float) -> tuple[float, float]:
    """Dekker's, for a run without compilation: the same below 2**996, from where on its halves overflow."""
    p = a * b
    c = _SPLITTER * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = _SPLITTER * b
    b_high = c - (c - b)
    b_low = b - b_high
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


@kernel
def _two_product_in_llvm(a: float, b: float) -> tuple[float, float]:
    """``a · b`` as its rounded value and the error, exact unless that is below 2**-1074 or the product overflows."""
    p = a * b
    return p, fused(a, b, -p)


two_product = _two_product_in_python if numba.config.DISABLE_JIT else _two_product_in_llvm


@kernel
def add(hi: float, lo: float, x: float) -> tuple[float, float]:
    """Pair plus double."""
    s, e = two_sum(hi, x)
    return fast_two_sum(s, e + lo)


@kernel
def add_pair(hi: float, lo: float, x_hi: float, x_lo: float) -> tuple[float, float]:
    """Pair plus pair."""
    s, e = two_sum(hi, x_hi)
    t, f = two_sum(lo, x_lo)
    s, e = fast_two_sum(s, e + t)
    return fast_two_sum(s, e + f)


@kernel
def multiply_pair(hi: float, lo: float, x_hi: float, x_lo: float) -> tuple[float, float]:
    """Pair times pair."""
    p, e = two_product(hi, x_hi)
    return fast_two_sum(p, e + (hi * x_lo + lo * x_hi))


@kernel
def add_each(pairs: Float64s, first: int, values: Float64s) -> None:
    """Add each value to its pair, from pair ``first`` on; ``pairs`` has shape ``(2, pairs)``: hi, lo."""
    hi, lo = pairs[0], pairs[1]
    for i in range(len(values)):
        hi[first + i], lo[first + i] = add(hi[first + i], lo[first + i], values[i])


@kernel
def take_each(pairs: Float64s, others: Float64s) -> None:
    """Take each of the other pairs from its pair; both of shape ``(2, pairs)``."""
    hi, lo, x_hi, x_lo = pairs[0], pairs[1], others[0], others[1]
    for i in range(len(hi)):
        hi[i], lo[i] = add_pair(hi[i], lo[i], -x_hi[i], -x_lo[i])


@kernel
def add_one(pairs: Float64s, i: int, x: float) -> None:
    """Add ``x`` to pair ``i``; ``pairs`` has shape ``(2, pairs)``."""
    pairs[0, i], pairs[1, i] = add(pairs[0, i], pairs[1, i], x)
