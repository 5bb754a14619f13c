"""A consumer as the README describes it, no line of it from the engine."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa


def messages_rows(record: Any) -> list[dict[str, Any]]:
    """The rows of a message; times as integers."""
    if "rows" not in dict(record.headers):
        return [json.loads(record.value)]
    table = pa.ipc.open_stream(record.value).read_all()
    for name in ("ts", "receive_ts"):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.int64()))
    return table.to_pylist()


def without_duplicates(records: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows by key, each once."""
    last: dict[tuple[bytes, bytes], tuple[int, int]] = {}
    for record in records:
        stream = record.key, dict(record.headers)["run"]
        for row in messages_rows(record):
            place = row["ordinal"], row["ts"]
            if place > last.get(stream, (-1, -1)):
                last[stream] = place
                yield record.key.decode(), row
