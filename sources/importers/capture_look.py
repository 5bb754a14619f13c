"""What the beginning of a raw capture of Binance's streams tells: diffs or whole books, one symbol or several."""

import re
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sources.errors import TickwaxError
from sources.importers.files import line_blocks
from sources.importers.lines import UNKNOWN, index_lines, stream_table
from sources.venues.binance.decoder import DIFF

PARTIAL = re.compile(r"depth(5|10|20)(@\d+ms)?")
_LOOK_BLOCKS = 32  # of a capture: within so much text every stream that was asked for has spoken
_BARE_DIFF = re.compile(rb'^\d+ \{"e":"depthUpdate"', re.MULTILINE)
_BARE_BOOK = re.compile(rb'^\d+ \{"lastUpdateId"', re.MULTILINE)
_BARE_SYMBOL = re.compile(rb'^\d+ \{"e":.{,80}"s":"([^"]+)"', re.MULTILINE)


class Look(NamedTuple):
    """What a capture of a symbol holds, as far as was looked: until its first diff."""

    partial: str | None  # the stream of its deepest partial books, if it has no diffs
    bare: bool  # several books without a stream's name, and neither diffs nor partial books with one
    several: bool  # streams of other symbols


def look(path: Path, symbol: str, salvage: bool) -> Look:
    """Look at the beginning of a capture; of one that cannot be read, nothing is told. ``salvage``: as it is read."""
    table = stream_table()
    found: dict[str, int] = {}
    seen = books = 0
    several = diffs = False
    with suppress(TickwaxError), closing(line_blocks(path, lambda _: None, salvage)) as blocks:
        for block in islice(blocks, _LOOK_BLOCKS):
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
                books += len(_BARE_BOOK.findall(block))
                several |= any(other.upper() != symbol.encode() for other in set(_BARE_SYMBOL.findall(block)))
    return Look(max(found, key=lambda kind: found[kind], default=None), not found and books > 1, several)
