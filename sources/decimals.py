"""Decimal text to float64, exactly, for whole batches of messages at once.

A decimal with a mantissa below 2^53 and a power of ten of at most 22 is one correctly rounded division or
multiplication of two exact doubles (Clinger 1990, "How to read floating point numbers accurately", the fast path). The
kernels take only such numbers, in the form venues send; whatever else they meet is left to msgspec, which decides
whether it is a number at all.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sources.jit import CACHE, kernel
from sources.messages import Price, Size
from sources.tape.batch import Float64s, Int8s, Int64s
from sources.tape.bounds import is_price, is_size
from sources.tape.collected import Levels

Bytes = npt.NDArray[np.uint8]

_POWERS = np.array([float(10**k) for k in range(23)])
_MAX_MANTISSA = np.uint64(1 << 53)
_ZERO, _ONE, _TEN, _NINE = np.uint64(0), np.uint64(1), np.uint64(10), np.uint8(9)
_SHORTEST_LEVEL = 9  # bytes of `["1","0"]`

_level_list = msgspec.json.Decoder(list[tuple[Price, Size]], strict=False)


@kernel
def _digits(text: Bytes, i: np.uint64, end: np.uint64, mantissa: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Append the decimal digits from ``i`` on to ``mantissa``; gives it, and where they end."""
    # Unsigned places and digits: no check for negative ones, one comparison a digit (28 ns a level before, 23 so).
    while i < end:
        digit = np.uint8(text[i] - np.uint8(48))
        if digit > _NINE:
            break
        mantissa = mantissa * _TEN + np.uint64(digit)
        i += _ONE
    return mantissa, i


@kernel
def number(text: Bytes, at: int, stop: int) -> tuple[float, int]:
    """Value of the decimal that begins at ``at``, and where it ends; -1 when it is not for the fast path."""
    mantissa = _ZERO
    i, end = np.uint64(at), np.uint64(stop)
    begin = i
    mantissa, i = _digits(text, i, end, mantissa)
    digits: Any = np.int64(i - begin)  # signed again: Numba makes a float of signed and unsigned
    if digits == 0 or (digits > 1 and text[begin] == 48):
        return 0.0, -1
    fraction: Any = np.int64(0)
    if i < end and text[i] == 46:
        i += _ONE
        begin = i
        mantissa, i = _digits(text, i, end, mantissa)
        fraction = np.int64(i - begin)
        if fraction == 0:
            return 0.0, -1
    after: Any = np.int64(i)
    at = after
    if digits + fraction > 18 or mantissa >= _MAX_MANTISSA:  # 18 digits cannot overflow 64 bits
        return 0.0, -1
    power = -fraction
    if at < stop and (text[at] == 101 or text[at] == 69):
        at += 1
        negative = False
        if at < stop and (text[at] == 43 or text[at] == 45):
            negative = text[at] == 45
            at += 1
        first = at
        exponent = 0
        while at < stop and 48 <= text[at] <= 57 and at - first < 4:
            exponent = exponent * 10 + (int(text[at]) - 48)
            at += 1
        if at == first:
            return 0.0, -1
        power += -exponent if negative else exponent
    if power < -22 or power > 22:
        return 0.0, -1
    if power < 0:
        return np.float64(mantissa) / _POWERS[-power], at
    return np.float64(mantissa) * _POWERS[power], at


@kernel
def _blank(text: Bytes, at: int, stop: int) -> int:
    while at < stop and text[at] == 32:
        at += 1
    return at


@kernel
def levels(text: Bytes, at: int, stop: int, price: Float64s, size: Float64s, row: int) -> tuple[int, int]:
    """Read ``[["price","size"],…]`` at ``at``; gives the next free row and where the text goes on.

    That place is -1 when anything is not for the fast path.
    """
    if at >= stop or text[at] != 91:
        return row, -1
    at = _blank(text, at + 1, stop)
    if at < stop and text[at] == 93:
        return row, at + 1
    while True:
        if at + _SHORTEST_LEVEL > stop or text[at] != 91 or text[at + 1] != 34:
            return row, -1
        value, at = number(text, at + 2, stop)
        if at < 0 or not is_price(value) or at + 2 > stop or text[at] != 34 or text[at + 1] != 44:
            return row, -1
        price[row] = value
        at = _blank(text, at + 2, stop)
        if at >= stop or text[at] != 34:
            return row, -1
        value, at = number(text, at + 1, stop)
        if at < 0 or not is_size(value) or at + 3 > stop or text[at] != 34 or text[at + 1] != 93:
            return row, -1
        size[row] = value
        row += 1
        if text[at + 2] == 93:
            return row, at + 3
        if text[at + 2] != 44:
            return row, -1
        at = _blank(text, at + 3, stop)


@CACHE.short_kernel
def _books(text: Bytes, ends: Int64s, price: Float64s, size: Float64s, side: Int8s, stops: Int64s) -> None:
    """Read bids and asks of many messages that stand end to end; ``stops`` is -1 for one left to the slow path."""
    row = 0
    at = 0
    for message in range(len(stops)):
        middle = ends[2 * message]
        end = ends[2 * message + 1]
        asks, at = levels(text, at, middle, price, size, row)
        stops[message] = -1
        if at == middle:
            stop, at = levels(text, middle, end, price, size, asks)
            if at == end:
                side[row:asks] = 1
                side[asks:stop] = -1
                stops[message] = row = stop
        at = end


def parse_levels(sides: Sequence[msgspec.Raw]) -> list[Levels | str]:
    """Levels of many book messages, each given by two JSON arrays of ``["price","size"]``: bids, then asks.

    A price must be above 0, a size at least 0, both finite, at most 1e15 and in decimal or scientific notation.

    Args:
        sides: bids and asks of the first message, of the second, and so on.

    Returns:
        For each message its levels, bids first, as views of arrays that all of them share; or what is wrong with it.
    """
    text = b"".join(sides)
    ends = np.cumsum(np.fromiter(map(len, sides), np.int64, len(sides)))
    room = len(text) // _SHORTEST_LEVEL + 1
    price, size, side = np.empty(room), np.empty(room), np.empty(room, np.int8)
    stops = np.empty(len(sides) // 2, np.int64)
    _books(np.frombuffer(text, np.uint8), ends, price, size, side, stops)
    out: list[Levels | str] = []
    start = 0
    for message, stop in enumerate(stops.tolist()):
        if stop < 0:
            out.append(_by_msgspec(sides[2 * message], sides[2 * message + 1]))
        else:
            out.append(Levels(side[start:stop], price[start:stop], size[start:stop]))
            start = stop
    return out


def _by_msgspec(bids: msgspec.Raw, asks: msgspec.Raw) -> Levels | str:
    try:
        both = [_level_list.decode(side) for side in (bids, asks)]
    except (ValueError, RecursionError) as e:
        return f"bad level: {e}"
    pairs = np.array(both[0] + both[1], np.float64).reshape(-1, 2)
    side = np.repeat(np.array([1, -1], np.int8), [len(both[0]), len(both[1])])
    return Levels(side, pairs[:, 0].copy(), pairs[:, 1].copy())
