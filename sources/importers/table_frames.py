"""Rows of prints and book updates, in columns, as the frames that `bulk.record` puts onto a tape."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sources.importers.frames import DEPTH, Frames, Rows
from sources.importers.merging import Segment, order
from sources.importers.public_csv import Table
from sources.tape.batch import DELTA, SNAPSHOT, TRADE, Float64s, Int8s, Int64s

# What becomes of a frame: recorded, told of row by row, left out beside a bad row, no print, a whole book, the end.
GOOD, BAD, SPOILED, EMPTY, BOOK, DAMAGED = range(6)


class PrintColumns(NamedTuple):
    """Rows of prints, shape ``(rows,)`` each."""

    what: int  # PRINT or AGGREGATE
    trade_id: Int64s
    first: Int64s  # numbers of the first and last trade
    final: Int64s
    side: Int8s
    price: Float64s
    size: Float64s


class DepthColumns(NamedTuple):
    """Rows of a book's messages, shape ``(rows,)`` each; numbers as in `BookMessage`."""

    kind: Int64s
    first: Int64s
    final: Int64s
    previous: Int64s
    side: Int8s
    price: Float64s
    size: Float64s


class TableFrames(NamedTuple):
    """Frames and where they come from, shape ``(frames,)`` each."""

    frames: Frames
    state: Int64s
    key: Int64s  # ns, the latest time of the file up to each frame
    tables: list[Table]
    table: Int64s  # place in `tables`
    at: Int64s  # first row there

    def where(self, frame: int) -> str:
        """File and line of a frame."""
        return self.tables[int(self.table[frame])].where(int(self.at[frame]))


def print_frames(table: Table) -> TableFrames:
    """A frame for every print of a table."""
    columns: PrintColumns = table.columns
    count = len(table.line)
    state = np.where(columns.size > 0.0, GOOD, EMPTY)
    state[list(table.bad)] = BAD
    time = table.exchange_ts
    rows = Rows(
        exchange_ts=time,
        receive_ts=time,
        sequence=columns.trade_id,
        kind=np.full(count, TRADE, np.int8),
        side=columns.side,
        price=columns.price,
        size=columns.size,
        last=np.ones(count, np.bool_),
    )
    numbers = (columns.first, columns.trade_id, columns.final)
    frames = Frames(
        state == GOOD, np.full(count, columns.what), np.zeros(count, np.bool_), *numbers, time, time,
        np.arange(count + 1), rows,
    )  # fmt: skip
    return TableFrames(frames, state, table.key, [table], np.zeros(count, np.int64), np.arange(count))


def end_frame(table: Table) -> TableFrames:
    """The frame that stands for the end of a damaged file."""
    none = np.zeros(1, np.int64)
    real, code = np.zeros(1), np.zeros(1, np.int8)
    rows = Rows(table.key, table.key, none, code, code, real, real, none.astype(np.bool_))
    false = none.astype(np.bool_)
    frames = Frames(false, none, false, none, none, none, table.key, table.key, np.array([0, 1]), rows)
    return TableFrames(frames, none + DAMAGED, table.key, [table], none, none)


def depth_frames(tables: Iterator[Table]) -> Iterator[TableFrames]:
    """Frames of a book's messages: rows of the same kind, time and numbers, one after the other, are one.

    A row that cannot be read may have been of the message before it or behind it: neither is taken.
    """
    rest: Table | None = None  # the last message, which may go on
    spoiled = False  # a bad row stands before it
    for table in tables:
        if table.damage is not None:
            if rest is not None:
                yield _depth_frames(rest, _starts(rest), spoiled)
            yield end_frame(table)
            rest, spoiled = None, True  # rows of the next message may be lost
            continue
        whole = table if rest is None else _join(rest, table)
        starts = _starts(whole)
        cut = int(starts[-1])
        if cut:
            yield _depth_frames(_slice(whole, 0, cut), starts[:-1], spoiled)
            spoiled = cut - 1 in whole.bad
        rest = _slice(whole, cut, len(whole.line))
    if rest is not None:
        yield _depth_frames(rest, _starts(rest), spoiled)


