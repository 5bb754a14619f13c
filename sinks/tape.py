"""The tape on disk: a data set of tape rows, contiguous in ordinal within each file."""

from collections.abc import Mapping
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from operators.dictionary import describe
from sinks.data_file import FileFormat
from sinks.dataset import DatasetWriter
from sinks.format import Form
from sinks.identity import Identity
from sinks.tape_grid import TapeGrid
from sources.instrument import Instrument
from sources.tape.batch import InstrumentBatch, TapeBatch
from sources.tape.journal_reader import TAPE_FIELDS
from sources.tape.schema import CUT_LEVELS, TAPE_SCHEMA, to_arrow


def tape_format(compression: str = "snappy", own: Mapping[str, Mapping[str, str]] | None = None) -> FileFormat:
    """A tape row group: what repeats within a message goes through a dictionary, ordinals as differences.

    ``own``: as of `Identity`.
    """
    return FileFormat(
        schema=pa.schema([field.with_metadata(describe(field.name, "tape").metadata()) for field in TAPE_SCHEMA]),
        dictionary=("exchange_ts", "receive_ts", "sequence", "kind", "price", "size"),
        encoding={"ordinal": "DELTA_BINARY_PACKED", "side": "PLAIN", "last": "RLE"},
        row_group_rows=1 << 18,  # small enough that encoding begins while a file is still being imported
        compression=compression,
        identity=Identity("tape", own={} if own is None else own),
        summary=TapeGrid,
    )


_in_order = attrgetter(*(field.name for field in TAPE_FIELDS))


def tape_form(compression: str = "snappy") -> Form[InstrumentBatch]:
    """How tape rows are kept in a journal and in files."""
    return Form(
        data_set="tape",
        columns=(),
        fields=TAPE_FIELDS,
        file=tape_format(compression),
        arrays=lambda item: _in_order(item.batch),
        ts=lambda columns: columns["receive_ts"],
        arrow=lambda columns: to_arrow(TapeBatch(**columns)),
    )


class TapeWriter:
    """Writes tape batches of many instruments; ``with`` commits at the end, and leaves no trace after an error."""

    def __init__(self, root: Path, name: str, compression: str = "snappy") -> None:
        self._own: dict[str, dict[str, str]] = {}
        self._dataset = DatasetWriter(root, tape_format(compression, self._own), name)
        self.commit = self._dataset.commit
        self.abort = self._dataset.abort

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._dataset.__exit__(*failure)

    def tell(self, instrument: Instrument, settings: Mapping[str, str]) -> None:
        """Have the files of an instrument say this of themselves; before its first rows."""
        self._own.setdefault(str(instrument), {}).update(settings)

    def write(self, instrument: Instrument, batch: TapeBatch, cut_levels: int = 0) -> None:
        """Append rows, in order; ``cut_levels``: as of `InstrumentBatch`, and of an instrument always the same."""
        if cut_levels:
            self.tell(instrument, {CUT_LEVELS: str(cut_levels)})
        self._dataset.write(instrument, batch.receive_ts, partial(to_arrow, batch))
