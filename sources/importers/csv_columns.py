"""Columns of CSV files as numbers: exact decimals, integers and words, with what is none told apart."""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.decimals import parse_column
from sources.importers.unpacking import UNPACKING
from sources.tape.batch import Bools, Float64s, Int64s


class Readable(Protocol):
    """What unpacks a file."""

    def read(self, size: int) -> bytes:
        """The next bytes."""
        ...


class WholeLines:
    """A stream that ends with the last whole line before a damage, and tells of it only when it has ended there."""

    closed = False

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._rest = b""
        self.damage: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """As of any binary file."""
        while self.damage is None:
            try:
                block = self._stream.read(max(size, 1))
            except UNPACKING as e:
                self.damage = e
                break
            if not block:
                rest, self._rest = self._rest, b""
                return rest
            end = block.rfind(b"\n") + 1
            if end:
                out, self._rest = self._rest + block[:end], block[end:]
                return out
            self._rest += block
        return b""

    def close(self) -> None:
        """The file below is closed by its owner."""


def integers(column: Any, pattern: str) -> tuple[Int64s, Bools]:
    """Integers, and where there are some; 0 elsewhere."""
    good = pc.match_substring_regex(column, pattern)
    text = pc.if_else(good, column, pa.scalar(b"0", pa.binary()))
    values = text.cast(pa.string()).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return values, good.to_numpy(zero_copy_only=False)


def decimals(column: Any, allow_zero: bool) -> tuple[Float64s, Bools]:
    """Decimals, each the nearest float64, and where there are some; ``allow_zero``: 0 is one."""
    _, offsets, data = pa.concat_arrays([column]).buffers()  # one array of its own, so that the offsets begin at 0
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return parse_column(text, np.frombuffer(offsets, np.int32)[: len(column) + 1], allow_zero)


def equals(column: Any, word: str) -> Bools:
    """Where a column holds exactly that word."""
    equal: Bools = pc.equal(column, word.encode()).to_numpy(zero_copy_only=False)
    return equal
