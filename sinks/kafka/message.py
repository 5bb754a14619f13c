"""Messages: what a batch becomes on its way to a topic."""

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import pyarrow as pa

T_contra = TypeVar("T_contra", contravariant=True)

MESSAGE_BYTES = 512 << 10  # of Arrow in a message, about; brokers take 1 MiB unless told otherwise

Headers = list[tuple[str, bytes]]


class Message(NamedTuple):
    """One message; ``rows``: how many rows it holds."""

    key: bytes
    value: bytes
    headers: Headers
    rows: int


class Encoding(Protocol, Generic[T_contra]):
    """How batches of one kind become messages."""

    def rows(self, batch: T_contra) -> int:
        """Number of rows in a batch."""

    def size(self, batch: T_contra) -> int:
        """Bytes that a batch takes in memory."""

    def messages(self, key: str, batches: Sequence[T_contra]) -> Iterable[Message]:
        """The messages of consecutive batches of one instrument, in order."""


def ipc_stream(batch: pa.RecordBatch) -> bytes:
    """A record batch as an Arrow IPC stream, schema first: any Arrow reads it without knowing more."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def rows_at_once(batch: pa.RecordBatch) -> int:
    """Rows of a batch that one message has room for."""
    return max(1, MESSAGE_BYTES * batch.num_rows // max(batch.nbytes, 1))
