"""A data set appears whole or not at all, in files of the form that was asked for."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataflows.settings.types import CODECS
from sinks.data_file import FileFormat
from sinks.dataset import DatasetWriter
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import NS_PER_DAY, data_files, date_text, instrument_dir, instruments

BTC, ETH = Instrument("binance_futures", "BTCUSDT"), Instrument("bybit_linear", "ETHUSDT")
SCHEMA = pa.schema([("n", pa.int64()), ("x", pa.float64())])
FORM = FileFormat(schema=SCHEMA, dictionary=["n"])
BYTES_A_ROW = 16


def rows(first: int, count: int) -> pa.RecordBatch:
    numbers = np.arange(first, first + count)
    return pa.RecordBatch.from_arrays([pa.array(numbers), pa.array(np.sqrt(numbers))], schema=SCHEMA)


def put(writer: DatasetWriter, instrument: Instrument, first: int, count: int, day: int = 0) -> None:
    writer.write(instrument, np.full(count, day * NS_PER_DAY), lambda: rows(first, count))


def numbers(root: Path, instrument: Instrument) -> list[int]:
    return [n for path in data_files(root, instrument) for n in pq.ParquetFile(path).read()["n"].to_pylist()]


def everything(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))


class TestAppearance:
    def test_files_appear_at_commit_and_staging_goes(self, tmp_path):
        root = tmp_path / "new" / "set"
        writer = DatasetWriter(root, FORM, "w")
        put(writer, BTC, 0, 10)
        put(writer, ETH, 10, 5, day=3)
        assert list(instruments(root)) == []
        assert list(root.rglob("*.parquet")) == []
        files = writer.commit()
        assert files == [
            root / "exchange=binance_futures/symbol=BTCUSDT/date=1970-01-01/w-000000.parquet",
            root / "exchange=bybit_linear/symbol=ETHUSDT/date=1970-01-04/w-000000.parquet",
        ]
        assert (numbers(root, BTC), numbers(root, ETH)) == (list(range(10)), list(range(10, 15)))
        assert all(not path.name.startswith(".") for path in everything(root))

    def test_nothing_written_makes_no_file(self, tmp_path):
        with DatasetWriter(tmp_path, FORM, "w") as writer:
            put(writer, BTC, 0, 0)
        assert everything(tmp_path) == []

    def test_abort_leaves_nothing(self, tmp_path):
        writer = DatasetWriter(tmp_path, replace(FORM, row_group_rows=3), "w")
        put(writer, BTC, 0, 10)
        put(writer, BTC, 10, 10, day=1)
        writer.abort()
        writer.abort()
        assert everything(tmp_path) == []

    def test_after_an_abort_nothing_comes_back(self, tmp_path):
        writer = DatasetWriter(tmp_path, FORM, "w")
        put(writer, BTC, 0, 10)
        writer.abort()
        put(writer, BTC, 10, 10)
        assert writer.commit() == []
        assert everything(tmp_path) == []

    def test_an_exception_leaves_nothing(self, tmp_path):
        def broken_off() -> None:
            with DatasetWriter(tmp_path, FORM, "w") as writer:
                put(writer, BTC, 0, 10)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            broken_off()
        assert everything(tmp_path) == []

    def test_an_abort_spares_what_is_committed(self, tmp_path):
        writer = DatasetWriter(tmp_path, FORM, "w")
        put(writer, BTC, 0, 10)
        writer.commit()
        writer.abort()
        assert numbers(tmp_path, BTC) == list(range(10))

    def test_two_writers_side_by_side(self, tmp_path):
        a, b = (DatasetWriter(tmp_path, FORM, name) for name in "ab")
        put(a, BTC, 0, 5)
        put(b, BTC, 5, 5)
        b.abort()
        c = DatasetWriter(tmp_path, FORM, "c")
        put(c, BTC, 10, 5)
        c.commit()
        assert numbers(tmp_path, BTC) == list(range(10, 15))
        a.commit()
        assert numbers(tmp_path, BTC) == [*range(5), *range(10, 15)]


class TestKilledWriters:
    CODE = """
