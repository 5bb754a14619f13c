"""Handing a kernel a structure of many arrays for the price of one argument.

Numba takes a named tuple apart at every call, about 0.2 µs an array, which is more than a live batch of one message
costs otherwise. Here the arrays' addresses and shapes are written down once, in one array of integers, and the kernel
builds the named tuple from that.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.imputils import impl_ret_untracked
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

T = TypeVar("T", bound=tuple[Any, ...])


class Packed(Generic[T]):
    """A structure of C-contiguous arrays, integers and booleans, nested as one likes, and what a kernel is handed."""

    def __init__(self, value: T, like: "Packed[T] | None" = None) -> None:
        """``like``: one of whose parts ``value`` has many."""
        self.value = value  # keeps the arrays alive
        if like is None:
            self._parts = [_words(part) for part in value]
        else:
            before = zip(value, like.value, like._parts, strict=True)
            self._parts = [words if part is old else _words(part) for part, old, words in before]
        words = [word for part in self._parts for word in part]
        self.handle: Any = value if numba.config.DISABLE_JIT else np.array(words, np.int64)


def _words(part: Any) -> list[int]:
    """What `unpacker` reads: an array is its address and its shape, a number itself."""
    if isinstance(part, np.ndarray):
        assert part.flags.c_contiguous
        assert part.flags.writeable
        return [part.ctypes.data, *part.shape]
    if isinstance(part, tuple):
        return [word for item in part for word in _words(item)]
    return [int(part)]


def unpacker(example: T) -> Callable[[Any], T]:
    """A function for kernels: from a `Packed.handle` to a structure of the types of ``example``."""
    if numba.config.DISABLE_JIT:
        return lambda handle: handle
    form = numba.typeof(example)

    def build(context: Any, builder: Any, part: Any, word: Callable[[], Any]) -> Any:
        if isinstance(part, types.BaseTuple):
            return context.make_tuple(builder, part, [build(context, builder, item, word) for item in part])
        if not isinstance(part, types.Array):
            return context.cast(builder, word(), types.int64, part)
        array = context.make_array(part)(context, builder)
        item = context.get_abi_sizeof(context.get_data_type(part.dtype))
        data = builder.inttoptr(word(), context.get_data_type(part.dtype).as_pointer())
        shape = [word() for _ in range(part.ndim)]
        strides = [context.get_constant(types.intp, item)]
        for length in shape[:0:-1]:
            strides.insert(0, builder.mul(strides[0], length))
        populate_array(array, data, shape, strides, context.get_constant(types.intp, item), None)
        return array._getvalue()

    @intrinsic
    def unpack(typing_context: Any, handle: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            words = context.make_array(signature.args[0])(context, builder, args[0]).data
            count = iter(range(1 << 16))

            def word() -> Any:
                return builder.load(builder.gep(words, [ir.Constant(ir.IntType(64), next(count))]))

            return impl_ret_untracked(context, builder, form, build(context, builder, form, word))

        return form(types.Array(types.int64, 1, "C")), generate

    return unpack
