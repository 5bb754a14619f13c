"""The place of the lowest bit that is set: one instruction, which a kernel cannot name in Python."""

from typing import Any

import numba
from llvmlite import ir
from numba.extending import intrinsic


def _in_python(bits: Any) -> int:
    return (int(bits) & -int(bits)).bit_length() - 1


@intrinsic
def _in_llvm(typing_context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return bits(bits), generate


lowest_bit = _in_python if numba.config.DISABLE_JIT else _in_llvm  # of a number that is not 0
