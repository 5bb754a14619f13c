"""Names of prints that have been met, as 128 bits each: a file of a day has millions of them.

Two of the names that are remembered at once, at most some 260 000, share their bits with a chance below 1e-27.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sources.importers.csv_fields import Bytes
from sources.jit import CACHE, kernel
from sources.tape.batch import Int64s

_KEPT = 1 << 17  # names; overlapping files may repeat hours of a market
_LEAST = 1 << 10  # slots of a table; twice the names that it holds

Bits = npt.NDArray[np.uint64]  # (names, 2); in a table a slot of zeros is free


def name_bits(text: Bytes, start: Int64s, stop: Int64s) -> Bits:
    """The bits of names, shape ``(names, 2)``; zeros of a name without text, which is none.

    Args:
        text: what ``start`` and ``stop``, shape ``(names,)`` each, point into.
        start: where each name begins.
        stop: and ends.
    """
    out = np.empty((len(start), 2), np.uint64)
    _all_bits(text, start, stop, out)
    return out


class Names:
    """The names met last: at least `_KEPT` of them, at most twice as many."""

    def __init__(self) -> None:
        self._newer = _table(_LEAST)
        self._older = _table(_LEAST)
        self._count = 0  # in the newer table

    def take(self, names: Bits) -> int:
        """Take consecutive names up to the first that has been met; gives how many. Zeros never have been."""
        done, count = 0, len(names)
        while done < count:
            room = min(len(self._newer) // 2, _KEPT) - self._count
            end = min(done + room, count)
            taken = _take(names[done:end], self._newer, self._older)
            self._count += taken
            done += taken
            if done < end:
                return done
            if self._count == _KEPT:
                self._newer, self._older, self._count = _table(2 * _KEPT), self._newer, 0
            elif self._count == len(self._newer) // 2:
                larger = _table(2 * len(self._newer))
                _move(self._newer, larger)
                self._newer = larger
        return done

    def add(self, name: str) -> bool:
        """Take one name; False if it has been met."""
        text = np.frombuffer(name.encode(), np.uint8)
        return self.take(name_bits(text, np.zeros(1, np.int64), np.array([len(text)]))) == 1


def _table(slots: int) -> Bits:
    return np.zeros((slots, 2), np.uint64)


@kernel
def _bits(text: Bytes, start: int, stop: int) -> tuple[Any, Any]:
    """Two numbers of a name, the first never 0: FNV-1a, once with its constants and once with others."""
    a: Any = np.uint64(0xCBF29CE484222325)
    b: Any = np.uint64(0x9AE16A3B2F90404F)
    for i in range(start, stop):
        byte = np.uint64(text[i])
        a = (a ^ byte) * np.uint64(0x100000001B3)
        b = (b ^ byte) * np.uint64(0x9E3779B97F4A7C15)
        b ^= b >> np.uint64(29)
    a ^= a >> np.uint64(32)
    return a | np.uint64(1), b


@kernel
def _slot(table: Bits, a: Any, b: Any) -> int:
    """The slot of a name, or the free one where it belongs."""
    mask = len(table) - 1
    slot = np.int64(b & np.uint64(mask))
    while table[slot, 0] != 0 and (table[slot, 0] != a or table[slot, 1] != b):
        slot = (slot + 1) & mask
    return int(slot)


@kernel
def _all_bits(text: Bytes, start: Int64s, stop: Int64s, out: Bits) -> None:
    for i in range(len(start)):
        if stop[i] > start[i]:
            out[i, 0], out[i, 1] = _bits(text, start[i], stop[i])
        else:
            out[i, 0], out[i, 1] = np.uint64(0), np.uint64(0)


@CACHE.short_kernel
def _take(names: Bits, newer: Bits, older: Bits) -> int:
    for i in range(len(names)):
        a, b = names[i, 0], names[i, 1]
        if a == 0:
            continue
        slot = _slot(newer, a, b)
        if newer[slot, 0] != 0 or older[_slot(older, a, b), 0] != 0:
            return i
        newer[slot, 0], newer[slot, 1] = a, b
    return len(names)


@kernel
def _move(source: Bits, target: Bits) -> None:
    for i in range(len(source)):
        if source[i, 0] != 0:
            slot = _slot(target, source[i, 0], source[i, 1])
            target[slot, 0], target[slot, 1] = source[i, 0], source[i, 1]
