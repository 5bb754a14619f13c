"""Four doubles as one value of a kernel: a vector of LLVM, on which arithmetic is that of each double.

The compiler makes vectors of a loop only where it can show that arrays do not overlap, and asks that anew at every
short loop. Here what is done to neighbouring numbers is done to `WIDTH` of them at a time, in the order that is
written; kernels such as those of `operators.compensated` take a double or a vector. Without compilation a vector is an
array of NumPy.
"""

import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from sources.events import Float64s

WIDTH = 4

Real = Any  # a double, or a vector


class _Vector(types.Type):
    def __init__(self, name: str) -> None:
        super().__init__(name=name)


_DOUBLES, _TRUTHS = _Vector("doubles"), _Vector("truths")
_LLVM = {_DOUBLES: ir.VectorType(ir.DoubleType(), WIDTH), _TRUTHS: ir.VectorType(ir.IntType(1), WIDTH)}


@register_model(_Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, form: Any) -> None:
        super().__init__(manager, form, _LLVM[form])


def _widened(context: Any, builder: Any, value: Any, form: Any) -> Any:
    """A number as a vector of it; a vector itself."""
    if form == _DOUBLES:
        return value
    vector = ir.Constant(_LLVM[_DOUBLES], ir.Undefined)
    number = context.cast(builder, value, form, types.float64)
    for i in range(WIDTH):
        vector = builder.insert_element(vector, number, ir.IntType(32)(i))
    return vector


def _define(symbol: Any, result: Any, build: Callable[[Any, Any, Any], Any]) -> None:
    """A binary operator of vectors, and of a vector and a number."""
    pairs = [(_DOUBLES, _DOUBLES), (_DOUBLES, types.float64), (types.float64, _DOUBLES)]
    infer_global(symbol)(type("Template", (ConcreteTemplate,), {"cases": [signature(result, *p) for p in pairs]}))

    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        return build(builder, *(_widened(context, builder, a, f) for a, f in zip(args, own.args, strict=True)))

    for pair in pairs:
        lower_builtin(symbol, *pair)(generate)


_define(operator.add, _DOUBLES, lambda builder, a, b: builder.fadd(a, b))
_define(operator.sub, _DOUBLES, lambda builder, a, b: builder.fsub(a, b))
_define(operator.mul, _DOUBLES, lambda builder, a, b: builder.fmul(a, b))
_define(operator.truediv, _DOUBLES, lambda builder, a, b: builder.fdiv(a, b))
_define(operator.lt, _TRUTHS, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_define(operator.le, _TRUTHS, lambda builder, a, b: builder.fcmp_ordered("<=", a, b))
_define(operator.gt, _TRUTHS, lambda builder, a, b: builder.fcmp_ordered(">", a, b))
_define(operator.eq, _TRUTHS, lambda builder, a, b: builder.fcmp_ordered("==", a, b))


@infer_global(operator.neg)
class _Negative(ConcreteTemplate):
    cases = [signature(_DOUBLES, _DOUBLES)]  # noqa: RUF012 - Numba's own form


@lower_builtin(operator.neg, _DOUBLES)
def _negative(context: Any, builder: Any, own: Any, args: Any) -> Any:
    return builder.fneg(args[0])


def _address(context: Any, builder: Any, column_type: Any, column: Any, at: Any) -> Any:
    first = context.make_array(column_type)(context, builder, column).data
    return builder.bitcast(builder.gep(first, [at]), _LLVM[_DOUBLES].as_pointer())


def _load_in_python(column: Float64s, at: int) -> Real:
    return column[at : at + WIDTH].copy()


@intrinsic
def _load_in_llvm(typing_context: Any, column: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        value = builder.load(_address(context, builder, own.args[0], *args))
        value.align = 8
        return value

    return _DOUBLES(column, types.int64), generate


def _store_in_python(column: Float64s, at: int, value: Real) -> None:
    column[at : at + WIDTH] = value


@intrinsic
def _store_in_llvm(typing_context: Any, column: Any, at: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, own.args[0], args[0], args[1])).align = 8
        return context.get_dummy_value()

    return types.void(column, types.int64, _DOUBLES), generate


def _call(builder: Any, name: str, args: Any) -> Any:
    """An instruction of LLVM for doubles, or for vectors of them."""
    kind = args[0].type
    form = ir.FunctionType(kind, [kind] * len(args))
    suffix = "f64" if kind == ir.DoubleType() else f"v{WIDTH}f64"
    return builder.call(cgutils.get_or_insert_function(builder.module, form, f"{name}.{suffix}"), args)


def _real(*forms: Any) -> Any:
    return _DOUBLES if _DOUBLES in forms else types.float64


def _alike(context: Any, builder: Any, own: Any, args: Any) -> Any:
    """All doubles, or all vectors."""
    if own.return_type != _DOUBLES:
        return args
    return [_widened(context, builder, a, f) for a, f in zip(args, own.args, strict=True)]


@intrinsic
def _root_in_llvm(typing_context: Any, x: Any) -> Any:
    return _real(x)(x), lambda context, builder, own, args: _call(builder, "llvm.sqrt", args)


@intrinsic
def _magnitude_in_llvm(typing_context: Any, x: Any) -> Any:
    return _real(x)(x), lambda context, builder, own, args: _call(builder, "llvm.fabs", args)


@intrinsic
def fused(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a · b + c``, rounded once; on a processor without the instruction it is C's ``fma``, which is slow.

    Not for runs without compilation: Python has none before 3.13.
    """

    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        return _call(builder, "llvm.fma", _alike(context, builder, own, args))

    return _real(a, b, c)(a, b, c), generate


def _where_in_python(truth: Any, a: Real, b: Real) -> Real:
    return np.where(truth, a, b) if isinstance(truth, np.ndarray) else a if truth else b


@intrinsic
def _where_in_llvm(typing_context: Any, truth: Any, a: Any, b: Any) -> Any:
    result = _DOUBLES if truth == _TRUTHS else types.float64

    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        if result == _DOUBLES:
            args = [args[0], *(_widened(context, builder, x, f) for x, f in zip(args[1:], own.args[1:], strict=True))]
        return builder.select(*args)

    return result(truth, a, b), generate


@intrinsic
def _any_in_llvm(typing_context: Any, truths: Any) -> Any:
    def generate(context: Any, builder: Any, own: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.IntType(WIDTH)(0))

    return types.boolean(_TRUTHS), generate


def _choose(in_python: Any, in_llvm: Any) -> Any:
    return in_python if numba.config.DISABLE_JIT else in_llvm


load = _choose(_load_in_python, _load_in_llvm)  # ``load(column, at)``: elements ``at … at + WIDTH − 1``
store = _choose(_store_in_python, _store_in_llvm)  # ``store(column, at, vector)``
root = _choose(np.sqrt, _root_in_llvm)
magnitude = _choose(abs, _magnitude_in_llvm)
where = _choose(_where_in_python, _where_in_llvm)  # ``where(truth, a, b)``: a where it is true
any_true = _choose(np.any, _any_in_llvm)
