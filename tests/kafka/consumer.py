"""A consumer as docs/kafka.md describes it, no line of it from the engine."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

PAGE = Path(__file__).parents[2] / "docs" / "kafka.md"


def messages_rows(record: Any) -> list[dict[str, Any]]:
    """The rows of a message; times as integers."""
    if "rows" not in dict(record.headers):
        return [json.loads(record.value)]
    table = pa.ipc.open_stream(record.value).read_all()
    for name in ("ts", "receive_ts"):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.int64()))
    return table.to_pylist()


def without_duplicates(records: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows by key, each once, by the page's own code."""
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "def is_new" in block)
    rule: dict[str, Any] = {}
    exec(code, rule)
    for record in records:
        for row in messages_rows(record):
            if rule["is_new"](record, row):
                yield record.key.decode(), row
