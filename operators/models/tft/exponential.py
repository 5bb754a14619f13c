"""Exponential and what networks make of it, with the same bits on every processor.

A library's ``exp`` differs between versions and processors. This one is additions and products in one written order,
which the compiler may do for several numbers at once but not otherwise.
"""

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from operators.models.jit import kernel
from sources.tape.batch import Float64s

_TURN = 6755399441055744.0  # 1.5 · 2^52: what is added to it is rounded to a whole number, in the lowest bits
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490  # 32 bits of ln 2, so that its product with a small whole number is exact
_LN2_LOW = 1.90821492927058770002e-10
_LIMIT = 700.0  # beyond it the result would leave the range of normal numbers


def _power_in_python(turned: float) -> float:
    return math.ldexp(1.0, int(turned - _TURN))


@intrinsic
def _power_in_llvm(typing_context: Any, turned: Any) -> Any:
    """``2^n`` of ``_TURN + n``: n becomes the exponent of a double."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer, double = ir.IntType(64), ir.DoubleType()
        exponent = builder.add(builder.bitcast(args[0], integer), integer(1023))
        return builder.bitcast(builder.shl(exponent, integer(52)), double)

    return types.float64(types.float64), generate


_power = _power_in_python if numba.config.DISABLE_JIT else _power_in_llvm


@kernel
def exponential(x: float) -> float:
    """``e^x``, within 2 units of the last place; x beyond ±700 counts as ±700.

    ``x = n·ln 2 + r`` with ``|r| ≤ ½·ln 2`` (Cody & Waite), and Taylor's polynomial of degree 12 for ``e^r``.
    """
    x = min(max(x, -_LIMIT), _LIMIT)
    turned = x * _LOG2_E + _TURN
    n = turned - _TURN
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * _power(turned)


@kernel
def sigmoid(x: float) -> float:
    """``1/(1 + e^−x)``."""
    return 1.0 / (1.0 + exponential(-x))


@kernel
def hyperbolic_tangent(x: float) -> float:
    """``tanh x``."""
    return 1.0 - 2.0 / (exponential(2.0 * x) + 1.0)


@kernel
def elu(x: Float64s, n: int) -> None:
    """``x if x > 0 else e^x − 1`` of each of the first n numbers, in place (Clevert, Unterthiner & Hochreiter 2016)."""
    for i in range(np.uint64(n)):
        below = exponential(x[i]) - 1.0
        x[i] = x[i] if x[i] > 0.0 else below


@kernel
def softmax(x: Float64s, n: int) -> None:
    """``e^x_i / Σ_j e^x_j`` over the first n numbers, in place; the sum in rising j."""
    top = x[0]
    for i in range(np.uint64(1), np.uint64(n)):
        top = max(top, x[i])
    for i in range(np.uint64(n)):
        x[i] = exponential(x[i] - top)
    total = 0.0
    for i in range(np.uint64(n)):
        total += x[i]
    share = 1.0 / total
    for i in range(np.uint64(n)):
        x[i] *= share