import os, signal, sys
from pathlib import Path
from tests.sinks.test_dataset import BTC, FORM, DatasetWriter, put
writer = DatasetWriter(Path(sys.argv[1]), FORM, "killed")
put(writer, BTC, 0, 10)
os.kill(os.getpid(), signal.SIGKILL)
"""

    @pytest.fixture
    def root(self, tmp_path):
        root = tmp_path / "data"
        root.mkdir()
        return root

    def test_what_they_leave_is_swept_by_the_next(self, root):
        run = subprocess.run([sys.executable, "-c", self.CODE, str(root)], cwd=Path(__file__).parents[2])
        assert run.returncode == -signal.SIGKILL
        assert list(root.iterdir()) == []  # readers of the folder see nothing, whatever they look for
        left, _ = sorted(root.parent.iterdir())
        assert left.name.startswith(".data.staging-")
        with DatasetWriter(root, FORM, "next") as writer:
            put(writer, ETH, 0, 1)
        assert [path.name for path in root.parent.iterdir()] == ["data"]
        assert [path.name for path in root.iterdir()] == ["exchange=bybit_linear"]

    def test_those_of_another_host_and_of_the_living_stay(self, root):
        living = DatasetWriter(root, FORM, "living")
        put(living, BTC, 0, 1)
        staging, _ = sorted(root.parent.iterdir())
        host = staging.name.removesuffix(f"-{os.getpid()}-living")
        for name in (".data.staging-elsewhere-1-w", f"{host}-1-w", f"{host}-x-w"):
            (root.parent / name).mkdir()
        DatasetWriter(root, FORM, "next").commit()
        left = {staging.name, ".data.staging-elsewhere-1-w", f"{host}-1-w", f"{host}-x-w", "data"}  # 1 is alive
        assert {path.name for path in root.parent.iterdir()} == left
        living.commit()
        assert numbers(root, BTC) == [0]

    def test_staging_is_inside_where_the_folder_is_a_file_system_of_its_own(self, root):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", root], capture_output=True)
        if mounted.returncode:
            pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
        try:
            writer = DatasetWriter(root, FORM, "w")
            put(writer, BTC, 0, 3)
            assert [path.name[:9] for path in root.iterdir()] == [".staging-"]
            writer.commit()
            assert numbers(root, BTC) == [0, 1, 2]
        finally:
            subprocess.run(["umount", root], check=True)


class TestForm:
    def test_a_row_goes_to_its_date(self, tmp_path):
        days = np.array([1, 1, 2, 2, 1, -1, 20457, 20457])
        with DatasetWriter(tmp_path, FORM, "w") as writer:
            writer.write(BTC, days * NS_PER_DAY + 5, lambda: rows(0, 8))
        files = sorted(data_files(tmp_path, BTC), key=lambda path: path.name)
        found = [(path.parent.name, pq.ParquetFile(path).read()["n"].to_pylist()) for path in files]
        assert found == [
            ("date=1970-01-02", [0, 1]),
            ("date=1970-01-03", [2, 3]),
            ("date=1970-01-02", [4]),
            ("date=1969-12-31", [5]),
            ("date=2026-01-04", [6, 7]),
        ]

    @pytest.mark.parametrize(("ns", "text"), [(0, "1970-01-01"), (-1, "1969-12-31"), (2**63 - 1, "2262-04-11")])
    def test_dates(self, ns, text):
        assert date_text(ns) == text

    def test_a_file_that_is_large_enough_is_followed_by_another(self, tmp_path):
        form = replace(FORM, row_group_rows=10, file_bytes=25 * BYTES_A_ROW)
        with DatasetWriter(tmp_path, form, "w") as writer:
            for first in range(0, 100, 5):
                put(writer, BTC, first, 5)
        files = data_files(tmp_path, BTC)
        assert [path.name for path in files] == [f"w-{n:06d}.parquet" for n in range(4)]
        assert [pq.ParquetFile(path).metadata.num_rows for path in files] == [30, 30, 30, 10]
        assert numbers(tmp_path, BTC) == list(range(100))

    def test_row_groups(self, tmp_path):
        with DatasetWriter(tmp_path, replace(FORM, row_group_rows=10), "w") as writer:
            for first, count in ((0, 4), (4, 4), (8, 25), (33, 2)):
                put(writer, BTC, first, count)
        (path,) = data_files(tmp_path, BTC)
        meta = pq.ParquetFile(path).metadata
        sizes = [meta.row_group(n).num_rows for n in range(meta.num_row_groups)]
        assert max(sizes) <= 10
        assert sum(sizes) == 35
        assert numbers(tmp_path, BTC) == list(range(35))

    def test_memory_is_bounded(self, tmp_path):
        """Of many instruments the one with most rows is written when together they exceed the budget."""
        many = [Instrument("bybit_linear", f"S{n}") for n in range(20)]
        with DatasetWriter(tmp_path, FORM, "w", budget_bytes=100 * BYTES_A_ROW) as writer:
            for first in range(0, 50, 5):
                for instrument in many:
                    put(writer, instrument, first, 5)
                    waiting = [file.bytes for file in writer._open.values()]
                    assert sum(waiting) == writer._waiting_bytes <= 100 * BYTES_A_ROW
        assert all(numbers(tmp_path, instrument) == list(range(50)) for instrument in many)

    @pytest.mark.parametrize("codec", CODECS)
    def test_codecs(self, tmp_path, codec):
        with DatasetWriter(tmp_path, replace(FORM, compression=codec), "w") as writer:
            put(writer, BTC, 0, 1000)
        (path,) = data_files(tmp_path, BTC)
        found = pq.ParquetFile(path).metadata.row_group(0).column(1).compression
        assert found == {"none": "UNCOMPRESSED"}.get(codec, codec.upper())
        assert numbers(tmp_path, BTC) == list(range(1000))

    def test_statistics_and_encodings(self, tmp_path):
        form = replace(FORM, dictionary=[], encoding={"n": "DELTA_BINARY_PACKED", "x": "BYTE_STREAM_SPLIT"})
        with DatasetWriter(tmp_path, form, "w") as writer:
            put(writer, BTC, 5, 10)
        (path,) = data_files(tmp_path, BTC)
        column = pq.ParquetFile(path).metadata.row_group(0).column(0)
        assert "DELTA_BINARY_PACKED" in column.encodings
        assert (column.statistics.min, column.statistics.max) == (5, 14)


class TestReplace:
    @pytest.fixture
    def root(self, tmp_path):
        for name, first in (("old", 0), ("w", 10)):
            with DatasetWriter(tmp_path, FORM, name) as writer:
                for instrument in (BTC, ETH):
                    put(writer, instrument, first, 3)
                    put(writer, instrument, first + 3, 3, day=1)
        return tmp_path

    def test_older_files_go_when_the_new_ones_come(self, root):
        notes = instrument_dir(root, BTC) / "date=1970-01-01" / "_note"
        notes.touch()
        writer = DatasetWriter(root, FORM, "w")
        put(writer, BTC, 100, 2, day=1)
        before = numbers(root, BTC)
        assert len(before) == 12
        (new,) = writer.commit([BTC])
        assert data_files(root, BTC) == [new]
        assert numbers(root, BTC) == [100, 101]
        assert len(numbers(root, ETH)) == 12
        assert notes.exists()

    def test_an_instrument_without_new_rows_is_emptied(self, root):
        DatasetWriter(root, FORM, "w").commit([ETH])
        assert numbers(root, ETH) == []
        assert len(numbers(root, BTC)) == 12

    def test_an_abort_keeps_the_older_ones(self, root):
        writer = DatasetWriter(root, FORM, "w")
        put(writer, BTC, 100, 2)
        writer.abort()
        assert len(numbers(root, BTC)) == 12


class TestFailures:
    """Each is one line that names the folder, and leaves nothing."""

    def fails(self, root: Path, says: str, work=lambda: None) -> None:
        with pytest.raises(TickwaxError, match=says) as caught:
            work()
        assert str(caught.value).startswith(f"cannot write to {root}: ")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("inside", ["", "deeper"])
    def test_a_file_in_the_way(self, tmp_path, inside):
        file = tmp_path / "file"
        file.write_text("mine")
        root = file / inside if inside else file
        self.fails(root, "File exists|Not a directory", lambda: DatasetWriter(root, FORM, "w"))
        assert file.read_text() == "mine"

    def test_a_folder_that_may_not_be_written_to(self):
        # Not even root may write there.
        self.fails(
            Path("/proc/tickwax"), "No such file|denied", lambda: DatasetWriter(Path("/proc/tickwax"), FORM, "w")
        )

    def test_a_file_where_a_partition_belongs(self, tmp_path):
        (tmp_path / "exchange=binance_futures").touch()
        writer = DatasetWriter(tmp_path, FORM, "w")
        put(writer, ETH, 0, 2)
        put(writer, BTC, 0, 2)
        self.fails(tmp_path, "File exists|Not a directory", writer.commit)
        assert list(instruments(tmp_path)) == []  # not even those that had no hindrance
        writer.abort()
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_staging_that_is_swept_away(self, tmp_path):
        writer = DatasetWriter(tmp_path / "data", FORM, "w")
        put(writer, BTC, 0, 2)
        staging, _ = sorted(tmp_path.iterdir())
        shutil.rmtree(staging)
        self.fails(tmp_path / "data", "No such file", writer.commit)

    def test_a_failing_commit_at_the_end_of_with_leaves_nothing(self, tmp_path):
        def work() -> None:
            with DatasetWriter(tmp_path, FORM, "w") as writer:
                put(writer, BTC, 0, 2)
                (tmp_path / "exchange=binance_futures").touch()

        self.fails(tmp_path, "File exists|Not a directory", work)
        assert [path.name for path in tmp_path.iterdir()] == ["exchange=binance_futures"]

    @pytest.fixture
    def small_disk(self, tmp_path):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], capture_output=True)
        if mounted.returncode:
            pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
        yield tmp_path
        subprocess.run(["umount", "-l", tmp_path], check=True)

    def test_a_full_disk(self, small_disk):
        root = small_disk / "set"
        form = replace(FORM, dictionary=[], compression="none", row_group_rows=1000)
        with DatasetWriter(root, form, "before") as writer:
            put(writer, ETH, 0, 10)

        def work() -> None:
            with DatasetWriter(root, form, "w") as writer:
                for first in range(0, 100_000, 1000):
                    put(writer, BTC, first, 1000)

        self.fails(root, "No space left", work)
        assert [path.name for path in root.iterdir()] == ["exchange=bybit_linear"]
        assert numbers(root, ETH) == list(range(10))
        with DatasetWriter(root, form, "w") as writer:  # there is room again
            put(writer, BTC, 0, 1000)
        assert numbers(root, BTC) == list(range(1000))
