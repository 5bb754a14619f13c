"""A data set that is no feature's takes every way that feature rows take: a schema is all that it costs."""

import json
import math
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.row_batch import Declared, RowBatch, RowSchema, concat_rows, row_batch, row_schema
from sinks.compaction import form_of, recover
from sinks.counted import newest_rows
from sinks.identity import Identity
from sinks.journal import JournalWriter
from sinks.kafka.rows import ArrowRows, JsonRows
from sinks.live_sink import LiveSink
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import ResumableSink
from sinks.row_format import arrow_schema, row_form, rows_to_arrow
from sinks.write_ahead_log import Rotation
from sources.errors import TickwaxError
from sources.tape.journal_format import Journal
from sources.tape.layout import beside

SECTION = {"unit": "a unit", "definition": "what it means"}
ORDERS = row_schema(
    "orders",
    [
        Declared("ts", "timestamp", **SECTION),
        Declared("order_id", "int64", **SECTION),
        Declared("seen_ts", "timestamp", True, **SECTION),
        Declared("side", "int8", **SECTION),
        Declared("price", "float64", True, **SECTION),
        Declared("size", "float64", **SECTION),
        Declared("status", "word", words=("accepted", "rejected", "filled"), **SECTION),
        Declared("reason", "word", True, ("grid", "no book"), **SECTION),
        Declared("own", "bool", **SECTION),
        Declared("bits", "uint8", **SECTION),
        Declared("step", "int8", True, **SECTION),
        Declared("mask", "uint8", True, **SECTION),
        Declared("last", "bool", True, **SECTION),
        Declared("count", "int64", True, **SECTION),
    ],
)
KEY = "bybit_linear:BTCUSDT"
DAY = 86_400 * 10**9
START = 19_700 * DAY - 5  # the first rows are of one day, the others of the next

Row = dict[str, Any]


def row(i: int) -> Row:
    return {
        "ts": START + i, "order_id": i, "seen_ts": None if i % 3 else START + i, "side": (-1) ** i,
        "price": None if i % 4 else 1.5 * i, "size": float("inf") if i == 7 else i / 7,
        "status": ("accepted", "rejected", "filled")[i % 3], "reason": (None, "grid", "no book")[i % 3],
        "own": i % 2 == 0, "bits": 250 + i % 6,
        "step": (None, -1, 127, -128)[i % 4], "mask": (0, None, 255)[i % 3], "last": (True, None, False)[i % 3],
        "count": (-(2**63), None)[i % 2],
    }  # fmt: skip


ROWS = [row(i) for i in range(40)]


def batch(rows: list[Row]) -> RowBatch:
    return row_batch(ORDERS, **{name: [r[name] for r in rows] for name in ROWS[0]})


def parts(cuts: list[int]) -> Iterator[RowBatch]:
    ends = sorted({0, len(ROWS), *cuts})
    return (batch(ROWS[start:stop]) for start, stop in pairwise(ends))


def check(root: Path) -> None:
    """DuckDB, Polars and PyArrow read the rows back, with nulls where there were."""
    files = sorted(root.rglob("*.parquet"))
    assert [f.parent.name for f in files] == ["date=2023-12-08", "date=2023-12-09"]
    tables = {
        "pyarrow": pa.concat_tables([pa.parquet.ParquetFile(file).read() for file in files]),
        "polars": pl.read_parquet(files, hive_partitioning=False).to_arrow(),
        "duckdb": duckdb.sql(f"select * from read_parquet({[str(f) for f in files]}, hive_partitioning=false)").arrow(),
    }
    for name, found in tables.items():
        table = found.read_all() if isinstance(found, pa.RecordBatchReader) else found
        for time_column in ("ts", "seen_ts"):
            place = table.schema.get_field_index(time_column)
            table = table.set_column(place, time_column, table[time_column].cast(pa.timestamp("ns")).cast(pa.int64()))
        assert table.to_pylist() == ROWS, name
    schema = pa.parquet.read_schema(files[0])
    assert [f.nullable for f in schema] == [c.nullable for c in ORDERS.columns]
    assert schema.field("size").metadata[b"definition"] == b"what it means"


