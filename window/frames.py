"""What goes over the websocket: text is JSON, and a binary frame is columns of numbers.

A binary frame: 4 bytes with the length of the head (little-endian), the head as JSON, spaces up to a multiple of 8, and
the columns as float64, one after the other. The page reads them in place.
"""

from typing import Any

import msgspec
import numpy as np

from sources.tape.batch import Float64s

_ALIGNED = 8


def text(**fields: Any) -> str:
    """A message as JSON."""
    return msgspec.json.encode(fields).decode()


def binary(columns: Float64s, **head: Any) -> bytes:
    """A frame of columns, shape ``(columns, rows)``; the head tells the number of rows beside ``head``.

    >>> binary(np.zeros((2, 0)), kind="x")
    b'\\x1c\\x00\\x00\\x00{"kind":"x","rows":0}       '
    """
    told = msgspec.json.encode({**head, "rows": columns.shape[1]})
    told += b" " * (-(4 + len(told)) % _ALIGNED)
    return len(told).to_bytes(4, "little") + told + np.ascontiguousarray(columns, "<f8").tobytes()
