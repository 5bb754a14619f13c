"""A dot product whose sixteen lanes are added in one written order, as vector instructions.

The compiler may not reorder floating-point sums, so it will not vectorise one by itself; and what fastmath would allow
differs from processor to processor. Here the order is part of the definition, and the vector is spelled out in LLVM
(1.6 times the speed of eight scalar lanes at 1458 terms).
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from operators.jit import kernel
from sources.events import Float64s

LANES = 16


def _blocks_in_python(x: Float64s, start: int, weights: Float64s, blocks: int) -> float:
    """What the vector code does, for a run without compilation."""
    lanes = [0.0] * LANES
    for k in range(blocks * LANES):
        lanes[k % LANES] += x[start + k] * weights[k]
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[i] + lanes[i + half] for i in range(half)]
    return lanes[0]


@intrinsic
def _blocks_in_llvm(typing_context: Any, x: Any, start: Any, weights: Any, blocks: Any) -> Any:
    """The same in LLVM: per block of sixteen terms one vector product, added to a vector of lanes."""
    signature = types.float64(x, types.int64, weights, types.int64)
    vector = ir.VectorType(ir.DoubleType(), LANES)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x_type, _, weights_type, _ = signature.args
        window = builder.gep(context.make_array(x_type)(context, builder, args[0]).data, [args[1]])
        factors = context.make_array(weights_type)(context, builder, args[2]).data
        lanes = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        with cgutils.for_range(builder, args[3]) as loop:
            first = builder.mul(loop.index, ir.Constant(loop.index.type, LANES))

            def load(column: Any) -> Any:
                value = builder.load(builder.bitcast(builder.gep(column, [first]), vector.as_pointer()))
                value.align = 8  # a window begins anywhere
                return value

            product = builder.fmul(load(window), load(factors))
            builder.store(builder.fadd(builder.load(lanes), product), lanes)
        total = builder.load(lanes)
        half = LANES
        while half > 1:
            half //= 2
            parts = [
                builder.shuffle_vector(
                    total,
                    ir.Constant(total.type, ir.Undefined),
                    ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(at, at + half))),
                )
                for at in (0, half)
            ]
            total = builder.fadd(*parts)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return signature, generate


_blocks = _blocks_in_python if numba.config.DISABLE_JIT else _blocks_in_llvm


@kernel
def dot(x: Float64s, start: int, weights: Float64s) -> float:
    """``Σ_k x[start + k] · weights[k]``, in one fixed order.

    Of the terms in whole blocks of sixteen, term k goes to lane k mod 16 and each lane sums in rising k; then lanes i
    and i + 8 are added, then i and i + 4, i + 2, i + 1. The terms left over are summed in rising k and added last.
    """
    blocks = len(weights) // LANES
    rest = 0.0
    for k in range(np.uint64(blocks * LANES), np.uint64(len(weights))):
        rest += x[np.uint64(start) + k] * weights[k]
    return _blocks(x, start, weights, blocks) + rest
