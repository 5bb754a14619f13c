"""Checksums are in every Parquet file that is written, every reader opens it, and what they do not hold is refused."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinks.data_file import FileFormat
from sinks.dataset import DatasetWriter
from sinks.import_ledger import SourceFile, appearing, imported
from sinks.optimal_d import write_fractional_orders
from sinks.parquet import seal
from sources.errors import DamagedError, TickwaxError
from sources.instrument import Instrument
from sources.parquet import END, MARK, STOP, CheckedFile, read_columns, read_schema

BTC = Instrument("binance_futures", "BTCUSDT")
SCHEMA = pa.schema([("n", pa.int64()), ("x", pa.float64()), ("word", pa.dictionary(pa.int8(), pa.string()))])
ROWS = 3000
GROUP = 1000


def batch() -> pa.RecordBatch:
    numbers = np.arange(ROWS)
    words = pa.array(["a" if n % 3 else "b" for n in numbers]).dictionary_encode().cast(SCHEMA.field("word").type)
    return pa.RecordBatch.from_arrays([pa.array(numbers), pa.array(np.sqrt(numbers)), words], schema=SCHEMA)


@pytest.fixture
def path(tmp_path):
    form = FileFormat(schema=SCHEMA, dictionary=["word"], encoding={"n": "DELTA_BINARY_PACKED"}, row_group_rows=GROUP)
    with DatasetWriter(tmp_path, form, "w") as writer:
        writer.write(BTC, np.zeros(ROWS, np.int64), batch)
        (path,) = writer.commit()
    return path


def flip(path, place: int, bit: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def all_of(path) -> pa.Table:
    with CheckedFile(path) as file:
        groups = range(file.metadata.num_row_groups)
        return pa.Table.from_batches(list(file.batches(700, groups, SCHEMA.names)), SCHEMA)


def test_what_was_written_is_read(path):
    assert all_of(path).equals(pa.Table.from_batches([batch()]))
    assert read_columns(path, ["x"]).num_rows == ROWS
    assert read_schema(path).names == SCHEMA.names


def test_others_open_it(path):
    total = float(np.sqrt(np.arange(ROWS)).sum())
    assert duckdb.sql(f"select count(*), sum(x) from '{path}'").fetchall() == [(ROWS, pytest.approx(total))]
    assert pl.read_parquet(path)["x"].sum() == pytest.approx(total)
    assert pl.scan_parquet(path).filter(pl.col("n") >= 2500).collect().height == 500
    assert pd.read_parquet(path)["x"].sum() == pytest.approx(total)
    assert pq.read_table(path, page_checksum_verification=True, partitioning=None).num_rows == ROWS


def test_what_others_make_of_it_is_read(path):
    table = pq.ParquetFile(path).read()
    pq.write_table(table.slice(0, 10), path)
    assert all_of(path).num_rows == 10


def test_every_bit_of_headers_footer_and_end_is_covered(path):
    sound = path.read_bytes()
    length, _ = END.unpack(sound[-END.size :])
    with CheckedFile(path) as file:
        starts = [file.metadata.row_group(1).column(n).data_page_offset for n in range(len(SCHEMA))]
    headers = [start + n for start in starts for n in range(24)]
    for place in [*range(4), *headers, *range(len(sound) - END.size - length, len(sound), 3)]:
        flip(path, place, place % 8)
        with pytest.raises(DamagedError, match=f"^{path}: "):
            all_of(path)
        path.write_bytes(sound)


def test_pages_have_checksums_of_their_own(path):
    with CheckedFile(path) as file:
        place = file.metadata.row_group(0).column(1)
    flip(path, place.data_page_offset + place.total_compressed_size - 5)
    with pytest.raises(OSError, match="CRC checksum verification failed"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


def test_the_line_names_row_group_and_column(path):
    with CheckedFile(path) as file:
        column = file.metadata.row_group(2).column(2)
    flip(path, column.dictionary_page_offset)
    with pytest.raises(DamagedError, match=f"^{path}: row group 2: column 'word': damaged: "):
        all_of(path)
    with CheckedFile(path) as file, pytest.raises(DamagedError, match="row group 2: column 'word'"):
        file.group(2, ["word"])


def test_what_is_not_read_is_not_refused(path):
    with CheckedFile(path) as file:
        column = file.metadata.row_group(2).column(2)
    flip(path, column.dictionary_page_offset)
    assert read_columns(path, ["n", "x"]).num_rows == ROWS
    with CheckedFile(path) as file:
        assert sum(b.num_rows for b in file.batches(600, [0, 1], SCHEMA.names)) == 2 * GROUP


@pytest.mark.parametrize("size", [*range(1, 30), 60, 200, 1000])
def test_zeros_before_the_end(path, size):
    data = path.read_bytes()
    at = len(data) - END.size - size
    path.write_bytes(data[:at] + bytes(size) + data[-END.size :])
    if size <= len(STOP):
        assert all_of(path).num_rows == ROWS
    else:
        with pytest.raises(DamagedError):
            all_of(path)


def test_a_file_without_checksums_is_read_and_its_page_checksums_hold(path):
    table = pq.ParquetFile(path).read()
    for options in ({}, {"write_page_checksum": True}):
        pq.write_table(table, path, **options)
        assert MARK not in path.read_bytes()
        assert all_of(path).num_rows == ROWS
    flip(path, 2000)
    with pytest.raises(DamagedError, match=f"^{path}: cannot be read: .*CRC checksum verification failed"):
        all_of(path)


def test_no_such_file_is_no_damage(tmp_path):
    with pytest.raises(TickwaxError, match="No such file") as caught:
        read_schema(tmp_path / "nothing.parquet")
    assert not isinstance(caught.value, DamagedError)


def test_sealed_once(path):
    size = path.stat().st_size
    before = pq.ParquetFile(path).read()
    seal(path)
    assert path.stat().st_size > size
    assert all_of(path).equals(before)


def test_orders_and_markers_have_them(tmp_path):
    write_fractional_orders(tmp_path / "orders.parquet", [], "100ms")
    tape = tmp_path / "tape"
    folder = tape / "exchange=binance_futures" / "symbol=BTCUSDT" / "date=1970-01-01"
    folder.mkdir(parents=True)
    with appearing(tape, "import-a", [SourceFile(tmp_path / "a.csv", 1, "abc")], {BTC: 1}, "kind"):
        (folder / "import-a-000000.parquet").touch()
    marker = folder / "_import-a.parquet"
    assert imported(tape, BTC) == {"abc": "kind"}
    for path in (tmp_path / "orders.parquet", marker):
        assert MARK in path.read_bytes()
        flip(path, -100)
        with pytest.raises(DamagedError, match=f"^{path}: damaged: "):
            read_schema(path)
    with pytest.raises(DamagedError):
        imported(tape, BTC)
