"""Feature rows as messages: JSON, one a row, or Arrow IPC, one a batch.

Headers of both: ``schema``; ``run``; ``ordinal``, that of the message's last row. Within one ``run`` an instrument's
rows rise in (ordinal, ts), so a consumer that keeps the last pair per key can drop what comes twice.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from operators.feature_rows import FeatureRows, concat_rows
from operators.fractal import REGIMES
from operators.schema import ROW_ORDINAL, Column
from sinks.kafka.message import Headers, Message, ipc_stream, rows_at_once
from sinks.replay_sink import rows_schema, rows_to_arrow
from sources.instrument import Instrument

SCHEMA = b"tickwax.features/1"  # rises when a column changes its meaning


class _RowsEncoding:
    def __init__(self, columns: Sequence[Column], run: str) -> None:
        """``run``: names the stream of rows within which (ordinal, ts) rise; the same when a run is resumed."""
        self._columns = columns
        self._run = run.encode()

    def rows(self, batch: FeatureRows) -> int:
        """Number of rows in a batch."""
        return batch.rows

    def size(self, batch: FeatureRows) -> int:
        """Bytes that a batch takes in memory."""
        return sum(column.nbytes for column in batch)

    def _headers(self, ordinal: int) -> Headers:
        return [("schema", SCHEMA), ("run", self._run), ("ordinal", b"%d" % ordinal)]


class JsonRows(_RowsEncoding):
    """One JSON object a row: ``exchange``, ``symbol`` and every column; times are integers, nanoseconds since the
    epoch; a NaN is null."""

    def __init__(self, columns: Sequence[Column], run: str) -> None:
        super().__init__(columns, run)
        names = ("exchange", "symbol", *(c.name for c in columns))
        self._row = msgspec.defstruct("Row", [(name, Any) for name in names], gc=False)  # a third faster than a dict

    def messages(self, key: str, batches: Sequence[FeatureRows]) -> Iterator[Message]:
        """One message a row."""
        venue, symbol = Instrument.parse(key)
        encode, row, raw = msgspec.json.Encoder().encode, self._row, key.encode()
        for rows in batches:
            values = zip(*(_listed(rows, column) for column in self._columns), strict=True)
            for ordinal, columns in zip(rows.integer[ROW_ORDINAL].tolist(), values, strict=True):
                yield Message(raw, encode(row(venue, symbol, *columns)), self._headers(ordinal), 1)


class ArrowRows(_RowsEncoding):
    """One Arrow IPC stream a batch, with the columns of the features data set; header ``rows`` tells how many."""

    def __init__(self, columns: Sequence[Column], run: str) -> None:
        super().__init__(columns, run)
        self._schema = rows_schema(columns)

    def messages(self, key: str, batches: Sequence[FeatureRows]) -> Iterator[Message]:
        """As few messages as there is room for."""
        joined = concat_rows(list(batches))
        if joined is None:
            return
        batch = rows_to_arrow(joined, self._columns, self._schema)
        most = rows_at_once(batch)
        for start in range(0, joined.rows, most):
            part = batch.slice(start, most)
            last = start + part.num_rows - 1
            headers = [*self._headers(int(joined.integer[ROW_ORDINAL][last])), ("rows", b"%d" % part.num_rows)]
            yield Message(key.encode(), ipc_stream(part), headers, part.num_rows)


ROW_ENCODINGS: dict[str, Callable[[Sequence[Column], str], JsonRows | ArrowRows]] = {
    "json": JsonRows,
    "arrow": ArrowRows,
}


def _listed(rows: FeatureRows, column: Column) -> list[Any]:
    values: Any = getattr(rows, column.array)[column.row]
    if column.type == "regime":
        return [REGIMES[code] if code >= 0 else None for code in values.tolist()]
    if column.type == "uint8":
        return values.view(np.uint8).tolist()
    return values.tolist()