def _starts(table: Table) -> Int64s:
    """First rows of messages; a bad row belongs to what stands before it."""
    columns: DepthColumns = table.columns
    count = len(table.line)
    source = np.arange(count)
    source[list(table.bad)] = 0
    source = np.maximum.accumulate(source)
    change = np.zeros(count, np.bool_)
    change[0] = True
    for column in (columns.kind, columns.first, columns.final, columns.previous, table.exchange_ts):
        told = column[source]
        change[1:] |= told[1:] != told[:-1]
    return np.flatnonzero(change)


def _depth_frames(table: Table, starts: Int64s, spoiled: bool) -> TableFrames:
    """``spoiled``: the row before the table is bad."""
    columns: DepthColumns = table.columns
    count = len(table.line)
    stops = np.append(starts[1:], count)
    bad = np.zeros(count, np.bool_)
    bad[list(table.bad)] = True
    before = np.append(spoiled, bad[stops[:-1] - 1])
    kind = columns.kind[starts]
    state = np.where(kind == SNAPSHOT, BOOK, GOOD)
    state[before] = SPOILED
    state[np.logical_or.reduceat(bad, starts)] = BAD
    last = np.zeros(count, np.bool_)
    last[stops - 1] = True
    time = table.exchange_ts
    sides = (columns.kind.astype(np.int8), columns.side)
    rows = Rows(time, time, columns.final, *sides, columns.price, columns.size, last)
    numbers = (columns.first[starts], columns.final[starts], columns.previous[starts])
    frames = Frames(
        state == GOOD, np.full(len(starts), DEPTH), kind == DELTA, *numbers, time[starts], time[starts],
        np.append(starts, count), rows,
    )  # fmt: skip
    return TableFrames(frames, state, table.key[starts], [table], np.zeros(len(starts), np.int64), starts)


def _join(first: Table, second: Table) -> Table:
    """Rows of one table and of the next of the same file."""
    rows = len(first.line)
    return first._replace(
        line=np.append(first.line, second.line),
        exchange_ts=np.append(first.exchange_ts, second.exchange_ts),
        key=np.append(first.key, second.key),
        bad=first.bad | {row + rows: bad for row, bad in second.bad.items()},
        columns=DepthColumns._make(np.append(a, b) for a, b in zip(first.columns, second.columns, strict=True)),
    )


def _slice(table: Table, start: int, stop: int) -> Table:
    return table._replace(
        line=table.line[start:stop],
        exchange_ts=table.exchange_ts[start:stop],
        key=table.key[start:stop],
        bad={row - start: bad for row, bad in table.bad.items() if start <= row < stop},
        columns=DepthColumns._make(column[start:stop] for column in table.columns),
    )


def merge(segments: Sequence[Segment[TableFrames]]) -> TableFrames:
    """The frames of a round, by time."""
    parts = [_cut(*segment) for segment in segments]
    if len(parts) == 1:
        return parts[0]
    new = order(segments)
    tables = [table for part in parts for table in part.tables]
    offsets = np.cumsum([0, *(len(part.tables) for part in parts[:-1])])
    table = np.concatenate([part.table + offset for part, offset in zip(parts, offsets, strict=True)])
    state, key, at = (np.concatenate([part[n] for part in parts]) for n in (1, 2, 5))
    columns = [np.concatenate([part.frames[n] for part in parts])[new] for n in range(8)]
    length = np.concatenate([np.diff(part.frames.row) for part in parts])
    starts = (np.cumsum(length) - length)[new]
    length = length[new]
    row = np.append(0, np.cumsum(length))
    source = np.repeat(starts - row[:-1], length) + np.arange(row[-1])
    rows = Rows._make(np.concatenate([part.frames.rows[n] for part in parts])[source] for n in range(len(Rows._fields)))
    return TableFrames(Frames._make([*columns, row, rows]), state[new], key[new], tables, table[new], at[new])


def _cut(part: TableFrames, start: int, stop: int) -> TableFrames:
    """The frames ``start:stop``."""
    frames = part.frames
    a, b = int(frames.row[start]), int(frames.row[stop])
    rows = Rows._make(column[a:b] for column in frames.rows)
    cut = Frames._make([*(column[start:stop] for column in frames[:8]), frames.row[start : stop + 1] - a, rows])
    state, key, table, at = (column[start:stop] for column in (part.state, part.key, part.table, part.at))
    return TableFrames(cut, state, key, part.tables, table, at)
