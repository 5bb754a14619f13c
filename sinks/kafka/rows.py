"""Rows of a data set as messages: JSON, one a row, or Arrow IPC, one a batch.

Headers of both: ``schema``; ``run``; ``ordinal``, that of the message's last row, where the data set has ordinals.
Within one ``run`` an instrument's rows rise in (ordinal, ts), so a consumer that keeps the last pair per key can drop
what comes twice.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from operators.row_batch import Column, RowBatch, RowSchema, concat_rows
from sinks.kafka.message import Headers, Message, ipc_stream, rows_at_once
from sinks.row_format import arrow_schema, known, rows_to_arrow
from sources.instrument import Instrument

_VERSION = 1  # rises when a column changes its meaning


class _RowsEncoding:
    def __init__(self, schema: RowSchema, run: str) -> None:
        """``run``: names the stream of rows within which (ordinal, ts) rise; the same when a run is resumed."""
        self._schema = schema
        self._named = [("schema", f"tickwax.{schema.name}/{_VERSION}".encode()), ("run", run.encode())]
        ordinal = schema.column("ordinal")
        self._ordinal = None if ordinal is None else ordinal.row

    def rows(self, batch: RowBatch) -> int:
        """Number of rows in a batch."""
        return batch.rows

    def size(self, batch: RowBatch) -> int:
        """Bytes that a batch takes in memory."""
        return sum(column.nbytes for column in batch)

    def _headers(self, rows: RowBatch, row: int) -> Headers:
        if self._ordinal is None:
            return self._named
        return [*self._named, ("ordinal", b"%d" % rows.integer[self._ordinal, row])]


class JsonRows(_RowsEncoding):
    """One JSON object a row: ``exchange``, ``symbol`` and every column; times are integers, nanoseconds since the
    epoch; a NaN is null."""

    def __init__(self, schema: RowSchema, run: str) -> None:
        super().__init__(schema, run)
        names = ("exchange", "symbol", *(c.name for c in schema.columns))
        self._row = msgspec.defstruct("Row", [(name, Any) for name in names], gc=False)  # a third faster than a dict

    def messages(self, key: str, batches: Sequence[RowBatch]) -> Iterator[Message]:
        """One message a row."""
        venue, symbol = Instrument.parse(key)
        encode, row, raw = msgspec.json.Encoder().encode, self._row, key.encode()
        for rows in batches:
            values = zip(*(_listed(rows, column) for column in self._schema.columns), strict=True)
            for r, columns in enumerate(values):
                yield Message(raw, encode(row(venue, symbol, *columns)), self._headers(rows, r), 1)


class ArrowRows(_RowsEncoding):
    """One Arrow IPC stream a batch, with the columns of the data set; header ``rows`` tells how many."""

    def __init__(self, schema: RowSchema, run: str) -> None:
        super().__init__(schema, run)
        self._arrow = arrow_schema(schema)

    def messages(self, key: str, batches: Sequence[RowBatch]) -> Iterator[Message]:
        """As few messages as there is room for."""
        joined = concat_rows(list(batches))
        if joined is None:
            return
        batch = rows_to_arrow(joined, self._schema, self._arrow)
        most = rows_at_once(batch)
        for start in range(0, joined.rows, most):
            part = batch.slice(start, most)
            last = start + part.num_rows - 1
            headers = [*self._headers(joined, last), ("rows", b"%d" % part.num_rows)]
            yield Message(key.encode(), ipc_stream(part), headers, part.num_rows)


ROW_ENCODINGS: dict[str, Callable[[RowSchema, str], JsonRows | ArrowRows]] = {
    "json": JsonRows,
    "arrow": ArrowRows,
}


def _listed(rows: RowBatch, column: Column) -> list[Any]:
    values: Any = getattr(rows, column.array)[column.row]
    if column.type == "word":
        return [column.words[code] if code >= 0 else None for code in values.tolist()]
    if column.type == "uint8":
        values = values.view(np.uint8)
    elif column.type == "bool":
        values = values != 0
    listed: list[Any] = values.tolist()
    valid = known(rows, column)
    if valid is None:
        return listed
    return [value if there else None for value, there in zip(listed, valid.tolist(), strict=True)]
