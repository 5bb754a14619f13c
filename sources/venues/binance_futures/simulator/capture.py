"""A raw capture of one Binance instrument, as a list of what the exchange sent.

A line is ``<receive time in ns> {"stream":…,"data":…}``, or the reply of ``GET /fapi/v1/depth`` without an envelope.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from sources.errors import TickwaxError
from sources.importers.files import line_blocks, text_blocks

_STREAM, _DATA = b'{"stream":"', b'","data":'


class Depth(msgspec.Struct, rename={"time": "T", "first": "U", "final": "u", "bids": "b", "asks": "a"}):
    """The numbers and levels of a depth event."""

    time: int
    first: int
    final: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Book(msgspec.Struct, rename={"time": "T", "number": "lastUpdateId"}):
    """A REST book."""

    time: int
    number: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Recorded(NamedTuple):
    """One line."""

    receive_ns: int
    kind: str  # of the stream, such as `depth@0ms`; "" for the REST book
    payload: bytes


class Capture(NamedTuple):
    """All lines of a file, which are of one symbol, and the REST book among them."""

    symbol: str
    lines: list[Recorded]
    snapshot: Book
    snapshot_payload: bytes


def read_capture(path: Path) -> Capture:
    """Read a whole capture into memory.

    Raises:
        TickwaxError: the file cannot be read, holds a line of another form, several symbols, or no single REST book.
    """
    lines: list[Recorded] = []
    symbols: set[str] = set()
    number = 0
    for block in text_blocks(line_blocks(path, lambda _: None)):
        for line in block.splitlines():
            number += 1
            time, _, raw = line.partition(b" ")
            if not time.isdigit():
                raise TickwaxError(f"{path}:{number}: expected a receive time in nanoseconds")
            if raw.startswith(_STREAM) and raw.endswith(b"}"):
                stream, mark, data = raw[len(_STREAM) :].partition(_DATA)
                name, at, kind = stream.decode().partition("@")
                if not (mark and at):
                    raise TickwaxError(f"{path}:{number}: expected a message of a combined stream")
                symbols.add(name.upper())
                lines.append(Recorded(int(time), kind, data[:-1]))
            else:
                lines.append(Recorded(int(time), "", raw))
    books = [line.payload for line in lines if not line.kind]
    if len(symbols) != 1 or len(books) != 1:
        found = f"{len(symbols)} symbols and {len(books)} REST books"
        raise TickwaxError(f"{path}: expected a capture of one symbol with one REST book; it holds {found}")
    try:
        snapshot = msgspec.json.decode(books[0], type=Book)
    except msgspec.DecodeError as e:
        raise TickwaxError(f"{path}: its REST book cannot be read: {e}") from None
    return Capture(symbols.pop(), lines, snapshot, books[0])
