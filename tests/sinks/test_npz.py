"""Arrays as ``.npz`` files, read by NumPy and by an independent ZIP reader."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from operators.hft_events import EVENT
from sinks.npz import NpzWriter


def array(rows: int) -> np.ndarray:
    out = np.zeros(rows, EVENT)
    out["exch_ts"] = np.random.default_rng(1).integers(0, 1 << 40, rows)
    out["px"] = np.random.default_rng(2).random(rows)
    return out


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("parts", [(), (0,), (1,), (3, 0, 100_000, 7)])
def test_what_is_written_is_read(tmp_path: Path, parts: tuple[int, ...], compress: bool) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"what was there before, and is longer than nothing" * 100)
    whole = array(sum(parts))
    writer = NpzWriter(path, "data", EVENT, compress)
    for part in np.split(whole, np.cumsum(parts)[:-1]) if parts else ():
        writer.write(part)
    writer.close()
    assert writer.rows == len(whole)
    with np.load(path) as read:
        assert read.files == ["data"]
        assert read["data"].dtype == EVENT
        assert read["data"].tobytes() == whole.tobytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        (entry,) = archive.infolist()
        assert entry.compress_type == (zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
        assert entry.compress_size + 400 > path.stat().st_size


def test_compressed_is_smaller_and_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    sizes = {}
    for name, compress in (("stored", False), ("packed", True), ("again", True)):
        writer = NpzWriter(tmp_path / name, "data", EVENT, compress)
        writer.write(array(10_000))
        writer.close()
        sizes[name] = (tmp_path / name).stat().st_size
    assert sizes["packed"] < sizes["stored"] / 2
    assert (tmp_path / "packed").read_bytes() == (tmp_path / "again").read_bytes()


def test_a_file_that_was_stopped_is_none(tmp_path: Path) -> None:
    writer = NpzWriter(tmp_path / "a.npz", "data", EVENT)
    writer.write(array(10))
    writer.abort()
    with pytest.raises((ValueError, OSError)):
        np.load(tmp_path / "a.npz")
