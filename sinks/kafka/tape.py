"""Tape batches as messages: Arrow IPC, with the columns of the tape."""

from collections.abc import Iterator, Sequence

from sinks.kafka.message import Message, ipc_stream, rows_at_once
from sources.kafka.tape import SCHEMA, message_sum
from sources.tape.batch import InstrumentBatch, concat
from sources.tape.schema import to_arrow


class TapeMessages:
    """One Arrow IPC stream a batch. Headers: ``ordinal`` of the last row; ``rows``, how many; ``crc32``, a checksum."""

    def rows(self, batch: InstrumentBatch) -> int:
        """Number of rows in a batch."""
        return batch.batch.rows

    def size(self, batch: InstrumentBatch) -> int:
        """Bytes that a batch takes in memory."""
        return sum(column.nbytes for column in batch.batch)

    def messages(self, key: str, batches: Sequence[InstrumentBatch]) -> Iterator[Message]:
        """As few messages as there is room for."""
        joined = concat([batch.batch for batch in batches])
        if not joined.rows:
            return
        record = to_arrow(joined)
        most = rows_at_once(record)
        for start in range(0, joined.rows, most):
            part = record.slice(start, most)
            last = int(joined.ordinal[start + part.num_rows - 1])
            raw, value = key.encode(), ipc_stream(part)
            headers = [("schema", SCHEMA), ("ordinal", b"%d" % last), ("rows", b"%d" % part.num_rows)]
            headers.append(("crc32", message_sum(raw, value)))
            yield Message(raw, value, headers, part.num_rows)
