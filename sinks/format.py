"""How batches of one kind go into a journal, and from there into the files of a data set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sinks.data_file import FileFormat
from sources.tape.journal_format import Field

T = TypeVar("T")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Form(Generic[T]):
    """One kind of data set; ``T`` is what flows into its sink."""

    data_set: str  # its name
    columns: Sequence[Sequence[Any]]  # with the compression, all that is needed to make this form again
    fields: tuple[Field, ...]  # of a journal's items
    file: FileFormat
    arrays: Callable[[T], Sequence[Array]]  # a batch as those fields
    ts: Callable[[dict[str, Array]], npt.NDArray[np.int64]]  # of fields: what decides the date, ns
    arrow: Callable[[dict[str, Array]], pa.RecordBatch]  # of fields: the rows as they are in files

    @property
    def description(self) -> dict[str, Any]:
        """The first frame of a journal."""
        return {
            "data_set": self.data_set,
            "columns": self.columns,
            "compression": self.file.compression,
            "fields": self.fields,
            "identity": self.file.identity and self.file.identity.as_json(),
        }
