"""The end of a recorded tape: what must be known to append to it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sources.builder import TapeTail
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import data_files


def find_tail(root: Path, instrument: Instrument) -> TapeTail:
    """Tail of an instrument's tape under ``root``; that of an empty tape if there is none.

    Only footers are read to find the newest rows (by ``ordinal``: a file's name and date need not tell), then the last
    row, then kinds backwards until a row that is no trade.

    Raises:
        TickwaxError: a file is no tape file.
    """
    tail = TapeTail()
    for _, path, group in sorted(_row_groups(root, instrument), reverse=True):
        with pq.ParquetFile(path) as file:
            rows = file.read_row_group(group, ["ordinal", "exchange_ts", "sequence", "kind", "last"])
        if tail.exchange_ts is None:
            last = rows.slice(rows.num_rows - 1).to_pylist()[0]
            tail.next_ordinal = last["ordinal"] + 1
            tail.exchange_ts = rows["exchange_ts"].cast(pa.int64())[-1].as_py()
            tail.torn = not last["last"]
        kinds = rows["kind"].cast(pa.string()).to_numpy()
        book = np.flatnonzero(kinds != "trade")
        if len(book):
            tail.book_sequence = rows["sequence"][int(book[-1])].as_py()
            tail.book_known = bool(kinds[book[-1]] != "reset")
            break
    return tail


def _row_groups(root: Path, instrument: Instrument) -> list[tuple[int, Path, int]]:
    """Every row group that has rows: its largest ordinal, file and number."""
    out: list[tuple[int, Path, int]] = []
    for path in data_files(root, instrument):
        try:
            meta = pq.read_metadata(path)
            column = meta.schema.to_arrow_schema().get_field_index("ordinal")
            if column < 0:
                raise TickwaxError(f"{path}: is no tape file: it has no column 'ordinal'")
            for group in range(meta.num_row_groups):
                chunk = meta.row_group(group).column(column)
                if chunk.num_values:
                    if chunk.statistics is None or chunk.statistics.max is None:
                        raise TickwaxError(f"{path}: has no statistics of 'ordinal'")
                    out.append((chunk.statistics.max, path, group))
        except (pa.ArrowInvalid, OSError) as e:
            raise TickwaxError(f"{path}: is no readable tape file: {e}") from e
    return out
