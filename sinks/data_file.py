"""One Parquet file that is being written: its layout, the rows that wait for it, and what closes it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sinks.disk import sync
from sinks.identity import SPAN, Identity
from sinks.parquet import CHECKSUMS, seal
from sources.instrument import Instrument


class Summary(Protocol):
    """What a file says of its rows, found while they are written."""

    def add(self, table: pa.Table) -> None:
        """Take rows that are written."""

    def metadata(self) -> dict[str, str]:
        """For the file, at its end."""


_BUFFER = 1 << 16  # bytes of a file; Parquet writes every page on its own, however small


@dataclass(frozen=True)
class FileFormat:
    """How one kind of data set is laid out inside its files."""

    schema: pa.Schema
    dictionary: Sequence[str]  # columns stored through a dictionary
    encoding: dict[str, str] = field(default_factory=dict)  # of the others
    row_group_rows: int = 1 << 19
    file_bytes: int = 1 << 30  # in memory, before compression; then a new file begins
    compression: str = "snappy"
    identity: Identity | None = None  # written into every file's metadata
    summary: Callable[[], Summary] | None = None  # what makes that of a file, for its metadata, too


Arrow = Callable[[Sequence[Any]], Sequence[pa.RecordBatch]]  # from items of an instrument, all their rows in order


def made_by_each(items: Sequence[Callable[[], pa.RecordBatch]]) -> list[pa.RecordBatch]:
    """The batches of items that are functions, which make one each."""
    return [item() for item in items]


class Part(NamedTuple):
    """Rows that wait: those of an item, or some of them."""

    item: Any
    start: int
    rows: int
    whole: bool


@dataclass
class DataFile:
    """The file that one instrument's rows go to now, and the rows that wait for it."""

    instrument: Instrument
    day: int
    final: Path
    staged: Path
    writer: pq.ParquetWriter | None = None  # the background thread's
    sink: pa.NativeFile | None = None
    waiting: list[Part] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    written: int = 0
    first_ts: int = 0
    last_ts: int = 0
    summary: Summary | None = None

    def append(self, parts: Sequence[Part], form: FileFormat, arrow: Arrow) -> None:
        """Write rows as row groups.

        Raises:
            OSError: the disk is full.
        """
        if self.writer is None:
            self.summary = form.summary and form.summary()
            self.sink = pa.BufferedOutputStream(pa.OSFile(str(self.staged), "wb"), _BUFFER)
            self.writer = pq.ParquetWriter(
                self.sink,
                form.schema if form.identity is None else _described(form.schema, form.identity, self.instrument),
                compression=form.compression,
                use_dictionary=list(form.dictionary),
                column_encoding=form.encoding or None,
                write_statistics=True,
                **CHECKSUMS,
            )
        if parts:
            table = _table(parts, arrow)
            if self.summary is not None:
                self.summary.add(table)
            self.writer.write_table(table, row_group_size=form.row_group_rows)

    def finish(self, form: FileFormat, durable: bool) -> None:
        """Write what a file says of itself, and close it; ``durable``: it is on the disk then.

        Raises:
            OSError: the disk is full.
        """
        if form.identity is not None and self.writer is not None:
            span = {"from": str(np.datetime64(self.first_ts, "ns")), "to": str(np.datetime64(self.last_ts, "ns"))}
            more = {} if self.summary is None else self.summary.metadata()
            self.writer.add_key_value_metadata({SPAN: json.dumps(span), **more})
        self.close()
        seal(self.staged)
        if durable:
            sync(self.staged)

    def close(self) -> None:
        """Let go of the file; may come more than once."""
        for each in (self.writer, self.sink):
            if each is not None:
                each.close()


def _table(parts: Sequence[Part], arrow: Arrow) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    for whole, group in groupby(parts, lambda part: part.whole):
        if whole:
            batches += arrow([part.item for part in group])
        else:
            batches += [b.slice(part.start, part.rows) for part in group for b in arrow([part.item])]
    return pa.Table.from_batches(batches)


def _described(schema: pa.Schema, identity: Identity, instrument: Instrument) -> pa.Schema:
    return schema.with_metadata({**(schema.metadata or {}), **identity.metadata(instrument)})
