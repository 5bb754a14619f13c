"""Reading files in blocks, ahead of the caller."""

import gzip
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import files
from sources.importers.files import line_blocks, read_ahead


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("text", [b"", b"a", b"a\n", b"\n\n", b"abc\nde\n" * 50 + b"tail"])
def test_blocks_hold_whole_lines(tmp_path: Path, text: bytes, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", 5)
    path = tmp_path / "x"
    # Two members, as of files that were joined.
    path.write_bytes(gzip.compress(text[:3]) + gzip.compress(text[3:]) if packed else text)
    told: list[int] = []
    blocks = list(line_blocks(path, told.append))
    assert b"".join(blocks) == text
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert sum(told) == path.stat().st_size


@pytest.mark.parametrize(("content", "says"), [
    (gzip.compress(gzip.compress(b"a", mtime=0), mtime=0), "is gzip data inside of gzip; unpack it once"),
    (gzip.compress(b"PK\3\4....", mtime=0), "is a zip archive inside of a packed file; unpack it once"),
    (b"\x28\xb5\x2f\xfd....", "is Zstandard data"),
    (gzip.compress(b"BZh91AY", mtime=0), "is bzip2 data"),
    ("1700".encode("utf-16"), "is text in UTF-16"),
])  # fmt: skip
def test_what_is_packed_otherwise_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(TickwaxError, match=f"{path}: {says}"):
        list(line_blocks(path, lambda _: None))


@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "x"
    text = b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n"
    path.write_bytes(gzip.compress(text) if packed else text)
    assert b"".join(line_blocks(path, lambda _: None)) == b"a\n\xef\xbb\xbfb\n"


def test_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", 10)
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 100)
    path = tmp_path / "x"
    path.write_bytes(b"x" * 1000)
    with pytest.raises(TickwaxError, match="no line end"):
        list(line_blocks(path, lambda _: None))


def test_error_comes_where_its_item_would_have() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise TickwaxError("here")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(TickwaxError, match="here"):
        next(ahead)


def test_closing_stops_the_thread() -> None:
    ended = threading.Event()

    def items() -> Generator[int, None, None]:
        try:
            yield from range(10**9)
        finally:
            ended.set()

    ahead = read_ahead(items())
    assert next(ahead) == 0
    ahead.close()
    assert ended.is_set()