@given(st.lists(st.integers(0, len(ROWS)), max_size=4))
def test_arrow_of_any_split(cuts: list[int]) -> None:
    arrow = arrow_schema(ORDERS)
    joined = concat_rows(list(parts(cuts)))
    assert joined is not None
    table = pa.Table.from_batches([rows_to_arrow(part, ORDERS, arrow) for part in parts(cuts)])
    assert table.combine_chunks().equals(pa.Table.from_batches([rows_to_arrow(joined, ORDERS, arrow)]))
    assert table["price"].to_pylist() == [r["price"] for r in ROWS]


def test_replay(tmp_path: Path) -> None:
    sink = ReplaySink(tmp_path / "orders", ORDERS, "x")
    part = sink.build("step", 0, 1)
    for rows in parts([3, 4, 20]):
        part.write_batch([(KEY, rows)])
    part.close()
    sink.commit()
    check(tmp_path / "orders")


def test_a_resumed_run(tmp_path: Path) -> None:
    """Killed after its second snapshot, with rows beyond it that do not count."""
    (tmp_path / "orders").mkdir()
    first, second, third = parts([10, 25])
    sink = ResumableSink(tmp_path / "orders", ORDERS, "x")
    at = sink.part_fn(KEY)
    part = sink.build_part("step", str(sink.list_parts()[at]), None)
    part.write_batch([(KEY, first)])
    part.write_batch([(KEY, second)])
    state = part.snapshot()
    part.write_batch([(KEY, third)])
    sink.abort()
    again = ResumableSink(tmp_path / "orders", ORDERS, "x")
    part = again.build_part("step", str(again.list_parts()[at]), state)
    part.write_batch([(KEY, third)])
    part.snapshot()
    part.close()
    again.commit()
    check(tmp_path / "orders")


@pytest.mark.parametrize("compacted", [True, False])
def test_a_live_run(tmp_path: Path, compacted: bool) -> None:
    root = tmp_path / "orders"
    root.mkdir()
    sink: LiveSink[RowBatch] = LiveSink(root, row_form(ORDERS), "x", Rotation(), time.monotonic)
    part = sink.build("step", 0, 1)
    for rows in parts([1, 2, 30]):
        part.write_batch([(KEY, rows)])
    if compacted:
        part.close()
    else:  # killed: the next writer finds the journal, and knows from it what its rows are
        from sinks.lock import only_writer

        with only_writer(root):
            pass
    check(root)


def test_a_journal_describes_its_rows(tmp_path: Path) -> None:
    form = row_form(ORDERS)
    writer = JournalWriter(tmp_path / "a.journal", form.description)
    writer.append([(KEY, form.arrays(rows)) for rows in parts([9])])
    description = Journal(tmp_path / "a.journal").description
    assert description is not None
    assert form_of(description).file.schema.equals(form.file.schema, check_metadata=True)
    assert form_of(description).fields == form.fields


def test_a_journal_of_the_first_version_knows_regimes() -> None:
    described = {
        "data_set": "rows", "compression": "snappy", "fields": [["integer", "<i8", 4], ["code", "|i1", 2]],
        "columns": [["ts", "timestamp", "integer", 0, "4.2"], ["regime", "regime", "code", 0, "4.7"]],
    }  # fmt: skip
    schema = form_of(described).file.schema
    assert schema.field("regime").type == pa.dictionary(pa.int8(), pa.string())
    assert [field.nullable for field in schema] == [False, True]


def test_json() -> None:
    messages = list(JsonRows(ORDERS, "run").messages(KEY, list(parts([5, 6]))))
    said = [json.loads(message.value) for message in messages]
    assert [{k: v for k, v in row.items() if k not in ("exchange", "symbol")} for row in said] == [
        {**row, "size": None if math.isinf(row["size"]) else row["size"]} for row in ROWS
    ]
    assert messages[0].headers == [("schema", b"tickwax.orders/1"), ("run", b"run")]


def test_arrow_messages() -> None:
    (message,) = ArrowRows(ORDERS, "run").messages(KEY, list(parts([5, 6])))
    table = pa.ipc.open_stream(message.value).read_all()
    assert table.drop_columns(["ts", "seen_ts"]).to_pylist() == [
        {k: v for k, v in row.items() if k not in ("ts", "seen_ts")} for row in ROWS
    ]


