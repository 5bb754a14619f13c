"""Messages of one instrument that wait to become rows of a tape, and how they do."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np

from sources.jit import CACHE
from sources.tape.batch import TRADE, Float64s, Int8s, Int64s, TapeBatch, concat, is_derivative

ROWS = -1  # kind of an entry: rows of a block, from the place that stands instead of the exchange's time


class Levels(NamedTuple):
    """Price levels of one book message, shape ``(levels,)`` each, bids first or in the order the venue sent."""

    side: Int8s
    price: Float64s
    size: Float64s


NO_LEVELS = Levels(np.zeros(0, np.int8), np.zeros(0), np.zeros(0))
_NO_ROWS = concat([])


class Messages:
    """Consecutive messages of one instrument that are not yet in rows."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, int, int, int]] = []  # kind, exchange_ts, receive_ts, sequence, rows
        self.levels: list[Levels] = []  # of the messages of the book
        self.singles: list[tuple[int, float, float]] = []  # of the others, a row each: side, price, size
        self.blocks: list[TapeBatch] = []  # which entries of the kind `ROWS` are rows of
        self.places: dict[int, int] = {}  # by identity of a block: its place among the rows of all of them
        self.rows = 0


class Collected(NamedTuple):
    """Consecutive rows and messages of one instrument."""

    ordinal: int  # of the first row
    parts: list[TapeBatch | Messages]  # ordinals of rows are not read

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.rows for part in self.parts)


def batches(collected: Sequence[Collected]) -> list[TapeBatch | None]:
    """What was collected of each of many instruments, in rows; None where there is nothing.

    The messages of all of them become rows together, since in small batches it is the calls that cost.
    """
    parts = [(ordinal, part) for ordinal, parts in collected for part in parts if isinstance(part, Messages)]
    rows = iter(_in_rows(parts))
    out: list[TapeBatch | None] = []
    for ordinal, of_one in collected:
        if len(of_one) == 1 and isinstance(of_one[0], Messages):
            out.append(next(rows))
            continue
        whole = concat([part if isinstance(part, TapeBatch) else next(rows) for part in of_one])
        numbers = np.arange(ordinal, ordinal + whole.rows, dtype=np.int64)
        out.append(whole._replace(ordinal=numbers) if whole.rows else None)
    return out


def _in_rows(parts: Sequence[tuple[int, Messages]]) -> list[TapeBatch]:
    """Rows of messages, the first of each part with the given ordinal; the columns may not be written to."""
    if not parts:
        return []
    stops = list(accumulate(part.rows for _, part in parts))
    rows = stops[-1]
    whole, codes, real = np.empty((4, rows), np.int64), np.empty((3, rows), np.int8), np.empty((2, rows))
    levels = chain((NO_LEVELS,), *(part.levels for _, part in parts))
    side, price, size = (np.concatenate(columns) for columns in zip(*levels, strict=True))
    # `np.array` of a list of tuples takes three times as long.
    groups = np.array([(len(part.entries), ordinal) for ordinal, part in parts])
    entries = np.fromiter(_flat(part.entries for _, part in parts), np.int64).reshape(-1, 5)
    singles = np.fromiter(_flat(part.singles for _, part in parts), np.float64).reshape(-1, 3)
    blocks = [block for _, part in parts for block in part.blocks]
    offsets = np.array(list(accumulate((rows_of(part.blocks) for _, part in parts), initial=0)))
    _fill(groups, entries, side, price, size, singles, concat(blocks) if blocks else _NO_ROWS, offsets,
          whole, codes, real)  # fmt: skip
    for array in (whole, codes, real):
        array.flags.writeable = False
    kind, side, last = codes
    columns = (*whole, kind, side, *real, last.view(np.bool_))
    if len(parts) == 1:
        return [TapeBatch._make(columns)]
    return [
        TapeBatch._make([column[start:stop] for column in columns])
        for start, stop in zip([0, *stops], stops, strict=False)
    ]


def rows_of(blocks: Sequence[TapeBatch]) -> int:
    """Number of rows of blocks."""
    return sum(block.rows for block in blocks)


def _flat(parts: Iterable[Iterable[Iterable[Any]]]) -> Iterator[Any]:
    return chain.from_iterable(chain.from_iterable(parts))


@CACHE.short_kernel
def _fill(
    groups: Int64s, entries: Int64s, side: Int8s, price: Float64s, size: Float64s, singles: Float64s,
    blocks: TapeBatch, offsets: Int64s, whole: Int64s, codes: Int8s, real: Float64s,
) -> None:  # fmt: skip
    """Write columns: ``whole`` the four of integers, ``codes`` kind, side and last, ``real`` price and size.

    ``offsets``: where the blocks of each group begin.
    """
    row = level = single = m = 0
    for g in range(len(groups)):
        ordinal = groups[g, 1]
        for _ in range(groups[g, 0]):
            kind = entries[m, 0]
            if kind == ROWS:
                source = offsets[g] + entries[m, 1]
                for i in range(row, row + entries[m, 4]):
                    whole[0, i] = ordinal
                    whole[1, i] = blocks.exchange_ts[source]
                    whole[2, i] = blocks.receive_ts[source]
                    whole[3, i] = blocks.sequence[source]
                    codes[0, i] = blocks.kind[source]
                    codes[1, i] = blocks.side[source]
                    codes[2, i] = blocks.last[source]
                    real[0, i] = blocks.price[source]
                    real[1, i] = blocks.size[source]
                    ordinal += 1
                    source += 1
                row += entries[m, 4]
                m += 1
                continue
            for i in range(row, row + entries[m, 4]):
                whole[0, i] = ordinal
                whole[1, i] = entries[m, 1]
                whole[2, i] = entries[m, 2]
                whole[3, i] = entries[m, 3]
                ordinal += 1
                codes[0, i] = kind
                codes[2, i] = 0
                if kind == TRADE or is_derivative(kind):
                    codes[1, i] = int(singles[single, 0])
                    real[0, i] = singles[single, 1]
                    real[1, i] = singles[single, 2]
                    single += 1
                else:
                    codes[1, i] = side[level]
                    real[0, i] = price[level]
                    real[1, i] = size[level]
                    level += 1
            row += entries[m, 4]
            codes[2, row - 1] = 1
            m += 1
