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
