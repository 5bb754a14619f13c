"""What a picture of recorded rows is drawn from: columns of one instrument, thinned while they are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataflows.assembly.tapes import time_text
from dataflows.reports.thinning import ThinnedCurve, ThinnedWords
from sinks.identity import data_set_of, settings_in
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import CheckedFile, read_schema
from sources.tape.arrow import from_arrow_array
from sources.tape.batch import Float64s, Int64s
from sources.tape.layout import data_files, instruments

REGIME = "regime"
FOREVER = (0, (1 << 63) - 1)

_BATCH = 1 << 17  # rows
_SHOWN = 8  # instruments that a message names
_WINDOWS = 63  # bits of `warm` that only a restart clears: 64 is of the book, 128 of a feature that may be off


@dataclass(frozen=True)
class Recording:
    """The rows of one instrument in a data set, within a range.

    Attributes:
        files: in the order of their rows.
        first, last: ns, times of the first and the last row of the range.
        rows: their number.
        longest: ns between two rows that belong together; None: not known.
    """

    root: Path
    instrument: Instrument
    files: Sequence[Path]
    schema: pa.Schema
    bounds: tuple[int, int]
    first: int
    last: int
    rows: int
    longest: int | None

    @property
    def data_set(self) -> str:
        """Its name, such as ``features``."""
        return data_set_of(self.schema)

    def unit(self, column: str) -> str:
        """Of a column; empty if its file does not tell."""
        return self._said(column, b"unit")

    def meaning(self, column: str) -> str:
        """Of a column, as the data dictionary has it; empty if its file does not tell."""
        return self._said(column, b"definition")

    def numbers(self) -> list[str]:
        """Columns that can be drawn as curves."""
        return [field.name for field in self.schema if _is_number(field.type)]

    def _said(self, column: str, what: bytes) -> str:
        metadata = self.schema.field(column).metadata or {}
        return str(metadata.get(what, b"").decode(errors="replace"))


@dataclass(frozen=True)
class Drawn:
    """What was read: by column its times, ns, and values, NaN where no line may be; stretches of a regime."""

    curves: dict[str, tuple[Int64s, Float64s]]
    regimes: Sequence[tuple[str, int, int]]


def open_recording(key: str, root: Path, symbol: str | None, bounds: tuple[int, int] = FOREVER) -> Recording:
    """Find the rows of an instrument.

    Args:
        key: what the folder is called in messages.
        symbol: ``venue:SYMBOL``; None: the only one there is.
        bounds: rows with ``bounds[0]`` ≤ ``ts`` < ``bounds[1]``.

    Raises:
        TickwaxError: it holds no data set, a tape, several instruments or only others, or no rows of the range; a file
            cannot be read.
    """
    instrument = _chosen(key, root, symbol)
    files = data_files(root, instrument)
    schema = read_schema(files[0])
    if data_set_of(schema) == "tape":
        raise TickwaxError(f"{key}: {root} holds a tape; tickwax replay makes features of it, which can be drawn")
    if "ts" not in schema.names:
        raise TickwaxError(f"{key}: {root} has no column 'ts', over which it could be drawn")
    rows = 0
    every: list[tuple[int, int]] = []
    spans: list[tuple[int, int]] = []
    for ts in (ts for file in files for ts in _times(file) if len(ts)):
        every.append(_span(ts))
        inside = ts[(ts >= bounds[0]) & (ts < bounds[1])]
        rows += len(inside)
        spans += [_span(inside)] if len(inside) else []
    if not spans:
        there = f"they go from {_text(every)}" if every else "there are none at all"
        raise TickwaxError(f"--start, --end: no rows of {instrument} in {root} are in that range; {there}")
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    return Recording(root, instrument, _in_order(files), schema, bounds, first, last, rows, _longest(files[0]))


def check_columns(recording: Recording, names: Sequence[str]) -> None:
    """Refuse columns that cannot be drawn.

    Raises:
        TickwaxError: there is none of this name, names the nearest; it holds words.
    """
    for name in names:
        if name not in recording.schema.names:
            near = get_close_matches(name, recording.schema.names, n=3)
            hint = (
                f"did you mean {' or '.join(near)}?"
                if near
                else f"there are {', '.join(recording.numbers()[:_SHOWN])} …"
            )
            raise TickwaxError(f"--columns: {name!r} is not in {recording.root}; {hint}")
        if not _is_number(recording.schema.field(name).type):
            hint = "; it is drawn as bands anyway" if name == REGIME else ""
            raise TickwaxError(f"--columns: {name!r} does not hold numbers{hint}")


def read_drawn(recording: Recording, names: Sequence[str], span: tuple[int, int], pixels: int) -> Drawn:
    """Read columns, a bounded number of rows at a time, and thin them.

    Args:
        names: columns of numbers.
        span: ns, of the x axis.
        pixels: of its width.

    Raises:
        TickwaxError: a file is damaged, or lacks a column.
    """
    curves = {name: ThinnedCurve(*span, pixels) for name in names}
    words = ThinnedWords(*span, min(pixels, 400))
    there = recording.schema.names
    others = [name for name in ("warm", REGIME) if name in there and name not in curves]
    restarts = _Restarts(recording.longest)
    for batch in _batches(recording, ["ts", *names, *others]):
        ts = from_arrow_array(batch["ts"], np.int64)
        broken = restarts.find(ts, _floats(batch["warm"]).astype(np.int64) if "warm" in there else None)
        for name, curve in curves.items():
            curve.add(ts, _floats(batch[name]), broken)
        if REGIME in others:
            column = batch[REGIME].dictionary_encode()
            places = column.indices.fill_null(-1).to_numpy().astype(np.int64)
            words.add(ts, column.dictionary.to_pylist(), places, broken)
    return Drawn({name: curve.curve() for name, curve in curves.items()}, words.stretches())


class _Restarts:
    """Rows to which no line leads from the row before: after a reset or a hole, as far as rows tell."""

    def __init__(self, longest: int | None) -> None:
        self._longest = longest
        self._ts: int | None = None
        self._warm = 0

    def find(self, ts: Int64s, warm: Int64s | None) -> Any:
        """For each row, whether it is the first after a restart."""
        if not len(ts):
            return np.empty(0, np.bool_)
        step = np.diff(ts, prepend=ts[0] if self._ts is None else self._ts)
        broken = step < 0
        if self._longest is not None:
            broken |= step > self._longest
        if warm is not None:  # what was warm is cold again
            before = np.append(self._warm, warm[:-1])
            broken |= (before & ~warm & _WINDOWS) != 0
            self._warm = int(warm[-1])
        self._ts = int(ts[-1])
        return broken


def _chosen(key: str, root: Path, symbol: str | None) -> Instrument:
    there = list(instruments(root))
    if not there:
        raise TickwaxError(f"{key}: {root} holds no data set")
    names = ", ".join(map(str, there[:_SHOWN])) + (" …" if len(there) > _SHOWN else "")
    if symbol is None and len(there) > 1:
        raise TickwaxError(f"--symbol: not given, and {root} holds {len(there):,} instruments: {names}")
    found = next((i for i in there if symbol in (None, str(i))), None)
    if found is None:
        raise TickwaxError(f"--symbol: {symbol} is not in {root}, which holds {names}")
    return found


def _batches(recording: Recording, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    start, end = recording.bounds
    for path in recording.files:
        with CheckedFile(path) as file:
            if lost := next((name for name in names if name not in file.schema.names), None):
                raise TickwaxError(f"{path}: no column {lost!r}, though other files have it")
            for group in range(file.metadata.num_row_groups):
                for batch in file.batches(_BATCH, [group], list(names)):
                    ts = from_arrow_array(batch["ts"], np.int64)
                    inside = (ts >= start) & (ts < end)
                    yield batch if inside.all() else batch.filter(pa.array(inside))


def _times(path: Path) -> Iterator[Int64s]:
    with CheckedFile(path) as file:
        for group in range(file.metadata.num_row_groups):
            for batch in file.batches(_BATCH, [group], ["ts"]):
                yield from_arrow_array(batch["ts"], np.int64)


def _in_order(files: Sequence[Path]) -> list[Path]:
    """By the first ordinal, or time: after a reset `ts` may step back to an earlier date's folder."""
    found = []
    for path in files:
        with CheckedFile(path) as file:
            key = "ordinal" if "ordinal" in file.schema.names else "ts"
            if file.metadata.num_rows:
                batch = next(file.batches(1, [0], [key]))
                found.append((int(from_arrow_array(batch[key], np.int64)[0]), path))
    return [path for _, path in sorted(found)]


def _longest(path: Path) -> int | None:
    """Between two rows of one segment, by the settings that the rows were computed with."""
    settings = settings_in(path) or {}
    sampling, hold = settings.get("features.sampling"), settings.get("features.max_hold")
    try:
        return Duration.parse(sampling).ns
    except ValueError:  # `update`, or not told
        return None if hold is None else Duration.parse(hold).ns


def _floats(column: pa.Array) -> Float64s:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _span(ts: Int64s) -> tuple[int, int]:
    return int(ts.min()), int(ts.max())


def _text(spans: Sequence[tuple[int, int]]) -> str:
    return f"{time_text(min(a for a, _ in spans))} to {time_text(max(b for _, b in spans))}"
