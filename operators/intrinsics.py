"""Two instructions that a kernel cannot name in Python: a fused multiply-add, and a choice without a branch."""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def fused(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a · b + c``, rounded once; on a processor without the instruction it is C's ``fma``, which is slow.

    Not for runs without compilation: Python has none before 3.13.
    """

    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        double = ir.DoubleType()
        form = ir.FunctionType(double, [double] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, form, "llvm.fma.f64"), args)

    return types.float64(types.float64, types.float64, types.float64), generate


def _where_in_python(truth: bool, a: float, b: float) -> float:
    return a if truth else b


@intrinsic
def _where_in_llvm(typing_context: Any, truth: Any, a: Any, b: Any) -> Any:
    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        return builder.select(*args)

    return types.float64(types.boolean, types.float64, types.float64), generate


where = _where_in_python if numba.config.DISABLE_JIT else _where_in_llvm  # ``where(truth, a, b)``: a where it is true
