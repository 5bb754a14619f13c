"""The tape on disk and back: order, ranges, other people's tools, and one line for whatever is wrong."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflows.assembly.grids import grid_on
from operators.config import SECOND
from operators.execution.grid import GridSearch
from sinks.dataset import DatasetWriter
from sinks.tape import TapeWriter, tape_format
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import DELTA, KINDS, RESET, SNAPSHOT, TRADE, TapeBatch, concat
from sources.tape.files import ParquetFile, Steps
from sources.tape.layout import NS_PER_DAY, data_files, instrument_dir, instruments
from sources.tape.reader import TapeReader
from sources.tape.schema import TAPE_SCHEMA, to_arrow
from tests.oracle.script import Script
from tests.strategies import split, splits, tapes

BTC = Instrument("binance_futures", "BTCUSDT")
MIDNIGHT = 1_767_571_200 * SECOND  # 2026-01-05
COLUMNS = TAPE_SCHEMA.names


def same(a: TapeBatch, b: TapeBatch) -> bool:
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def write(root: Path, batch: TapeBatch, cuts: list[int] | None = None, row_group_rows: int = 1 << 19) -> list[Path]:
    """One writer, and so at least one file, for each part; the later the part, the earlier its name."""
    files: list[Path] = []
    for n, part in enumerate(split(batch, cuts or [0, batch.rows])):
        with DatasetWriter(root, replace(tape_format(), row_group_rows=row_group_rows), f"w{999 - n}") as writer:
            writer.write(BTC, part.receive_ts, partial(to_arrow, part))
        files += [path for path in data_files(root, BTC) if path.name.startswith(f"w{999 - n}")]
    return files


def read(root: Path, start: int | None = None, end: int | None = None, batch_rows: int = 1 << 16) -> TapeBatch:
    return concat(list(TapeReader(root, BTC, start, end).batches(batch_rows)))


@st.composite
def dated_tapes(draw: st.DrawFn) -> TapeBatch:
    """A tape around midnight: `receive_ts` steps back now and then, over the date, too."""
    batch = draw(tapes(max_messages=20).filter(lambda t: t.rows > 0))
    seconds = st.sampled_from((0, 0, 0, 0, 0, 1, 1, 2, -1, -3, NS_PER_DAY // SECOND, -NS_PER_DAY // SECOND))
    ends = np.cumsum(np.concatenate([[False], batch.last[:-1]]))  # rows of a message are received together
    moves = draw(st.lists(seconds, min_size=int(ends[-1]) + 1, max_size=int(ends[-1]) + 1))
    received = MIDNIGHT - SECOND + np.cumsum(np.array(moves, np.int64) * SECOND)
    return batch._replace(receive_ts=received[ends])


@pytest.fixture
def tape() -> TapeBatch:
    """Snapshot, delta, trade, reset, trade, snapshot, delta: rows 0-1, 2, 3, 4, 5, 6-7, 8-9; a second apart."""
    t = MIDNIGHT - 3 * SECOND
    script = Script().snapshot(t, [(99, 1)], [(101, 1)]).delta(t + SECOND, [(98, 2)]).trade(t + 2 * SECOND, 1, 101, 0.5)
    script.reset(t + 3 * SECOND).trade(t + 4 * SECOND, -1, 99, 0.25)
    return (
        script.snapshot(t + 5 * SECOND, [(98, 1)], [(102, 1)]).delta(t + 6 * SECOND, (), [(102, 0), (103, 4)]).batch()
    )


class TestRoundTrip:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data(), dated_tapes())
    def test_the_same_rows_come_back(self, tmp_path_factory, data, batch):
        root = tmp_path_factory.mktemp("tape")
        files = write(root, batch, data.draw(splits(batch.rows)), data.draw(st.sampled_from((1, 3, 1 << 19))))
        dates = [f"date={date.fromordinal(719163 + int(day))}" for day in batch.receive_ts // NS_PER_DAY]
        assert {path.parent.name for path in files} == set(dates)
        batch_rows = data.draw(st.sampled_from((1, 2, 5, 1 << 16)))
        reader = TapeReader(root, BTC)
        parts = list(reader.batches(batch_rows))
        assert same(concat(parts), batch)
        assert all(0 < part.rows <= batch_rows for part in parts)
        assert reader.rows == batch.rows
        assert reader.first_ordinal == 0

    def test_a_batch_that_spans_dates_and_row_groups(self, tmp_path, tape):
        files = write(tmp_path, tape, row_group_rows=2)
        assert [path.parent.name for path in files] == ["date=2026-01-04", "date=2026-01-05"]
        assert [pq.ParquetFile(path).num_row_groups for path in files] == [2, 3]
        assert same(read(tmp_path), tape)
        assert list(instruments(tmp_path)) == [BTC]

    def test_a_step_back_over_midnight_keeps_the_order(self, tmp_path, tape):
        received = tape.receive_ts.copy()
        received[[3, 7]] += NS_PER_DAY
        received[8] -= 2 * NS_PER_DAY
        tape = tape._replace(receive_ts=received)
        files = write(tmp_path, tape)
        assert sorted(path.parent.name[-2:] for path in files) == ["03", "04", "05", "05", "06"]
        assert same(read(tmp_path), tape)

    def test_what_is_no_data_is_not_read(self, tmp_path, tape):
        (first, _) = write(tmp_path, tape)
        for name in ("_marker.parquet", ".hidden.parquet", "notes.txt", "x.parquet.tmp"):
            (first.parent / name).write_text("no Parquet")
        (tmp_path / ".staging-x" / "exchange=binance_futures").mkdir(parents=True)
        assert same(read(tmp_path), tape)
        assert list(instruments(tmp_path)) == [BTC]

    def test_two_instruments_do_not_mix(self, tmp_path, tape):
        other = Instrument("bybit_linear", "币安人生USDT")
        with TapeWriter(tmp_path, "both") as writer:
            for part in split(tape, [0, 2, 5, 10]):
                writer.write(BTC, part)
                writer.write(other, part._replace(price=part.price * 2))
        assert list(instruments(tmp_path)) == [BTC, other]
        assert same(read(tmp_path), tape)
        assert same(concat(list(TapeReader(tmp_path, other).batches())), tape._replace(price=tape.price * 2))

    def test_an_error_while_writing_leaves_nothing(self, tmp_path, tape):
        def broken_off() -> None:
            with TapeWriter(tmp_path, "torn") as writer:
                writer.write(BTC, tape)
                raise KeyError

        with pytest.raises(KeyError):
            broken_off()
        assert list(tmp_path.iterdir()) == []


def in_range(tape: TapeBatch, start: int, end: int) -> tuple[int, TapeBatch]:
    """The slow way: ordinal at which the range begins, and its rows with those that make the book known."""

    def reached(ns: int) -> int:
        return next((i for i in range(tape.rows) if tape.receive_ts[i] >= ns), tape.rows)

    def opens_book(i: int) -> bool:
        if tape.kind[i] == SNAPSHOT:
            return i == 0 or tape.kind[i - 1] != SNAPSHOT or bool(tape.last[i - 1])
        return bool(tape.kind[i] == RESET)

    first = reached(start)
    warm = next((i for i in range(min(first, tape.rows - 1), -1, -1) if opens_book(i)), 0)
    ordinal = int(tape.ordinal[first]) if first < tape.rows else int(tape.ordinal[-1]) + 1
    return ordinal, tape.slice(warm, reached(end))


class TestRange:
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data(), dated_tapes())
    def test_begins_where_the_book_can_be_known(self, tmp_path_factory, data, batch):
        root = tmp_path_factory.mktemp("tape")
        # the cuts split messages, too: the next file goes on with them
        write(root, batch, data.draw(splits(batch.rows)), data.draw(st.sampled_from((2, 1 << 19))))
        times = sorted({int(ts) + d for ts in batch.receive_ts for d in (-1, 0, 1)})
        start = data.draw(st.sampled_from(times[:-1]))
        end = data.draw(st.sampled_from([ts for ts in times if ts > start]))
        ordinal, expected = in_range(batch, start, end)
        reader = TapeReader(root, BTC, start, end)
        assert reader.first_ordinal == ordinal
        assert same(concat(list(reader.batches(data.draw(st.sampled_from((1, 3, 1 << 16)))))), expected)
        assert reader.rows >= expected.rows
        told: list[Steps] = []
        numbers = concat(list(reader.numbers(told.append, 3)))
        if not told:
            for name in ("ordinal", "receive_ts", "kind", "price", "size"):
                assert np.array_equal(getattr(numbers, name), getattr(expected, name)), name
        search = GridSearch()
        search.add(expected)
        assert grid_on(reader) == search.grid()

    def test_what_a_file_says_of_its_numbers_counts_for_these_rows_alone(self, tmp_path, tape):
        file, _ = write(tmp_path, tape)  # rows 0 to 3, and those after midnight
        assert ParquetFile.open(file).steps == (1, Fraction(1, 2))
        said, table = pq.read_metadata(file).metadata, pq.read_table(file)
        for rows, grid in (
            (3, said[b"tickwax.grid"]),
            (4, b"{"),
            (4, b'{"ordinals": [0, 3], "tick": "x", "lot": null}'),
        ):
            # another program, which keeps what the file said
            with pq.ParquetWriter(file, table.schema) as writer:
                writer.write_table(table.slice(0, rows))
                writer.add_key_value_metadata({"tickwax.grid": grid})
            assert ParquetFile.open(file).steps is None

    def test_of_a_known_tape(self, tmp_path, tape):
        write(tmp_path, tape, [0, 1, 3, 7, 10])  # both snapshots lie in two files
        t = tape.receive_ts
        assert read(tmp_path, int(t[2])).ordinal[0] == 0  # the snapshot before the delta
        assert read(tmp_path, int(t[5])).ordinal[0] == 4  # the reset before the trade
        assert read(tmp_path, int(t[8])).ordinal[0] == 6
        assert read(tmp_path, int(t[8]) + 1).ordinal[0] == 6  # nothing is in the range
        assert TapeReader(tmp_path, BTC, int(t[8]) + 1).first_ordinal == 10
        assert read(tmp_path, None, int(t[2])).ordinal.tolist() == [0, 1]
        assert read(tmp_path, None, int(t[0])).rows == 0
        assert TapeReader(tmp_path, BTC, None, int(t[0])).rows < tape.rows  # later files are not opened

    def test_files_outside_are_not_opened(self, tmp_path, tape):
        files = write(tmp_path, tape, [0, 2, 4, 5, 6, 8, 10])
        reader = TapeReader(tmp_path, BTC, int(tape.receive_ts[5]), int(tape.receive_ts[6]))
        for path in (*files[:2], *files[5:]):
            path.unlink()
        assert concat(list(reader.batches())).ordinal.tolist() == [4, 5]


class TestOtherTools:
    @pytest.fixture
    def root(self, tmp_path, tape):
        write(tmp_path, tape, [0, 5, 10])
        return tmp_path

    def test_the_files_hold_the_tapes_types(self, root):
        for path in data_files(root, BTC):
            assert pq.ParquetFile(path).schema_arrow.remove_metadata() == TAPE_SCHEMA
        times = pa.timestamp("ns", tz="UTC")
        assert [(f.name, f.type) for f in TAPE_SCHEMA] == [
            ("ordinal", pa.int64()),
            ("exchange_ts", times),
            ("receive_ts", times),
            ("sequence", pa.int64()),
            ("kind", pa.dictionary(pa.int8(), pa.string())),
            ("side", pa.int8()),
            ("price", pa.float64()),
            ("size", pa.float64()),
            ("last", pa.bool_()),
        ]
        assert not any(f.nullable for f in TAPE_SCHEMA)

    def test_a_tape_of_another_program_may_declare_columns_nullable(self, tmp_path, tape):
        for path in write(tmp_path, tape):
            rows = pq.ParquetFile(path).read()
            pq.write_table(rows.cast(pa.schema([f.with_nullable(True) for f in rows.schema])), path)
            assert pq.read_schema(path).field("price").nullable
        assert same(read(tmp_path), tape)

    def test_duckdb(self, root, tape):
        found = duckdb.sql(f"select * from '{root}/*/*/*/*.parquet' order by ordinal")
        assert found.columns == [*COLUMNS, "date", "exchange", "symbol"]
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        assert types["kind"] == "VARCHAR"
        assert (types["side"], types["price"], types["last"], types["date"]) == ("TINYINT", "DOUBLE", "BOOLEAN", "DATE")
        rows = found.select("kind, exchange, symbol, date, epoch_ns(receive_ts) // 1000").fetchall()
        venue, symbol, *_ = BTC
        dates = [date(2026, 1, 4)] * 4 + [date(2026, 1, 5)] * 6
        micros = (tape.receive_ts // 1000).tolist()  # DuckDB before 2.0 has no finer ones with a zone
        kinds = [KINDS[k] for k in tape.kind]
        assert rows == [(k, venue, symbol, d, us) for k, d, us in zip(kinds, dates, micros, strict=True)]

    def test_polars(self, root, tape):
        found = pl.scan_parquet(root, hive_partitioning=True).sort("ordinal").collect()
        assert found.columns == [*COLUMNS, "exchange", "symbol", "date"]
        assert found.schema["receive_ts"] == pl.Datetime("ns", "UTC")
        assert isinstance(found.schema["kind"], pl.Categorical | pl.Enum)
        assert (found.schema["side"], found.schema["last"], found.schema["date"]) == (pl.Int8, pl.Boolean, pl.Date)
        assert found["receive_ts"].to_physical().to_list() == tape.receive_ts.tolist()
        assert found["kind"].cast(pl.String).to_list() == [KINDS[k] for k in tape.kind]
        assert found["symbol"].unique().to_list() == ["BTCUSDT"]

    def test_pandas(self, root, tape):
        found = pd.read_parquet(root).sort_values("ordinal")
        assert list(found.columns) == [*COLUMNS, "exchange", "symbol", "date"]
        assert str(found["exchange_ts"].dtype) == "datetime64[ns, UTC]"
        assert found["kind"].dtype == "category"
        assert found["kind"].tolist() == [KINDS[k] for k in tape.kind]
        assert found["price"].tolist() == tape.price.tolist()
        assert set(found["date"].astype(str)) == {"2026-01-04", "2026-01-05"}

    def test_pyarrow(self, root, tape):
        found = ds.dataset(root, format="parquet", partitioning="hive").to_table().sort_by("ordinal")
        assert found.schema.remove_metadata().names == [*COLUMNS, "exchange", "symbol", "date"]
        for name in COLUMNS:
            assert found.schema.field(name).type == TAPE_SCHEMA.field(name).type
        assert found["size"].to_pylist() == tape.size.tolist()

    def test_a_symbol_of_digits_is_a_number_unless_types_are_named(self, tmp_path, tape):
        """As docs/replay.md says, for each of them."""
        with TapeWriter(tmp_path, "digits") as writer:
            writer.write(Instrument("bybit_linear", "1000"), tape)
        files = f"{tmp_path}/*/*/*/*.parquet"
        assert duckdb.sql(f"select distinct symbol from '{files}'").fetchall() == [(1000,)]
        typed = f"read_parquet('{files}', hive_types = {{symbol: varchar}})"
        assert duckdb.sql(f"select distinct symbol, date from {typed} order by date").fetchall() == [
            ("1000", date(2026, 1, 4)),
            ("1000", date(2026, 1, 5)),
        ]
        found = pl.scan_parquet(
            tmp_path, hive_schema={"exchange": pl.String, "symbol": pl.String, "date": pl.Date}
        ).collect()
        assert found["symbol"].unique().to_list() == ["1000"]
        keys = ds.partitioning(
            pa.schema([("exchange", pa.string()), ("symbol", pa.string()), ("date", pa.date32())]), flavor="hive"
        )
        assert set(ds.dataset(tmp_path, partitioning=keys).to_table()["symbol"].to_pylist()) == {"1000"}


class TestUnknownBook:
    """Deltas without a snapshot before them are told of once, with file and row; they stay in the tape."""

    def told(self, root: Path, batch_rows: int = 1 << 16, **where: int) -> list[str]:
        lines: list[str] = []
        resume = where.pop("resume", None)
        reader = TapeReader(root, BTC, where.get("start"), where.get("end"), on_unknown_book=lines.append)
        list(reader.batches(batch_rows, resume))
        return lines

    @pytest.mark.parametrize("batch_rows", [1, 2, 5, 1 << 16])
    @pytest.mark.parametrize(
        ("script", "row"),
        [
            (Script().delta(1, [(99, 1)]), 0),
            (Script().trade(1, 1, 99, 1).delta(2, [(99, 1)], [(101, 1)]).snapshot(3, [(9, 1)], [(10, 1)]), 1),
            (Script().snapshot(1, [(99, 1)], [(101, 1)]).delta(2, [(98, 1)]).reset(3).delta(4, [(97, 1)]), 4),
            (Script().snapshot(1, [(99, 1)], [(101, 1)]).reset(2).trade(3, 1, 99, 1).delta(4, [(97, 1)]), 4),
            (Script().snapshot(1, [(99, 1)], [(101, 1)], torn=True).delta(2, [(98, 1)]), 2),
            (Script().snapshot(1, [(99, 1)], [(101, 1)]).reset(2).delta(3, [(97, 1)]).reset(4).delta(5, [(9, 1)]), 3),
            (Script().snapshot(1, [(99, 1)], [(101, 1)]).delta(2, [(98, 1)]).trade(3, 1, 99, 1), None),
            (Script().trade(1, 1, 99, 1).reset(2).snapshot(3, [(99, 1)], [(101, 1)]).delta(4, [(98, 1)]), None),
        ],
    )
    def test_the_first_is_named(self, tmp_path, script, row, batch_rows):
        batch = script.batch()
        (file,) = write(tmp_path, batch, row_group_rows=2)
        says = (
            []
            if row is None
            else [f"{file}: row {row}: a delta without a snapshot before it; until the next snapshot there is no book"]
        )
        assert self.told(tmp_path, batch_rows) == says
        assert same(read(tmp_path, batch_rows=batch_rows), batch)

    def test_the_row_is_counted_in_its_file(self, tmp_path, tape):
        """After the reset, row 4 and the first of a date, comes a delta."""
        kind, side = tape.kind.copy(), tape.side.copy()
        kind[5], side[5] = DELTA, 1
        files = write(tmp_path, tape._replace(kind=kind, side=side), [0, 3, 6, 10], row_group_rows=2)
        (line,) = self.told(tmp_path, 1)
        (third,) = (file for file in files if file.name == "w998-000001.parquet")
        assert line.startswith(f"{third}: row 1: ")

    def test_what_a_resumption_does_not_know_it_does_not_say(self, tmp_path):
        script = Script().snapshot(1, [(99, 1)], [(101, 1)]).delta(2, [(98, 1)]).delta(3, [(97, 1)])
        write(tmp_path, script.reset(4).delta(5, [(96, 1)]).batch())
        assert self.told(tmp_path, resume=3) == self.told(tmp_path)
        assert self.told(tmp_path, resume=5) == []

    def test_a_range_begins_where_the_book_is_known(self, tmp_path):
        script = Script().delta(1, [(99, 1)]).snapshot(2, [(99, 1)], [(101, 1)]).delta(3, [(98, 1)])
        write(tmp_path, script.batch())
        assert len(self.told(tmp_path)) == 1
        assert self.told(tmp_path, start=8) == []  # received as the delta of 3: from the snapshot on
        assert self.told(tmp_path, end=6) == []  # the delta of 1 is not in the range


def changed(tape: TapeBatch, row: int, **values: object) -> TapeBatch:
    columns = {name: column.copy() for name, column in tape._asdict().items()}
    for name, value in values.items():
        columns[name][row] = value
    return TapeBatch(**columns)


class TestFaults:
    """Each is one line that names the file, and the row where there is one."""

    def fails(self, root: Path, file: Path, says: str) -> None:
        with pytest.raises(TickwaxError) as caught:
            read(root, batch_rows=2)
        text = str(caught.value)
        assert "\n" not in text
        assert text.startswith(f"{file}: ")
        assert says in text

    def put(self, root: Path, table: pa.Table, **options: object) -> Path:
        file = instrument_dir(root, BTC) / "date=2026-01-05" / "f.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file, **options)
        return file

    @pytest.mark.parametrize(
        ("row", "values", "says"),
        [
            *[
                (2, {"price": price}, f"row 2: price {price} is not")
                for price in (0.0, -1.0, np.nan, np.inf, -np.inf, 1e155, np.nextafter(1e15, np.inf))
            ],
            *[
                (2, {"size": size}, f"row 2: size {size} is")
                for size in (-1.0, np.nan, np.inf, 1e155, np.nextafter(1e15, np.inf))
            ],
            (3, {"size": 0.0}, "row 3: size 0.0 is not between 0 and 1e+15, or a trade's is 0"),
            *[(8, {"side": side}, f"row 8: side {side} is not") for side in (0, 2, -2)],
            (4, {"side": 1}, "row 4: side 1 is not"),
            (0, {"ordinal": -1}, "row 0: ordinal -1 does not follow -1"),
            (5, {"ordinal": 4}, "row 5: ordinal 4 does not follow 4"),
            (6, {"ordinal": 3}, "row 6: ordinal 3 does not follow 5"),
            (6, {"ordinal": 7}, "row 6: ordinal 7 does not follow 5; rows are missing"),
            *[(5, {"exchange_ts": ts}, f"row 5: exchange_ts {ts} ns is not") for ts in (0, -1, 1 << 62)],
            *[(5, {"receive_ts": ts}, f"row 5: receive_ts {ts} ns is not") for ts in (0, -1, 1 << 62)],
            (2, {"sequence": -1}, "row 2: sequence -1 is negative"),
        ],
    )
    def test_a_bad_row(self, tmp_path, tape, row, values, says):
        bad = to_arrow(changed(tape, row, **values))
        self.fails(tmp_path, self.put(tmp_path, pa.Table.from_batches([bad])), says)

    def test_the_row_is_counted_in_its_file_and_from_its_first_row(self, tmp_path, tape):
        (first, second) = write(tmp_path, changed(tape, 8, price=-1.0), [0, 4, 10], row_group_rows=2)[-2:]
        assert first.name == "w999-000001.parquet" or first.name == "w999-000000.parquet"
        with pytest.raises(TickwaxError, match=f"{second}: row 4: price -1.0"):
            read(tmp_path)
        with pytest.raises(TickwaxError, match=f"{second}: row 4: price -1.0"):
            read(tmp_path, int(tape.receive_ts[8]))  # from the row group that holds the second snapshot

    def test_rows_before_a_bad_one_are_given(self, tmp_path, tape):
        self.put(tmp_path, pa.Table.from_batches([to_arrow(changed(tape, 5, price=-1.0))]))
        batches = TapeReader(tmp_path, BTC).batches(2)
        assert [next(batches).rows, next(batches).rows] == [2, 2]
        with pytest.raises(TickwaxError, match="row 5"):
            next(batches)

    @pytest.mark.parametrize("name", COLUMNS)
    def test_a_missing_column(self, tmp_path, tape, name):
        table = pa.Table.from_batches([to_arrow(tape)]).drop_columns([name])
        self.fails(tmp_path, self.put(tmp_path, table), f"no column '{name}'; a tape has ordinal, ")

    @pytest.mark.parametrize(
        ("name", "other"),
        [
            ("ordinal", pa.int32()),
            ("exchange_ts", pa.timestamp("us", "UTC")),
            ("receive_ts", pa.timestamp("ns")),
            ("sequence", pa.string()),
            ("kind", pa.string()),
            ("side", pa.int64()),
            ("price", pa.float32()),
            ("last", pa.int8()),
        ],
    )
    def test_a_column_of_another_type(self, tmp_path, tape, name, other):
        table = pa.Table.from_batches([to_arrow(tape)])
        n = table.column_names.index(name)
        table = table.set_column(n, name, table[name].cast(other))
        self.fails(tmp_path, self.put(tmp_path, table), f"column '{name}' is {other}, in a tape it is ")

    @pytest.mark.parametrize("name", COLUMNS)
    def test_nulls(self, tmp_path, tape, name):
        table = pa.Table.from_batches([to_arrow(tape)])
        values = table[name].to_pylist()
        values[5] = None
        words = pa.array(values, pa.string()).dictionary_encode() if name == "kind" else None
        column = pa.array(values, table[name].type) if words is None else words.cast(table[name].type)
        table = table.set_column(table.column_names.index(name), name, column)
        self.fails(tmp_path, self.put(tmp_path, table, row_group_size=3), f"row 5: column '{name}' is null")

    @pytest.mark.parametrize("word", ["snap", "", "Trade"])
    def test_an_unknown_kind(self, tmp_path, tape, word):
        words = [word if n == 3 else KINDS[k] for n, k in enumerate(tape.kind)]
        table = pa.Table.from_batches([to_arrow(tape)]).set_column(4, "kind", pa.array(words).dictionary_encode())
        self.fails(tmp_path, self.put(tmp_path, table), "row 3: kind is none of snapshot, delta, trade, reset")

    def test_a_kind_that_is_no_text(self, tmp_path, tape):
        raw = pa.array([b"\xff" if k == TRADE else b"delta" for k in tape.kind]).dictionary_encode()
        words = pa.Array.from_buffers(pa.string(), len(raw.dictionary), raw.dictionary.buffers())
        broken = pa.DictionaryArray.from_arrays(raw.indices, words)
        table = pa.Table.from_batches([to_arrow(tape)]).set_column(4, "kind", broken)
        self.fails(tmp_path, self.put(tmp_path, table), "cannot be read: 'utf-8' codec")

    def test_words_in_an_order_of_their_own_are_fine(self, tmp_path, tape):
        words = pa.array([KINDS[k] for k in tape.kind][::-1]).dictionary_encode().dictionary
        indices = pa.array([words.to_pylist().index(KINDS[k]) for k in tape.kind], pa.int16())
        kinds = pa.DictionaryArray.from_arrays(indices, words)
        self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]).set_column(4, "kind", kinds))
        assert same(read(tmp_path), tape)

    @pytest.mark.parametrize("cut", [0, 7, 300, -1])
    def test_not_parquet(self, tmp_path, tape, cut):
        file = self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]))
        file.write_bytes(file.read_bytes()[:cut])
        self.fails(tmp_path, file, "not a Parquet file: ")

    def test_damaged_pages(self, tmp_path, tape):
        file = self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]), compression="zstd")
        data = bytearray(file.read_bytes())
        data[4:600] = bytes(596)
        file.write_bytes(data)
        self.fails(tmp_path, file, "cannot be read: ")

    def test_no_statistics(self, tmp_path, tape):
        file = self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]), write_statistics=False)
        self.fails(tmp_path, file, "column 'ordinal' has no statistics")

    def test_overlapping_files(self, tmp_path, tape):
        (file, _) = write(tmp_path, tape.slice(3, 10))
        self.put(tmp_path, pa.Table.from_batches([to_arrow(tape.slice(0, 4))]))
        self.fails(tmp_path, file, "ordinals from 3 overlap those of f.parquet, up to 3")

    def test_the_same_file_twice(self, tmp_path, tape):
        file = self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]))
        copy = file.with_name("g.parquet")
        copy.write_bytes(file.read_bytes())
        self.fails(tmp_path, copy, "ordinals from 0 overlap those of f.parquet, up to 9")

    def test_no_rows(self, tmp_path, tape):
        for root in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(TickwaxError, match=f"^{root}: the tape has no rows of binance_futures:BTCUSDT$"):
                TapeReader(root, BTC)
        self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]).slice(0, 0))
        with pytest.raises(TickwaxError, match=r"has no rows of binance_futures:BTCUSDT$"):
            TapeReader(tmp_path, BTC)
        self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]))
        with pytest.raises(TickwaxError, match=r"has no rows of bybit_linear:BTCUSDT$"):
            TapeReader(tmp_path, Instrument("bybit_linear", "BTCUSDT"))

    def test_an_empty_file_beside_others_is_fine(self, tmp_path, tape):
        write(tmp_path, tape)
        self.put(tmp_path, pa.Table.from_batches([to_arrow(tape)]).slice(0, 0))
        assert same(read(tmp_path), tape)