def test_bad_schemas_and_rows() -> None:
    with pytest.raises(ValueError, match="x: a column is declared twice: ts"):
        row_schema("x", [Declared("ts", "timestamp"), Declared("ts", "timestamp")])
    with pytest.raises(ValueError, match="x: the first column must be ts, a timestamp"):
        row_schema("x", [Declared("price", "float64")])
    for name, kind in (("ts", "timestamp"), ("ordinal", "int64")):
        columns = {"ts": Declared("ts", "timestamp"), name: Declared(name, kind, True)}  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"x: {name} cannot be null"):
            row_schema("x", list(columns.values()))
    with pytest.raises(ValueError, match="size: null in a column that has none"):
        batch([{**ROWS[0], "size": None}])
    with pytest.raises(ValueError, match="orders: columns differ in length"):
        row_batch(ORDERS, **{name: [r[name] for r in ROWS[: 1 + (name == "ts")]] for name in ROWS[0]})
    with pytest.raises(ValueError, match=r"orders: columns differ: \['bits'\]"):
        row_batch(ORDERS, **{name: [] for name in ROWS[0] if name != "bits"})


@pytest.mark.parametrize("there", [True, False])
def test_a_column_of_the_tapes_names_makes_no_tape(tmp_path: Path, there: bool) -> None:
    """`orders` has a column ``kind``: a killed run's rows appear all the same, beside those of another run."""
    orders = row_schema("orders", [Declared("ts", "timestamp"), Declared("kind", "word", words=("limit", "market"))])
    root = tmp_path / "orders"
    root.mkdir()
    form = row_form(orders, identity=Identity("orders"))
    if there:
        sink = ReplaySink(root, orders, "before", identity=Identity("orders"))
        part = sink.build("step", 0, 1)
        part.write_batch([(KEY, row_batch(orders, ts=[1], kind=["limit"]))])
        part.close()
        sink.commit()
    writer = JournalWriter(beside(root, "journal") / "live-0.journal", form.description)
    writer.append([(KEY, form.arrays(row_batch(orders, ts=[2], kind=["market"])))])
    writer.close()
    assert recover(root).rows == 1
    found = [
        kind for file in root.rglob("*.parquet") for kind in pa.parquet.ParquetFile(file).read()["kind"].to_pylist()
    ]
    assert sorted(found) == (["limit", "market"] if there else ["market"])


def test_the_journal_of_another_data_set_is_kept_aside(tmp_path: Path) -> None:
    root = tmp_path / "orders"
    sink = ReplaySink(root, ORDERS, "before", identity=Identity("orders"))
    part = sink.build("step", 0, 1)
    part.write_batch([(KEY, batch(ROWS[:3]))])
    part.close()
    sink.commit()
    fills = row_schema("fills", [Declared("ts", "timestamp")])
    form = row_form(fills, identity=Identity("fills"))
    writer = JournalWriter(beside(root, "journal") / "live-0.journal", form.description)
    writer.append([(KEY, form.arrays(row_batch(fills, ts=[2])))])
    writer.close()
    said: list[str] = []
    assert recover(root, said.append).rows == 0
    assert "is the journal of another data set: its rows are of fills" in said[0]


@pytest.mark.parametrize("columns", [("ts", "ordinal"), ("ts", "seen", "ordinal"), ("ts", "a", "b", "c", "ordinal")])
def test_the_newest_row_is_found_wherever_the_ordinal_stands(tmp_path: Path, columns: tuple[str, ...]) -> None:
    schema = row_schema("x", [Declared(n, "timestamp" if n == "ts" else "int64") for n in columns])
    root = tmp_path / "x"
    root.mkdir()
    sink = ResumableSink(root, schema, "x")
    at = sink.part_fn(KEY)
    part = sink.build_part("step", str(sink.list_parts()[at]), None)
    part.write_batch([(KEY, row_batch(schema, **{n: [10 * i, 10 * i + 1] for i, n in enumerate(columns)}))])
    state = part.snapshot()
    sink.abort()
    assert newest_rows(root, str(sink.list_parts()[at]), state) == {KEY: (1, 10 * len(columns) - 9)}


