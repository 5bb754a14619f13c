"""Tardis.dev CSV files in columns: ``incremental_book_L2``, ``book_snapshot_N`` and ``trades``.

Tardis documentation, "Downloadable CSV files": ``timestamp`` is the exchange's time and ``local_timestamp`` the time of
arrival, both in microseconds since the epoch; ``is_snapshot`` marks rows of an initial book; ``amount`` 0 removes a
level; ``side`` is ``bid``/``ask`` or the aggressor's ``buy``/``sell``/``unknown``. A row of ``book_snapshot_5`` or
``book_snapshot_25`` has columns ``asks[0].price``, ``asks[0].amount``, ``bids[0].price`` and so on, empty where there
is no level.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sources.clock import MAX_AHEAD_NS
from sources.errors import TickwaxError
from sources.importers.csv_columns import WholeLines, decimals, equals, integers
from sources.importers.files import DamagedFile, Progress, begun, damaged, gzip_members, opened
from sources.importers.unpacking import UNPACKING, Members
from sources.tape.batch import Bools, Float64s, Int8s, Int64s
from sources.tape.bounds import is_time

BOOK_COLUMNS = ("exchange", "symbol", "timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount")
TRADE_COLUMNS = ("exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount")

_SIDES = ("bids", "asks")
_UNREADABLE: tuple[type[Exception], ...] = (pa.ArrowInvalid, OSError, *UNPACKING)
_BLOCK_BYTES = 1 << 20
_HEADER_BYTES = 1 << 16
_FIRST_LINE = 2  # of a row; the header is line 1
_NS_PER_US = 1000
_MICROSECONDS = r"^[0-9]{16}$"
_INTEGER = r"^[0-9]{1,18}$"


FAULTS = (
    "",
    "another number of columns",
    "timestamp is no time in microseconds",
    "local_timestamp is no time in microseconds",
    "timestamp is more than 60 s after local_timestamp",
    "price is no decimal above 0",
    "amount is no decimal of at least 0",
    "side or is_snapshot is another word",
    "the file is damaged from here on",
)
TORN, _DAMAGED = 1, len(FAULTS) - 1


class Block(NamedTuple):
    """Consecutive rows of one file, shape ``(rows,)`` each."""

    number: Int64s  # line of the file; the header is line 1
    exchange: list[str]
    symbol: list[str]
    trade: Bools
    snapshot: Bools
    exchange_ts: Int64s  # ns
    receive_ts: Int64s  # ns; that of the row before where it cannot be read
    side: Int8s  # +1 bid or buyer-aggressor, -1 ask or seller-aggressor, 0 unknown aggressor
    price: Float64s
    size: Float64s
    trade_id: Int64s  # 0 where it is no integer
    trade_name: list[str]  # then the text instead; otherwise empty
    fault: Int64s  # what is wrong with the row, a place in FAULTS; 0 = nothing

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.number)

    @property
    def continues(self) -> Bools:
        """Whether a row belongs to the same snapshot as the row before: the exchange's time is the same.

        A torn row, whose time is not known, is by itself."""
        same = np.zeros(self.rows, np.bool_)
        same[1:] = self.snapshot[1:] & self.snapshot[:-1] & (np.diff(self.exchange_ts) == 0) & (self.fault[1:] != TORN)
        return same

    def slice(self, start: int, stop: int) -> "Block":
        """Rows ``start:stop``."""
        return Block._make(column[start:stop] for column in self)


def join(first: Block, second: Block) -> Block:
    """Rows of one block and of the next of the same file."""
    pairs: Iterator[tuple[Any, Any]] = zip(first, second, strict=True)
    return Block._make(a + b if isinstance(a, list) else np.concatenate([a, b]) for a, b in pairs)


def intact_blocks(path: Path, progress: Progress, damages: list[DamagedFile], salvage: bool) -> Iterator[Block]:
    """As `read_blocks`, but a damaged file ends with a bad row that costs the book, and what is wrong is noted.

    Raises:
        DamagedFile: there is nothing before the damage, or nothing that may be salvaged.
    """
    last: Block | None = None
    try:
        for block in read_blocks(path, progress, salvage):
            last = block.slice(block.rows - 1, block.rows) if block.rows else last
            yield block
    except DamagedFile as e:
        if last is None or (salvage and not e.salvageable):
            raise
        damages.append(e)
        yield last._replace(number=last.number + 1, trade=np.array([False]), fault=np.array([_DAMAGED]))


def read_blocks(path: Path, progress: Progress, salvage: bool = False) -> Iterator[Block]:
    """Rows of a file, plain or gzip; a row with another number of columns comes as a bad one.

    ``salvage``: as of `files.line_blocks`.

    Raises:
        DamagedFile: its compressed data is truncated or damaged; every whole row before has been given.
        TickwaxError: the file cannot be read, is empty, or has another header.
    """
    torn: list[int] = []  # line numbers of rows with another number of columns

    def on_torn(row: Any) -> str:
        torn.append(row.number)
        return "skip"

    with opened(path) as raw:
        packed = gzip_members(raw, salvage)
        known = packed.known if packed else None
        told = 0
        line = _FIRST_LINE
        lines: WholeLines | None = None
        try:
            # Not Arrow's reading of it: its threads read on while an exception leaves this function.
            names = _header(path, raw, packed)
            levels = _levels(names)
            trades = not levels and _is_trades(path, names)
            raw.seek(0)
            lines = WholeLines(Members(raw, known)) if packed else None
            reader = csv.open_csv(
                lines or raw,
                csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                csv.ParseOptions(invalid_row_handler=on_torn),
                csv.ConvertOptions(column_types={name: pa.binary() for name in names}),
            )
            for batch in reader:
                progress(raw.tell() - told)
                told = raw.tell()
                numbers = np.arange(line, line + batch.num_rows + len(torn), dtype=np.int64)
                lost = [n for n in torn if n <= numbers[-1]]
                numbers = numbers[: batch.num_rows + len(lost)]
                line = int(numbers[-1]) + 1
                del torn[: len(lost)]
                torn_rows = np.isin(numbers, lost)
                yield _wide(batch, levels, numbers, torn_rows) if levels else _block(batch, trades, numbers, torn_rows)
        except _UNREADABLE as e:
            damage = lines.damage if lines else e if packed else None
            if damage is not None:  # before the first row, too
                raise damaged(path, damage, line > _FIRST_LINE) from e
            empty = "Empty CSV" in str(e)
            raise TickwaxError(f"{path}: {'is empty' if empty else f'cannot be read: {e}'}") from e
        if lines is not None and lines.damage is not None:
            raise damaged(path, lines.damage, line > _FIRST_LINE)


def _header(path: Path, raw: BinaryIO, packed: Members | None) -> list[str]:
    line = packed.read(_HEADER_BYTES).partition(b"\n")[0] if packed else raw.readline(_HEADER_BYTES)
    line = begun(path, line)
    return line.decode("ascii", "replace").strip().split(",") if line else []


def _levels(names: list[str]) -> int:
    """How many levels a side a file of whole books has; 0 for another file."""
    if not {"exchange", "symbol", "timestamp", "local_timestamp"} <= set(names):
        return 0
    levels = 0
    while {f"{side}[{levels}].{what}" for side in _SIDES for what in ("price", "amount")} <= set(names):
        levels += 1
    return levels


def _is_trades(path: Path, names: list[str]) -> bool:
    if not names:
        raise TickwaxError(f"{path}: is empty")
    for columns in (BOOK_COLUMNS, TRADE_COLUMNS):
        if set(columns) <= set(names):
            return columns is TRADE_COLUMNS
    raise TickwaxError(
        f"{path}: columns {','.join(names)[:200]}: expected {','.join(BOOK_COLUMNS)} or {','.join(TRADE_COLUMNS)}, "
        "or those of book_snapshot_N"
    )


def _block(batch: Any, trades: bool, numbers: Int64s, torn: Bools) -> Block:
    """Columns of a batch; a torn row takes the values of the row before it and is bad."""
    source = np.maximum(np.cumsum(~torn) - 1, 0)
    batch = batch.take(pa.array(source))
    rows = batch.num_rows
    exchange_ts, timed = _times(batch["timestamp"])
    receive_ts, arrived = _times(batch["local_timestamp"])
    receive_ts = receive_ts[np.maximum.accumulate(np.where(arrived, np.arange(rows), 0))]
    price, priced = decimals(batch["price"], allow_zero=False)
    size, sized = decimals(batch["amount"], allow_zero=True)
    up, down = equals(batch["side"], "buy" if trades else "bid"), equals(batch["side"], "sell" if trades else "ask")
    snapshot = np.zeros(rows, np.bool_)
    flagged = up | down
    trade_id, names = np.zeros(rows, np.int64), [""] * rows
    if trades:
        flagged |= equals(batch["side"], "unknown")
        trade_id, numbered = integers(batch["id"], _INTEGER)
        if not numbered.all():
            names = ["" if good else text for good, text in zip(numbered, _text_of(batch["id"]), strict=True)]
    else:
        snapshot = equals(batch["is_snapshot"], "true")
        flagged &= snapshot | equals(batch["is_snapshot"], "false")
    believed = exchange_ts - receive_ts <= MAX_AHEAD_NS
    return Block(
        number=numbers,
        exchange=_text_of(batch["exchange"]),
        symbol=_text_of(batch["symbol"]),
        trade=np.full(rows, trades),
        snapshot=snapshot,
        exchange_ts=exchange_ts,
        receive_ts=receive_ts,
        side=up.astype(np.int8) - down.astype(np.int8),
        price=price,
        size=size,
        trade_id=trade_id,
        trade_name=names,
        fault=np.select([torn, ~timed, ~arrived, ~believed, ~priced, ~sized, ~flagged], range(1, _DAMAGED), 0),
    )


def _text_of(column: Any) -> list[str]:
    """Values of a column."""
    values: list[str] = column.cast(pa.string()).to_pylist()
    return values


def _wide(batch: Any, levels: int, numbers: Int64s, torn: Bools) -> Block:
    """A batch of whole books as rows of snapshots, each level one; a book without levels leaves none."""
    sides = [
        pa.RecordBatch.from_pydict(
            {name: batch[name] for name in ("exchange", "symbol", "timestamp", "local_timestamp")}
            | {"is_snapshot": pa.array([b"true"] * batch.num_rows, pa.binary())}
            | {"side": pa.array([side[:-1].encode()] * batch.num_rows, pa.binary())}
            | {what: batch[f"{side}[{level}].{what}"] for what in ("price", "amount")}
        )
        for side in _SIDES
        for level in range(levels)
    ]
    blocks = [_block(part, False, numbers, torn) for part in sides]
    there = [torn.copy() if i == 0 else np.zeros(len(numbers), np.bool_) for i in range(len(sides))]
    for mask, part in zip(there, sides, strict=True):
        empty = pc.equal(pc.binary_length(part["price"]), 0).to_numpy(zero_copy_only=False)
        mask[np.flatnonzero(~torn)] = ~empty
    kept = np.concatenate(there)
    order = np.argsort(np.tile(np.arange(len(numbers)), len(sides)), kind="stable")
    order = order[kept[order]]
    whole = blocks[0]
    for block in blocks[1:]:
        whole = join(whole, block)
    return Block._make([column[i] for i in order] if isinstance(column, list) else column[order] for column in whole)


def _times(column: Any) -> tuple[Int64s, Bools]:
    microseconds, good = integers(column, _MICROSECONDS)
    ns = microseconds * _NS_PER_US  # too large for 64 bits comes out negative
    return ns, good & is_time(ns)
