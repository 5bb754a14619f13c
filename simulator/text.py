"""Levels as the JSON text that exchanges send: ``["82548.60","0.139"]``, decimals written from whole numbers."""

import numpy as np
import numpy.typing as npt

from sources.tape.batch import Int64s
from synthetic.jit import kernel

_ROW_BYTES = 64  # two decimals of up to 20 digits and their punctuation
_QUOTE, _COMMA, _POINT, _ZERO, _NEWLINE, _OPEN, _CLOSE = 34, 44, 46, 48, 10, 91, 93

Bytes = npt.NDArray[np.uint8]


def level_texts(ticks: Int64s, lots: Int64s, price_digits: int, size_digits: int, bare_zero: bool) -> list[bytes]:
    """One JSON array a level.

    Args:
        ticks: prices in units of ``10**-price_digits``, not negative.
        lots: sizes in units of ``10**-size_digits``, not negative.
        price_digits: decimals of every price.
        size_digits: decimals of every size.
        bare_zero: whether a size of 0 is written ``0``, as Bybit does, and not ``0.000``.
    """
    out = np.empty(len(ticks) * _ROW_BYTES, np.uint8)
    end = write_levels(ticks, lots, price_digits, size_digits, bare_zero, out)
    return out[:end].tobytes().split(b"\n")[:-1]


@kernel
def write_levels(ticks: Int64s, lots: Int64s, price_digits: int, size_digits: int, bare_zero: bool, out: Bytes) -> int:
    """Write all levels, each with a newline; returns the number of bytes."""
    at = 0
    for i in range(len(ticks)):
        out[at] = _OPEN
        out[at + 1] = _QUOTE
        at = _decimal(ticks[i], price_digits, out, at + 2)
        out[at] = _QUOTE
        out[at + 1] = _COMMA
        out[at + 2] = _QUOTE
        at = _decimal(lots[i], 0 if bare_zero and lots[i] == 0 else size_digits, out, at + 3)
        out[at] = _QUOTE
        out[at + 1] = _CLOSE
        out[at + 2] = _NEWLINE
        at += 3
    return at


@kernel
def _decimal(units: int, digits: int, out: Bytes, at: int) -> int:
    """Write ``units / 10**digits`` with all its digits from ``at``; returns where it ends."""
    length = 1
    rest = units // 10
    while rest > 0:
        rest //= 10
        length += 1
    length = max(length, digits + 1)
    end = at + length + (1 if digits > 0 else 0)
    place = end - 1
    rest = units
    for k in range(length):
        if k == digits and digits > 0:
            out[place] = _POINT
            place -= 1
        out[place] = _ZERO + rest % 10
        rest //= 10
        place -= 1
    return end
