"""Tardis.dev CSV files in columns: ``incremental_book_L2``, ``book_snapshot_N`` and ``trades``.

Tardis documentation, "Downloadable CSV files": ``timestamp`` is the exchange's time and ``local_timestamp`` the time of
arrival, both in microseconds since the epoch; ``is_snapshot`` marks rows of an initial book; ``amount`` 0 removes a
level; ``side`` is ``bid``/``ask`` or the aggressor's ``buy``/``sell``/``unknown``. A row of ``book_snapshot_5`` or
``book_snapshot_25`` has columns ``asks[0].price``, ``asks[0].amount``, ``bids[0].price`` and so on, empty where there
is no level.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sources.clock import MAX_AHEAD_NS
from sources.errors import TickwaxError
from sources.importers import csv_fields as csv
from sources.importers.archive import archive_blocks
from sources.importers.csv_fields import Fields, split_fields
from sources.importers.files import DamagedFile, Progress
from sources.importers.names import name_bits
from sources.importers.stats import ImportStats
from sources.importers.tardis_block import COMMON, DAMAGED, TORN, Block, rows_of_first_snapshot
from sources.importers.tardis_instruments import Instruments
from sources.importers.tardis_plain import level_columns, plain_books, plain_rows
from sources.messages import NS_PER_US
from sources.tape.batch import Bools, Int64s
from sources.tape.bounds import is_time

BOOK_COLUMNS = (*COMMON, "is_snapshot", "side", "price", "amount")
TRADE_COLUMNS = (*COMMON, "id", "side", "price", "amount")

_EXCHANGE, _SYMBOL, _TIME, _ARRIVAL, _FLAG, _SIDE, _PRICE, _AMOUNT = range(8)
_SIDES = ("bids", "asks")
_MOST_LEVELS = 1000  # of a side; Tardis has files of 5 and 25
_MICROSECONDS = 16  # digits
_UNKNOWN = 2  # side


def intact_blocks(
    path: Path, instruments: Instruments, progress: Progress, stats: ImportStats, salvage: bool
) -> Iterator[Block]:
    """As `read_blocks`, but a damaged file ends with a bad row that costs the book, and what is wrong is noted.

    Raises:
        DamagedFile: there is nothing before the damage, or nothing that may be salvaged.
    """
    last: Block | None = None
    try:
        for block in read_blocks(path, instruments, progress, stats, salvage):
            if isinstance(block, DamagedFile):
                stats.salvaged.append(block)
                if last is not None:
                    yield _end(last)
                continue
            last = block.slice(block.rows - 1, block.rows) if block.rows else last
            yield block
    except DamagedFile as e:
        if last is None or (salvage and not e.salvageable):
            raise
        stats.salvaged.append(e)
        yield _end(last)


def _end(last: Block) -> Block:
    """The row that stands for the damage behind the row ``last``."""
    return last._replace(number=last.number + 1, trade=np.array([False]), fault=np.array([DAMAGED]))


def read_blocks(
    path: Path,
    instruments: Instruments,
    progress: Progress,
    stats: ImportStats,
    salvage: bool = False,
    begin: int | None = None,
) -> Iterator[Block | DamagedFile]:
    """Rows of a file, plain, gzip or zip; a row with another number of columns comes as a bad one.

    Args:
        path: the file.
        instruments: gets those that are new.
        progress: told about every part of the file that was read, in bytes.
        stats: counts members of a zip that are left out.
        salvage: as of `files.line_blocks`.
        begin: of the first block read so many bytes at the most, if whole lines stand there: for a look at the file.

    Raises:
        DamagedFile: its compressed data is truncated or damaged; every whole row before has been given.
        TickwaxError: the file cannot be read, is empty, or has another header.
    """
    reader: _Reader | None = None
    for block in archive_blocks(path, progress, stats, "rows", lambda head: b"," in head, salvage):
        if isinstance(block, DamagedFile):
            yield block
            if reader is not None:
                reader.cut = True
            continue
        if reader is None:
            header, _, rest = block.partition(b"\n")
            reader = _Reader(path, header.rstrip(b"\r").decode("ascii", "replace").split(","), instruments, stats)
            if begin is not None:
                rest = rest[: rest.rfind(b"\n", 0, begin) + 1] or rest
        else:
            rest = block
        yield from reader.read(rest)
    if reader is None:
        raise TickwaxError(f"{path}: is empty")


class _Reader:
    """One file, as far as it is read."""

    def __init__(self, path: Path, names: list[str], instruments: Instruments, stats: ImportStats) -> None:
        self.cut = False  # rows before the next one are lost
        self._stats = stats
        self._instruments = instruments
        self._columns = len(names)
        self._line = 2  # of the next row; the header is line 1
        self._last = np.zeros(2, np.int64)  # instrument and time of arrival of the last row
        self._levels = _levels(path, names)
        self._trades = not self._levels and _is_trades(path, names)
        if self._levels:
            wide = [f"{side}[{level}]" for side in _SIDES for level in range(self._levels)]
            wanted = (*COMMON, *(f"{level}.price" for level in wide), *(f"{level}.amount" for level in wide))
        else:
            wanted = TRADE_COLUMNS if self._trades else BOOK_COLUMNS
        self._wanted = [names.index(name) for name in wanted]
        self._plain = tuple(names) == (TRADE_COLUMNS if self._trades else BOOK_COLUMNS)
        self._level_columns = level_columns(names, self._levels)

    def read(self, text: bytes) -> Iterator[Block]:
        """The rows of the next lines, if there are any."""
        block = self._as_always(text)
        if block is not None:
            lines = int(block.number[-1]) + 1 - self._line
        else:
            fields = split_fields(text, self._columns, self._wanted)
            lines = fields.lines
            if fields.rows:
                block = self._wide(fields) if self._levels else self._block(fields)
        if block is not None:
            if self.cut and not self._levels:
                lost = rows_of_first_snapshot(block)
                self._stats.ignored["rows of a snapshot whose beginning is lost"] += lost
                block = block.slice(lost, block.rows)
            self.cut = self.cut and not block.rows
            if block.rows:
                yield block
        self._line += lines

    def _as_always(self, text: bytes) -> Block | None:
        """Rows with nothing unusual among them; None where there is, or no row."""
        block: Block | None = None
        if self._plain and text:
            block = plain_rows(text, self._trades, self._line, self._instruments)
        elif self._level_columns and text:
            block = plain_books(text, self._level_columns, self._line, self._instruments)
        if block is not None:
            self._last[:] = block.instrument[-1], block.receive_ts[-1]
        return block

    def _head(self, fields: Fields) -> tuple[Fields, Block]:
        """Fields, those of a torn row being the ones of the row before, and what all kinds of file have in common."""
        whole = np.flatnonzero(~fields.torn)
        torn, number, rows = fields.torn, fields.line + self._line, fields.rows
        if torn.any() and len(whole):
            source = np.maximum.accumulate(np.where(torn, whole[0], np.arange(rows)))
            fields = fields.only(source)
        instrument = np.full(rows, self._last[0])
        if len(whole):
            change = csv.changes(fields, _EXCHANGE) | csv.changes(fields, _SYMBOL)
            places = np.flatnonzero(change).tolist()
            met = [self._instruments.number(fields.of(_EXCHANGE, at), fields.of(_SYMBOL, at)) for at in places]
            instrument = np.array(met)[np.cumsum(change) - 1]
        exchange_ts, timed = _times(fields, _TIME)
        receive_ts, arrived = _times(fields, _ARRIVAL)
        known = np.maximum.accumulate(np.where(arrived, np.arange(rows), -1))
        receive_ts = np.where(known >= 0, receive_ts[known], self._last[1])
        self._last[:] = instrument[-1], receive_ts[-1]
        believed = exchange_ts - receive_ts <= MAX_AHEAD_NS
        fault = np.select([torn, ~timed, ~arrived, ~believed], range(1, 5), 0)
        zeros, false = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
        return fields, Block(
            number=number,
            instrument=instrument,
            trade=false,
            snapshot=false,
            exchange_ts=exchange_ts,
            receive_ts=receive_ts,
            side=zeros.astype(np.int8),
            price=zeros.astype(np.float64),
            size=zeros.astype(np.float64),
            trade_id=zeros,
            name=np.zeros((rows, 2), np.uint64),
            fault=fault,
        )

    def _block(self, fields: Fields) -> Block:
        """Columns of rows that are a level or a print each."""
        fields, head = self._head(fields)
        price, priced = csv.decimals(fields, _PRICE, allow_zero=False)
        size, sized = csv.decimals(fields, _AMOUNT, allow_zero=True)
        side = csv.words(
            fields, _SIDE, {"buy": 1, "sell": -1, "unknown": 0} if self._trades else {"bid": 1, "ask": -1}, _UNKNOWN
        )
        flagged = side != _UNKNOWN
        block = head._replace(price=price, size=size, trade=np.full(fields.rows, self._trades))
        if self._trades:
            trade_id = csv.naturals(fields, _FLAG)
            block = block._replace(trade_id=trade_id)
            if (named := np.flatnonzero(trade_id < 0)).size:
                text, start, stop = fields.text, fields.start[_FLAG, named], fields.stop[_FLAG, named]
                block.name[named] = name_bits(text, start, stop)
        else:
            snapshot = csv.words(fields, _FLAG, {"true": 1, "false": 0}, -1)
            flagged &= snapshot >= 0
            block = block._replace(snapshot=snapshot == 1)
        found = np.select([head.fault != 0, ~priced, ~sized, ~flagged], [head.fault, 5, 6, 7], 0)
        return block._replace(side=np.where(flagged, side, 0).astype(np.int8), fault=found)

    def _wide(self, fields: Fields) -> Block:
        """Rows of whole books as rows of snapshots, each level one; a book without levels leaves none."""
        fields, head = self._head(fields)
        for number in set(head.instrument.tolist()):
            self._instruments.cut(number, self._levels)
        count, levels = fields.rows, 2 * self._levels
        prices, sizes = (slice(4, 4 + levels), slice(4 + levels, 4 + 2 * levels))
        of = fields._replace(start=fields.start[prices].T.reshape(1, -1), stop=fields.stop[prices].T.reshape(1, -1),
                             line=np.zeros(count * levels, np.int64))  # fmt: skip
        there = (of.stop > of.start).reshape(count, levels)
        torn = head.fault == TORN
        there[torn] = False
        there[torn, 0] = True
        kept = np.flatnonzero(there)
        row = kept // levels
        block = Block._make(column[row] for column in head)
        level = of._replace(start=of.start[:, kept], stop=of.stop[:, kept], line=of.line[kept])
        price, priced = csv.decimals(level, 0, allow_zero=False)
        start, stop = fields.start[sizes].T.reshape(1, -1), fields.stop[sizes].T.reshape(1, -1)
        size, sized = csv.decimals(level._replace(start=start[:, kept], stop=stop[:, kept]), 0, allow_zero=True)
        return block._replace(
            snapshot=np.ones(len(kept), np.bool_),
            side=np.where(kept % levels < self._levels, 1, -1).astype(np.int8),
            price=price,
            size=size,
            fault=np.select([block.fault != 0, ~priced, ~sized], [block.fault, 5, 6], 0),
        )


def _levels(path: Path, names: list[str]) -> int:
    """How many levels a side a file of whole books has; 0 for another file."""
    there = set(names)
    if not set(COMMON) <= there:
        return 0
    levels = 0
    while {f"{side}[{levels}].{what}" for side in _SIDES for what in ("price", "amount")} <= there:
        levels += 1
    if levels > _MOST_LEVELS:
        raise TickwaxError(f"{path}: books of {levels:,} levels a side; at most {_MOST_LEVELS:,} are read")
    return levels


def _is_trades(path: Path, names: list[str]) -> bool:
    for columns in (BOOK_COLUMNS, TRADE_COLUMNS):
        if set(columns) <= set(names):
            return columns is TRADE_COLUMNS
    raise TickwaxError(
        f"{path}: columns {','.join(names)[:200]}: expected {','.join(BOOK_COLUMNS)} or {','.join(TRADE_COLUMNS)}, "
        "or those of book_snapshot_N"
    )


def _times(fields: Fields, column: int) -> tuple[Int64s, Bools]:
    microseconds = csv.naturals(fields, column)
    ns = microseconds * NS_PER_US  # too large for 64 bits comes out negative
    return ns, (fields.stop[column] - fields.start[column] == _MICROSECONDS) & is_time(ns)
