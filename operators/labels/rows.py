"""Feature rows and their labels side by side: the rows of the data set `dataset` (docs/learning.md, 4)."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from operators.dictionary import describe
from operators.labels.config import LabelConfig
from operators.labels.engine import Labeller, LabelRows, Labels
from operators.labels.window import COLD, CUT, FLAT, KEPT, NO_PRICE
from operators.row_batch import TS, Declared, Layout, RowBatch, RowSchema
from sources.tape.batch import Int64s

HEAD = (Declared("ts", "timestamp"), Declared("receive_ts", "timestamp"), Declared("ordinal", "int64"))
WARM = Declared("warm", "uint8")
READ = ("mid", "bid_price", "ask_price", "volatility")  # what labels are made of
NOT_ON_MIDS = READ[1:3]
REASONS = {COLD: "cold", NO_PRICE: "no price", FLAT: "flat", CUT: "cut"}

Array = npt.NDArray[Any]

_ORDINAL = 2  # row of ``integer``
_TIME = "ns since 1970, UTC"


def label_columns(config: LabelConfig) -> list[Declared]:
    """The columns of the labels, in the order in which `RowLabeller` fills them."""
    returns = [
        Declared(f"ret_{text}", "float64", unit="log return", definition=f"mid {text} after ts over mid at the entry")
        for text, _ in config.horizons
    ]
    return [
        *returns,
        Declared("barrier", "int8", unit="sign", definition="barrier that is touched first, 0 the vertical one"),
        Declared("barrier_end", "timestamp", unit=_TIME, definition="first touch, or the vertical barrier"),
        Declared("label_end", "timestamp", unit=_TIME, definition="latest time that a label of the row knows of"),
        Declared("weight", "float64", unit="share", definition="average uniqueness of [ts, barrier_end]"),
        Declared("group", "int64", unit="segments", definition="number of the segment"),
    ]


def read_schema(columns: Iterable[Declared], executable: bool = True) -> RowSchema:
    """The feature columns to read: those of the data set in its order, then what the labels need besides.

    Args:
        executable: as of `LabelConfig`; labels on mids need no other prices.
    """
    layout, chosen = Layout(), list(columns)
    layout.add([*HEAD, *chosen, WARM])
    names = {column.name for column in chosen}
    layout.add(Declared(n, "float64") for n in READ if n not in names and (executable or n not in NOT_ON_MIDS))
    return layout.schema("features")


def dataset_schema(columns: Iterable[Declared], config: LabelConfig) -> RowSchema:
    """The data set: feature columns, `warm` and labels."""
    layout = Layout()
    layout.add([*map(_explained, HEAD), *map(_explained, columns), _explained(WARM), *label_columns(config)])
    return layout.schema("dataset")


def _explained(column: Declared) -> Declared:
    try:
        unit, definition, *_ = describe(column.name, "features")
    except KeyError:
        return column
    return column._replace(unit=unit, definition=definition)


def needed_bits(names: Sequence[str]) -> int:
    """The bits of `warm` that feature columns need, and what labels are made of."""
    bits = 0
    for name in (*names, *READ):
        try:
            bits |= describe(name, "features").warm
        except KeyError:  # none of ours
            continue
    return bits


@dataclass
class Counts:
    """What became of the feature rows of one instrument."""

    rows: int = 0
    kept: int = 0
    segments: int = 0
    left_out: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS.values(), 0))
    missing: dict[int, int] = field(default_factory=dict)  # rows that lack a bit of `warm`; a row may lack several


class RowLabeller:
    """Takes the feature rows of one instrument, and gives those that have labels, with them."""

    def __init__(self, config: LabelConfig, read: RowSchema, out: RowSchema, needs: int) -> None:
        """Args:
        read: `read_schema` of the columns.
        out: `dataset_schema` of the same.
        needs: bits of `warm` that a row must have.
        """
        self.counts = Counts(missing={1 << bit: 0 for bit in range(8) if needs >> bit & 1})
        self._labeller = Labeller(config)
        self._needs = needs
        places = {column.name: column.row for column in read.columns}
        self._warm = places["warm"]
        self._inputs = [places.get(name, places["mid"]) for name in READ]
        # The feature columns lie in both alike; those after them are the labels' in one, inputs in the other.
        labels = {column.name for column in label_columns(config)}
        features = [column for column in out.columns if column.name not in labels]
        self._integers = sum(column.array == "integer" for column in features)
        self._codes = sum(column.array == "code" for column in features)
        self._values = sum(column.array == "value" for column in features)
        self._pending: deque[RowBatch] = deque()  # rows whose labels are not known yet

    def process(self, rows: RowBatch, restarts: Int64s) -> list[RowBatch]:
        """Take the rows that follow those of the call before.

        Args:
            restarts: ordinals, rising, at which the features restart: those after the last row of the call before, up
                to the last row of this.

        Returns:
            Rows whose labels are known now.

        Raises:
            ValueError: a time steps back inside a segment.
        """
        before = np.searchsorted(restarts, rows.integer[_ORDINAL], "right")
        cuts = np.flatnonzero(np.diff(before, prepend=0))
        out: list[RowBatch] = []
        for start, stop in zip([0, *cuts], [*cuts, rows.rows], strict=True):
            if start in cuts:
                out += self._settled(self._labeller.end_segment())
            if stop > start:
                out += self._add(rows.slice(start, stop))
        return out

    def end(self) -> list[RowBatch]:
        """No more rows will come."""
        return self._settled(self._labeller.end())

    def _add(self, rows: RowBatch) -> list[RowBatch]:
        warm = rows.code[self._warm].view(np.uint8)
        for bit in self.counts.missing:
            self.counts.missing[bit] += int(np.count_nonzero(warm & bit == 0))
        self.counts.rows += rows.rows
        mid, bid, ask, deviation = (np.ascontiguousarray(rows.value[row]) for row in self._inputs)
        is_warm = warm & self._needs == self._needs
        labels = self._labeller.add(LabelRows(rows.integer[TS], mid, bid, ask, deviation, is_warm))
        self._pending.append(rows)
        return self._settled(labels)

    def _settled(self, labels: Labels) -> list[RowBatch]:
        """The pending rows that have labels now, and are kept."""
        n = len(labels.why)
        if not n:
            return []
        for code, reason in REASONS.items():
            self.counts.left_out[reason] += int(np.count_nonzero(labels.why == code))
        self.counts.segments = int(labels.group[-1]) + 1
        kept = labels.why == KEPT
        self.counts.kept += int(np.count_nonzero(kept))
        out, start = [], 0
        while start < n:
            rows = self._pending.popleft()
            stop = min(start + rows.rows, n)
            if stop - start < rows.rows:
                self._pending.appendleft(rows.slice(stop - start))
            if (at := np.flatnonzero(kept[start:stop])).size:
                out.append(self._joined(rows, Labels._make(each[..., start:stop] for each in labels), at))
            start = stop
        return out

    def _joined(self, rows: RowBatch, labels: Labels, at: Int64s) -> RowBatch:
        """Feature columns, then labels in the order of `label_columns`, of the rows that are kept.

        Args:
            at: their numbers, rising.
        """
        start, stop = int(at[0]), int(at[-1]) + 1
        chosen = slice(start, stop) if len(at) == stop - start else at

        def beside(features: Array, *columns: Array) -> Array:
            out = np.empty((len(features) + sum(len(each) for each in columns), len(at)), features.dtype)
            for row, column in zip(out, chain(features, *columns), strict=True):
                row[:] = column[chosen]
            return out

        return RowBatch(
            beside(rows.integer[: self._integers], labels.barrier_end[None], labels.end[None], labels.group[None]),
            beside(rows.code[: self._codes], labels.barrier[None]),
            beside(rows.value[: self._values], labels.returns, labels.weight[None]),
            np.empty((0, 0)),
        )
