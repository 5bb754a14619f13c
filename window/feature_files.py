"""Where the feature rows of an instrument lie by time, so that a stretch of a long recording is read alone."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from operators.row_batch import TS, RowBatch, RowSchema, concat_rows
from sinks.row_format import rows_from_arrow
from sources.errors import TickwaxError
from sources.parquet import CheckedFile
from sources.tape.arrow import from_arrow_array
from sources.tape.batch import Float64s

_AT_ONCE = 1 << 14


class _Group(NamedTuple):
    first: int  # time of the first row, ns
    last: int
    path: Path
    number: int


class FeatureIndex:
    """The row groups of one instrument.

    Attributes:
        span: time of the first and the last row, ns.
    """

    def __init__(self, files: Sequence[Path], schema: RowSchema) -> None:
        """Read the footers and the times at the ends of groups.

        Raises:
            TickwaxError: a file cannot be read, lacks a column, or there is no row.
        """
        self._schema = schema
        self._names = [column.name for column in schema.columns]
        groups: list[_Group] = []
        for path in files:
            with CheckedFile(path) as file:
                if lost := next((name for name in self._names if name not in file.schema.names), None):
                    raise TickwaxError(f"features.path: {path} has no column {lost!r}")
                for number in range(file.metadata.num_row_groups):
                    ts = from_arrow_array(file.group(number, ["ts"])["ts"].combine_chunks(), np.int64)
                    if len(ts):
                        groups.append(_Group(int(ts.min()), int(ts.max()), path, number))
        if not groups:
            raise TickwaxError(f"features.path: {files[0] if files else 'nothing'} has no row")
        self._groups = sorted(groups)
        self.span = (self._groups[0].first, max(group.last for group in groups))

    def rows(self, begin: int, end: int, most: int) -> RowBatch:
        """The first rows with begin ≤ ts ≤ end, in the order of time, in arrays of their own.

        Where the clock stepped back behind a reset, rows of the repeated time are left out.

        Raises:
            TickwaxError: a file is damaged, or holds a column of another type.
        """
        parts, taken, newest = [], 0, begin - 1
        for group in self._groups:
            if group.last < begin or group.first > end or taken >= most:
                continue
            with CheckedFile(group.path) as file:
                for batch in file.batches(_AT_ONCE, [group.number], self._names):
                    rows = self._read(group.path, batch)
                    ts = rows.integer[TS]
                    ahead = np.maximum.accumulate(np.concatenate([[newest], ts[:-1]]))
                    chosen = (ts > ahead) | ((ts == ahead) & (newest >= begin))
                    chosen &= (ts >= begin) & (ts <= end)
                    part = RowBatch._make(a[:, chosen] if a.size else a for a in rows)
                    part = part.slice(0, most - taken)
                    if part.rows:
                        parts.append(part)
                        taken += part.rows
                        newest = int(part.integer[TS, -1])
        return concat_rows(parts) or self._read_none()

    def newest(self) -> RowBatch:
        """The last row.

        Raises:
            TickwaxError: as `rows`.
        """
        last = self.span[1]
        found = self.rows(last, last, _AT_ONCE)
        return found.slice(found.rows - 1)

    def mids(self, count: int) -> Float64s:
        """So many mids, evenly over the time of the recording; NaN where there is none.

        Raises:
            TickwaxError: as `rows`.
        """
        begin, end = self.span
        wanted = np.linspace(begin, end, count)
        out = np.full(count, np.nan)
        firsts = [group.first for group in self._groups]
        by_group: dict[int, list[int]] = {}
        for i, ts in enumerate(wanted.tolist()):
            g = max(0, bisect_left(firsts, ts + 1) - 1)
            if self._groups[g].first <= ts + 1 and ts - 1 <= self._groups[g].last:
                by_group.setdefault(g, []).append(i)
        for g, places in by_group.items():
            with CheckedFile(self._groups[g].path) as file:
                table = file.group(self._groups[g].number, ["ts", "mid"])
            ts, mid = (table[name].combine_chunks() for name in ("ts", "mid"))
            times = from_arrow_array(ts, np.int64)
            found = np.clip(np.searchsorted(times, wanted[places]), 0, len(times) - 1)
            out[places] = mid.to_numpy(zero_copy_only=False)[found]
        return out

    def _read(self, path: Path, batch: object) -> RowBatch:
        try:
            return rows_from_arrow(batch, self._schema)
        except ValueError as e:
            raise TickwaxError(f"features.path: {path}: {e}") from None

    def _read_none(self) -> RowBatch:
        with CheckedFile(self._groups[0].path) as file:
            batch = next(iter(file.batches(1, [self._groups[0].number], self._names)))
        return self._read(self._groups[0].path, batch).slice(1)
