"""Fields of CSV text, found and read by kernels: a file of prints may have a hundred million rows.

There are no quotes in the files that exchanges and vendors publish, so a comma always ends a field. A decimal is
digits, with or without a fraction and an exponent, and becomes the nearest float64.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sources.decimals import number
from sources.jit import kernel
from sources.tape.batch import Bools, Float64s, Int64s
from sources.tape.bounds import is_price, is_size

Bytes = npt.NDArray[np.uint8]

_DECIMAL = re.compile(rb"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
_LONGEST_INTEGER = 18  # digits; in 64 bits whatever they are
_FRACTION = 9  # digits of a second, down to ns
_NS_PER_S = 1_000_000_000


class Fields(NamedTuple):
    """Where the fields of some columns stand in a text of whole lines; empty lines are left out."""

    text: Bytes
    lines: int  # empty ones too
    line: Int64s  # (rows,): number of the line in the text, from 0
    begin: Int64s  # (rows,): of the line
    end: Int64s
    start: Int64s  # (columns asked for, rows)
    stop: Int64s
    torn: Bools  # (rows,): the line has another number of fields; those it has not are empty

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.line)

    def only(self, rows: Bools) -> "Fields":
        """Some of the rows."""
        return self._replace(
            line=self.line[rows], begin=self.begin[rows], end=self.end[rows],
            start=self.start[:, rows], stop=self.stop[:, rows], torn=self.torn[rows],
        )  # fmt: skip

    def of_line(self, row: int) -> bytes:
        """The text of a row."""
        return self.text[self.begin[row] : self.end[row]].tobytes()

    def of(self, column: int, row: int) -> bytes:
        """The text of a field; ``column`` as it was asked for."""
        return self.text[self.start[column, row] : self.stop[column, row]].tobytes()


def split_fields(block: bytes, columns: int, wanted: Sequence[int]) -> Fields:
    """Find the fields of the ``wanted`` columns, each the place of one among ``columns``, from 0."""
    found = list(dict.fromkeys(wanted))
    text = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(text == 10)
    if len(block) and not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    place = np.full(columns, -1, np.int64)
    place[found] = np.arange(len(found))
    line, begin, end = (np.empty(len(ends), np.int64) for _ in range(3))
    start, stop = (np.zeros((len(found), len(ends)), np.int64) for _ in range(2))
    torn = np.zeros(len(ends), np.bool_)
    rows = _split(text, ends, place, int(max(wanted)), line, begin, end, start, stop, torn)
    start, stop = start[:, :rows], stop[:, :rows]
    if len(found) < len(wanted):
        again = [found.index(column) for column in wanted]
        start, stop = start[again], stop[again]
    return Fields(text, len(ends), line[:rows], begin[:rows], end[:rows], start, stop, torn[:rows])


@kernel
def _split(
    text: Bytes, ends: Int64s, place: Int64s, last: int,
    line: Int64s, begin: Int64s, end: Int64s, start: Int64s, stop: Int64s, torn: Bools,
) -> int:  # fmt: skip
    row = 0
    at = 0
    for n in range(len(ends)):
        close = ends[n]
        if close > at and text[close - 1] == 13:
            close -= 1
        if close > at:
            line[row], begin[row], end[row] = n, at, close
            column = 0
            field = at
            for i in range(at, close):
                if text[i] == 44:
                    if column <= last and place[column] >= 0:
                        start[place[column], row] = field
                        stop[place[column], row] = i
                    column += 1
                    field = i + 1
            if column <= last and place[column] >= 0:
                start[place[column], row] = field
                stop[place[column], row] = close
            torn[row] = column + 1 != len(place)
            row += 1
        at = ends[n] + 1
    return row


def decimals(fields: Fields, column: int, allow_zero: bool) -> tuple[Float64s, Bools]:
    """Prices (``allow_zero`` false) or sizes, and where there are some."""
    value, fast = np.empty(fields.rows), np.empty(fields.rows, np.bool_)
    _decimals(fields.text, fields.start[column], fields.stop[column], value, fast)
    for row in np.flatnonzero(~fast):
        text = fields.of(column, int(row))
        value[row] = float(text) if _DECIMAL.fullmatch(text) else -1.0
    return value, is_size(value) if allow_zero else is_price(value)


@kernel
def _decimals(text: Bytes, start: Int64s, stop: Int64s, value: Float64s, fast: Bools) -> None:
    for row in range(len(value)):
        value[row], at = number(text, start[row], stop[row])
        fast[row] = at == stop[row]


def naturals(fields: Fields, column: int) -> Int64s:
    """Integers of at least 0 and at most 18 digits; -1 where there is none."""
    value = np.empty(fields.rows, np.int64)
    _naturals(fields.text, fields.start[column], fields.stop[column], value)
    return value


@kernel
def _natural(text: Bytes, at: int, stop: int) -> int:
    if at >= stop or stop - at > _LONGEST_INTEGER:
        return -1
    out = 0
    for i in range(at, stop):
        if not 48 <= text[i] <= 57:
            return -1
        out = out * 10 + (int(text[i]) - 48)
    return out


@kernel
def _naturals(text: Bytes, start: Int64s, stop: Int64s, value: Int64s) -> None:
    for row in range(len(value)):
        value[row] = _natural(text, start[row], stop[row])


def seconds(fields: Fields, column: int) -> Int64s:
    """Seconds of ten digits, with up to nine decimals, in ns; -1 where there are none."""
    value = np.empty(fields.rows, np.int64)
    _seconds(fields.text, fields.start[column], fields.stop[column], value)
    return value


@kernel
def _seconds(text: Bytes, start: Int64s, stop: Int64s, value: Int64s) -> None:
    for row in range(len(value)):
        at, end = start[row], stop[row]
        whole = _natural(text, at, min(at + 10, end))
        digits = end - at - 11
        value[row] = -1
        if end - at < 10 or whole < 0:
            continue
        if end - at == 10:
            value[row] = whole * _NS_PER_S
        elif text[at + 10] == 46 and 0 < digits <= _FRACTION:
            fraction = _natural(text, at + 11, end)
            if fraction >= 0:
                for _ in range(_FRACTION - digits):
                    fraction *= 10
                value[row] = whole * _NS_PER_S + fraction


def words(fields: Fields, column: int, meaning: dict[str, int], other: int) -> Int64s:
    """What the words of a column stand for; ``other`` where it is none of them."""
    value = np.full(fields.rows, other, np.int64)
    for word, means in meaning.items():
        _word(fields.text, fields.start[column], fields.stop[column], np.frombuffer(word.encode(), np.uint8), means,
              value)  # fmt: skip
    return value


@kernel
def _word(text: Bytes, start: Int64s, stop: Int64s, word: Bytes, means: int, value: Int64s) -> None:
    for row in range(len(value)):
        at = start[row]
        if stop[row] - at == len(word):
            same = True
            for i in range(len(word)):
                if text[at + i] != word[i]:
                    same = False
                    break
            if same:
                value[row] = means


def changes(fields: Fields, column: int) -> Bools:
    """Where a field is another one than in the row before; true of the first row."""
    value = np.empty(fields.rows, np.bool_)
    _changes(fields.text, fields.start[column], fields.stop[column], value)
    return value


@kernel
def _changes(text: Bytes, start: Int64s, stop: Int64s, value: Bools) -> None:
    for row in range(len(value)):
        value[row] = row == 0 or stop[row] - start[row] != stop[row - 1] - start[row - 1]
        if not value[row]:
            for i in range(stop[row] - start[row]):
                if text[start[row] + i] != text[start[row - 1] + i]:
                    value[row] = True
                    break


def texts(fields: Fields, column: int) -> list[bytes]:
    """The fields of a column."""
    text = fields.text.tobytes()
    return [text[a:b] for a, b in zip(fields.start[column].tolist(), fields.stop[column].tolist(), strict=True)]
