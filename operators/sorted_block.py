"""Searching short runs of a sorted column, as vector instructions.

Where a number stands among sorted ones is how many are smaller: a few vector comparisons and no branch, where a
bisection has one that no processor foresees at each of its steps. The vectors are spelled out in LLVM, which makes of
them what the processor has.
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sources.tape.batch import Float64s

_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)

Count = Callable[[Float64s, int, float], int]


def _address(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [at])


def _load(builder: Any, address: Any, width: int) -> Any:
    value = builder.load(builder.bitcast(address, ir.VectorType(ir.DoubleType(), width).as_pointer()))
    value.align = 8  # of the column no more is known
    return value


def _all(builder: Any, x: Any, width: int) -> Any:
    """A vector of one number."""
    form = ir.VectorType(x.type, width)
    first = builder.insert_element(ir.Constant(form, ir.Undefined), x, ir.Constant(_LANE, 0))
    return builder.shuffle_vector(
        first, ir.Constant(form, ir.Undefined), ir.Constant(ir.VectorType(_LANE, width), [0] * width)
    )


def counter(width: int, comparison: str) -> Count:
    """``count(column, at, x)``: for how many of the ``width`` numbers from ``at`` on ``number < x``, or ``<=``; for a
    NaN neither holds."""

    def count_in_python(column: Float64s, at: int, x: float) -> int:
        part = column[at : at + width]
        return int((part < x if comparison == "<" else part <= x).sum())

    @intrinsic
    def count(typing_context: Any, column: Any, at: Any, x: Any) -> Any:
        signature = types.int64(column, types.int64, types.float64)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            numbers = _load(builder, _address(context, builder, signature.args[0], *args[:2]), width)
            held = builder.fcmp_ordered(comparison, numbers, _all(builder, args[2], width))
            bits = builder.bitcast(held, ir.IntType(width))
            return builder.zext(builder.ctpop(bits), _INDEX)

        return signature, generate

    chosen: Count = count_in_python if numba.config.DISABLE_JIT else count
    return chosen
