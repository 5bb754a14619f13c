"""Between NumPy's arrays and Arrow's, without a copy but for truth values, which are bits in Arrow.

`pyarrow.array` and `to_numpy` do that, too, but import pandas where it is installed, which is a fifth of a start.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# What PyArrow raises where bytes are not what they should be; MemoryError for a size that nobody has written.
ODD = (pa.ArrowException, OSError, MemoryError, ValueError, LookupError, ArithmeticError, RuntimeError, TypeError)


def to_arrow_array(values: npt.NDArray[Any], kind: pa.DataType, valid: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """The array of a ``kind`` whose items lie in memory as those of ``values`` do.

    Args:
        values: shape ``(rows,)``.
        valid: shape ``(rows,)``, false where the value is null.
    """
    data = _bits(values) if values.dtype == np.bool_ else pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [None if valid is None else _bits(valid), data])


def from_arrow_array(array: pa.Array, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Its values, read-only, shape ``(rows,)``: of ``dtype``, as they lie in memory. Nulls are not looked for."""
    data, start, rows = array.buffers()[1], array.offset, len(array)
    if not rows:
        return np.empty(0, dtype)
    if np.dtype(dtype) == np.bool_:
        whole, odd = divmod(start, 8)
        bits = np.frombuffer(data, np.uint8, offset=whole)
        values = np.unpackbits(bits, count=odd + rows, bitorder="little")[odd:].view(np.bool_)
    else:
        values = np.frombuffer(data, dtype, rows, start * np.dtype(dtype).itemsize)
    values.flags.writeable = False
    return values


def arrow_words(texts: Sequence[str]) -> pa.Array:
    """An array of texts, such as a dictionary's."""
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    )


def _bits(truths: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(truths, bitorder="little"))
