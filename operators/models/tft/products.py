"""Products of a vector and a matrix, each sum in one written order, as vector instructions.

Outputs are done side by side, sixteen or four at a time, and the terms of each are added in rising order of the input:
so the bits do not depend on how wide a processor's vectors are. The compiler would keep the sums in memory; here they
stay in registers.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from operators.models.jit import kernel
from sources.tape.batch import Float64s

LANES = 4  # what the number of outputs is a multiple of
_WIDE = 16
_INDEX = ir.IntType(64)


def padded(n: int) -> int:
    """n, up to the next multiple of `LANES`."""
    return -(-n // LANES) * LANES


def _add_block_in_python(
    out: Float64s, at: int, x: Float64s, start: int, n: int, w: Float64s, first: int, columns: int, lanes: int
) -> None:
    """What the vector code does, for a run without compilation."""
    for i in range(n):
        for lane in range(lanes):
            out[at + lane] += x[start + i] * w[first + i * columns + lane]


def _address(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [at])


def _block(lanes: int) -> Any:
    vector = ir.VectorType(ir.DoubleType(), lanes)

    def add_block(
        typing_context: Any, out: Any, at: Any, x: Any, start: Any, n: Any, w: Any, first: Any, columns: Any
    ) -> Any:
        whole = types.int64
        signature = types.void(out, whole, x, whole, whole, w, whole, whole)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            forms = signature.args
            target = _address(context, builder, forms[0], args[0], args[1])
            source = _address(context, builder, forms[2], args[2], args[3])
            matrix = _address(context, builder, forms[5], args[5], args[6])

            def load(address: Any) -> Any:
                value = builder.load(builder.bitcast(address, vector.as_pointer()))
                value.align = 8
                return value

            total = cgutils.alloca_once_value(builder, load(target))
            none = ir.Constant(vector, ir.Undefined)
            spread = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            with cgutils.for_range(builder, args[4]) as loop:
                number = builder.load(builder.gep(source, [loop.index]))
                one = builder.insert_element(none, number, ir.Constant(ir.IntType(32), 0))
                many = builder.shuffle_vector(one, none, spread)
                row = load(builder.gep(matrix, [builder.mul(loop.index, args[7])]))
                builder.store(builder.fadd(builder.load(total), builder.fmul(many, row)), total)
            stored = builder.store(builder.load(total), builder.bitcast(target, vector.as_pointer()))
            stored.align = 8
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(add_block)


_add_wide_in_llvm = _block(_WIDE)
_add_narrow_in_llvm = _block(LANES)


def _add_wide_in_python(
    out: Float64s, at: int, x: Float64s, start: int, n: int, w: Float64s, first: int, columns: int
) -> None:
    _add_block_in_python(out, at, x, start, n, w, first, columns, _WIDE)


def _add_narrow_in_python(
    out: Float64s, at: int, x: Float64s, start: int, n: int, w: Float64s, first: int, columns: int
) -> None:
    _add_block_in_python(out, at, x, start, n, w, first, columns, LANES)


_add_wide = _add_wide_in_python if numba.config.DISABLE_JIT else _add_wide_in_llvm
_add_narrow = _add_narrow_in_python if numba.config.DISABLE_JIT else _add_narrow_in_llvm


@kernel
def add_product(out: Float64s, at: int, x: Float64s, start: int, n: int, w: Float64s, first: int, columns: int) -> None:
    """``out[at + j] += Σ_i x[start + i] · w[first + i·columns + j]`` for each column j, in rising i.

    Args:
        out, x, w: of one dimension each.
        columns: a multiple of `LANES`.
    """
    j = 0
    while j + _WIDE <= columns:
        _add_wide(out, at + j, x, start, n, w, first + j, columns)
        j += _WIDE
    while j < columns:
        _add_narrow(out, at + j, x, start, n, w, first + j, columns)
        j += LANES


@kernel
def affine(out: Float64s, at: int, x: Float64s, start: int, n: int, w: Float64s, first: int, columns: int) -> None:
    """As `add_product`, from the offsets on, which stand in a row after the n rows of w: it overwrites ``out``."""
    last = first + n * columns
    for j in range(np.uint64(columns)):
        out[np.uint64(at) + j] = w[np.uint64(last) + j]
    add_product(out, at, x, start, n, w, first, columns)