def test_a_run_goes_on_in_a_journal_of_its_own_form_only(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    narrow, wide = (row_schema("x", [Declared(n, "timestamp") for n in names]) for names in (["ts"], ["ts", "seen"]))
    sink = ResumableSink(tmp_path / "x", narrow, "x")
    name = str(sink.list_parts()[sink.part_fn(KEY)])
    part = sink.build_part("step", name, None)
    part.write_batch([(KEY, row_batch(narrow, ts=[1]))])
    state = part.snapshot()
    sink.abort()
    with pytest.raises(TickwaxError, match="has rows of another form; start anew"):
        ResumableSink(tmp_path / "x", wide, "x").build_part("step", name, state)


def test_columns_without_a_definition_borrow_none() -> None:
    fills = row_schema("fills", [Declared("ts", "timestamp"), Declared("price", "float64")])
    assert not arrow_schema(fills).field("price").metadata


@pytest.mark.parametrize(("declared", "problem"), [
    (Declared("symbol", "int64"), "symbol is the name of a partition"),
    (Declared("w", "word"), "w has words and is not of type word, or the other way round"),
    (Declared("w", "int64", words=("a",)), "w has words and is not of type word, or the other way round"),
    (Declared("w", "word", words=("a", "a")), "w has more than 127 words, or one twice"),
    (Declared("w", "word", words=tuple(map(str, range(128)))), "w has more than 127 words, or one twice"),
])  # fmt: skip
def test_columns_that_cannot_be(declared: Declared, problem: str) -> None:
    with pytest.raises(ValueError, match=f"x: {problem}"):
        row_schema("x", [Declared("ts", "timestamp"), declared])


def test_no_data_set_of_rows_is_called_tape() -> None:
    with pytest.raises(ValueError, match="cannot be called tape"):
        row_form(row_schema("tape", [Declared("ts", "timestamp")]))


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "timestamp": st.integers(0, 2**62),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(),
    "uint8": st.integers(0, 255),
    "int8": st.integers(-128, 127),
    "bool": st.booleans(),
    "word": st.sampled_from(("maker", "taker", "")),
}


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[RowSchema, list[Row]]:
    """A data set of any columns, and rows of it."""
    kinds = draw(st.lists(st.tuples(st.sampled_from(sorted(VALUES)), st.booleans()), max_size=8))
    columns = [Declared("ts", "timestamp")]
    for i, (kind, nullable) in enumerate(kinds):
        words = ("maker", "taker", "") if kind == "word" else ()
        columns.append(Declared(f"c{i}", kind, nullable, words))  # type: ignore[arg-type]
    cells = {c.name: VALUES[c.type] | st.none() if c.nullable else VALUES[c.type] for c in columns}
    return row_schema("any", columns), draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=12))


def told(value: Any) -> Any:
    """A value that equals itself: NaN by its name, and minus zero apart from zero."""
    return (repr(value),) if isinstance(value, float) else value


def listed(table: pa.Table, schema: RowSchema) -> list[Row]:
    for i, column in enumerate(schema.columns):
        if column.type == "timestamp":
            table = table.set_column(i, column.name, table[column.name].cast(pa.int64()))
    return [{name: told(value) for name, value in row.items()} for row in table.to_pylist()]


@settings(deadline=None)
@given(data_sets(), st.data())
def test_any_data_set_comes_back_from_any_split(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[RowSchema, list[Row]], data: st.DataObject
) -> None:
    """In Arrow, in a journal, and in messages: every value and every null, NaN apart from null."""
    schema, rows = drawn
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=3))
    each = [
        row_batch(schema, **{c.name: [r[c.name] for r in rows[start:stop]] for c in schema.columns})
        for start, stop in pairwise(sorted({0, len(rows), *cuts}))
    ]
    wanted = [{name: told(value) for name, value in row.items()} for row in rows]
    joined = concat_rows(each)
    assert joined is not None
    assert listed(pa.Table.from_batches([rows_to_arrow(joined, schema, arrow_schema(schema))]), schema) == wanted
    form = row_form(schema)
    path = tmp_path_factory.mktemp("any") / "a.journal"
    writer = JournalWriter(path, form.description)
    for part in each:
        writer.append([(KEY, form.arrays(part))])
    writer.close()
    journal = Journal(path)
    assert journal.description is not None
    again = form_of(journal.description)
    arrays = {field.name: journal.read(np.arange(len(journal.rows)), field.name) for field in again.fields}
    assert listed(pa.Table.from_batches([again.arrow(arrays)]), schema) == wanted
    messages = ArrowRows(schema, "run").messages(KEY, each)
    assert listed(pa.concat_tables([pa.ipc.open_stream(m.value).read_all() for m in messages]), schema) == wanted
    said = [json.loads(message.value) for message in JsonRows(schema, "run").messages(KEY, each)]
    names = [column.name for column in schema.columns]
    assert [{name: told(r[name]) for name in names} for r in said] == [
        {name: None if isinstance(v, float) and not math.isfinite(v) else told(v) for name, v in r.items()}
        for r in rows
    ]
