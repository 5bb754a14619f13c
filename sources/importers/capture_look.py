"""What the beginning of a raw capture of Binance's streams tells: diffs or whole books, one symbol or several."""

import re
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sources.errors import TickwaxError
from sources.importers.archive import capture_blocks
from sources.importers.files import text_blocks
from sources.importers.lines import UNKNOWN, index_lines, stream_table
from sources.importers.stats import ImportStats
from sources.venues.binance.routing import DIFF

PARTIAL = re.compile(r"depth(5|10|20)(@\d+ms)?")
_LOOK_BOOKS = 100  # of a block
_LOOK_BLOCKS = 32  # of a capture: within so much text every stream that was asked for has spoken
_BARE_DIFF = re.compile(rb'^\d+ \{"e":"depthUpdate"', re.MULTILINE)
_BARE_BOOK = re.compile(rb'^\d+ (\{"lastUpdateId".*)', re.MULTILINE)
_STREAM = re.compile(rb'"stream" ?: ?"([^"@]{1,40})@(depth[@a-z0-9]*)"')
_DEPTHS = (5, 10, 20)  # of partial books
_BARE_SYMBOL = re.compile(rb'^\d+ \{"e":.{,80}"s":"([^"]+)"', re.MULTILINE)


class _Sides(msgspec.Struct):
    bids: list[Any]
    asks: list[Any]


_sides = msgspec.json.Decoder(_Sides)


class Look(NamedTuple):
    """What a capture of a symbol holds, as far as was looked: until its first diff."""

    partial: str | None  # the stream of its deepest partial books, if it has no diffs
    bare: bool  # several books without a stream's name, and neither diffs nor partial books with one
    several: bool  # streams of other symbols
    cut_levels: int = 0  # as of `InstrumentBatch`


def look(path: Path, symbol: str, salvage: bool) -> Look:
    """Look at the beginning of a capture; of one that cannot be read, nothing is told. ``salvage``: as it is read."""
    table = stream_table()
    found: dict[str, int] = {}
    seen = books = levels = 0
    several = diffs = False
    with suppress(TickwaxError), closing(capture_blocks(path, lambda _: None, ImportStats(), salvage)) as blocks:
        for block in islice(text_blocks(blocks), _LOOK_BLOCKS):
            lines = index_lines(block, table)
            bare = bool((lines.stream == UNKNOWN).any())
            for place in range(seen, int(table.used[0])):
                name, _, kind = table.name(place).partition("@")
                if name.upper() == symbol:
                    diffs |= DIFF.fullmatch(kind) is not None
                    if match := PARTIAL.fullmatch(kind):
                        found.setdefault(kind, int(match[1]))
                elif kind and not name.startswith("!"):
                    several = True
            seen = int(table.used[0])
            if diffs or (bare and _BARE_DIFF.search(block)):
                return Look(None, False, several)
            if bare:
                found_books = _BARE_BOOK.findall(block)
                books += len(found_books)
                levels = max([levels, *map(_levels_of, found_books[:_LOOK_BOOKS])])
                several |= any(other.upper() != symbol.encode() for other in set(_BARE_SYMBOL.findall(block)))
    bare_books = not found and books > 1
    cut = max(found.values(), default=_cut(levels) if bare_books else 0)
    return Look(max(found, key=lambda kind: found[kind], default=None), bare_books, several, cut)


def look_for_partial(paths: Sequence[Path], salvage: bool, symbol: str | None = None) -> tuple[str, int] | None:
    """The stream of the deepest partial books of captures, and their levels; None where there are diffs, or neither.

    Args:
        paths: captures in which a frame has the name of its stream; of one that cannot be read, nothing is told.
        salvage: as they are read.
        symbol: the only one that counts; None: any.
    """
    found: dict[str, int] = {}
    for path in paths:
        with suppress(TickwaxError), closing(capture_blocks(path, lambda _: None, ImportStats(), salvage)) as blocks:
            for block in islice(text_blocks(blocks), _LOOK_BLOCKS):
                for name, kind in set(_STREAM.findall(block)):
                    if symbol is not None and name.upper() != symbol.encode():
                        continue
                    if DIFF.fullmatch(kind.decode()):
                        return None
                    if match := PARTIAL.fullmatch(kind.decode()):
                        found[match[0]] = int(match[1])
    return max(found.items(), key=lambda item: item[1], default=None)


def _levels_of(book: bytes) -> int:
    """How many levels the deeper side of a REST book has."""
    try:
        sides = _sides.decode(book)
    except msgspec.DecodeError:
        return 0
    return max(len(sides.bids), len(sides.asks))


def _cut(levels: int) -> int:
    """To how many levels books are cut of which the deepest has so many; 0: they are no partial books."""
    return next((depth for depth in _DEPTHS if levels <= depth), 0)
