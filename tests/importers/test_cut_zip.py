"""Zips without their end: what the members' own headers allow is salvaged, and no byte that was not there."""

import io
import zipfile
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers.archive import archive_blocks, members
from sources.importers.files import DamagedFile
from sources.importers.stats import ImportStats

CONTENT = [b"".join(b"%d,%d,%d\n" % (m, i, i * i * 7919 % 99991) for i in range(600)) for m in range(3)]


class Pipe(io.RawIOBase):
    """What cannot be sought in: sizes and checksums of members stand behind them."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.content += bytes(data)
        return len(data)


def packed(method: int, streamed: bool) -> bytes:
    pipe, buffer = Pipe(), io.BytesIO()
    with zipfile.ZipFile(pipe if streamed else buffer, "w", method) as archive:
        for n, content in enumerate(CONTENT):
            archive.writestr(f"{n}.csv", content)
    return pipe.content if streamed else buffer.getvalue()


def read(path: Path, salvage: bool = True, only: str | None = None) -> tuple[bytes, DamagedFile | None]:
    """What is given of a file, and how it ends."""
    blocks = archive_blocks(path, lambda _: None, ImportStats(), "rows", lambda head: b"," in head, salvage, only)
    given = b""
    try:
        for block in blocks:
            assert isinstance(block, bytes)
            given += block
    except DamagedFile as e:
        return given, e
    return given, None


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize(
    ("method", "streamed"), [(zipfile.ZIP_DEFLATED, False), (zipfile.ZIP_DEFLATED, True), (zipfile.ZIP_STORED, False)]
)
def test_whole_lines_before_the_cut(tmp_path: Path, method: int, streamed: bool, salvage: bool) -> None:
    whole, content = packed(method, streamed), b"".join(CONTENT)
    path = tmp_path / "a.zip"
    least = 0
    for cut in [*range(40, len(whole) - 1, 997), len(whole) - 30, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        given, damage = read(path, salvage)
        assert damage is not None
        assert damage.cut
        assert str(damage) == f"{path}: is truncated: the compressed data has no end"
        assert content.startswith(given)
        assert not given or given.endswith(b"\n")
        assert damage.salvageable == bool(given)
        assert len(given) >= least
        least = len(given)
    assert least == len(content)


def test_members_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(packed(zipfile.ZIP_DEFLATED, True)[:-100])
    assert members(path) == ["0.csv", "1.csv", "2.csv"]
    assert read(path, only="1.csv") == (CONTENT[1], None)
    given, damage = read(path, only="2.csv")
    assert given == CONTENT[2]
    assert damage is not None  # nothing tells that it was the last


@pytest.mark.parametrize("streamed", [False, True])
def test_of_an_altered_member_nothing_is_taken(tmp_path: Path, streamed: bool) -> None:
    whole = packed(zipfile.ZIP_DEFLATED, streamed)
    second = whole.index(b"1.csv")
    for place in range(second + 60, second + 400, 67):
        path = tmp_path / "a.zip"
        path.write_bytes((whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])[:-50])
        given, damage = read(path)
        assert given == CONTENT[0]
        assert damage is not None
        assert "zip member '1.csv': it" in str(damage)
        assert damage.salvageable


def test_what_has_no_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(packed(zipfile.ZIP_STORED, True)[:-100])
    with pytest.raises(TickwaxError, match=r"is no readable zip archive: truncated, or not a zip$"):
        read(path)
