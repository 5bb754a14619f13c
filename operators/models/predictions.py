"""The forecasts of one instrument's feature rows: the thin owner of a model's state (docs/forecasts.md, 6)."""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from operators.config import FeatureConfig
from operators.dictionary import describe
from operators.models import state_bytes
from operators.models.conformal import Pending, held, in_rings, pending, tell, with_room
from operators.models.drift import BINS, CHANGES, EDGES, FORGET, TOTAL, WIDTH, count_bins, population_stability
from operators.models.served import CLASSES, QUANTILES, ModelHead, ModelRows, ServedModel, forecasts
from operators.row_batch import (
    NO_CODE,
    NO_VALIDITY,
    TS,
    Column,
    Declared,
    RowBatch,
    RowSchema,
    concat_rows,
    row_schema,
)
from operators.schema import ROW_ORDINAL, SINCE_RESTART, column_row, feature_schema
from sources.instrument import Instrument
from sources.tape.batch import Float64s

FORECAST = "forecast_"  # begins the name of a number of the predictions where it stands beside the features

_TIME = "ns since 1970, UTC"
_SHOWN = 16  # digits of a model's identity
_ROWS = struct.Struct("<q")
_EMPTY = np.empty((0, 0))
_NUMBERS = len(QUANTILES) + 3  # of a horizon


def prediction_schema(head: ModelHead) -> RowSchema:
    """The data set of forecasts."""
    columns = [
        Declared("ts", "timestamp", unit=_TIME, definition="of the feature row"),
        Declared("receive_ts", "timestamp", unit=_TIME, definition="of the feature row"),
        Declared("ordinal", "int64", unit="rows", definition="of the feature row"),
    ]
    for horizon, _ in head.horizons:
        to = f"of ret_{horizon}"
        columns += [
            Declared(
                f"q{round(100 * level):02d}_{horizon}",
                "float64",
                unit="log return",
                definition=f"{level} quantile {to}",
            )
            for level in QUANTILES
        ]
        columns += [
            Declared(f"lo_{horizon}", "float64", unit="log return", definition=f"lower end of the 90 % interval {to}"),
            Declared(f"hi_{horizon}", "float64", unit="log return", definition=f"its upper end {to}"),
            Declared(
                f"epistemic_{horizon}", "float64", unit="log return", definition="the model's doubt; NaN if it has none"
            ),
        ]
    if head.classes:
        columns += [
            Declared(f"p_{name}", "float64", unit="probability", definition=f"that the barrier is {sign}")
            for name, sign in zip(CLASSES, ("-1", "0", "+1"), strict=True)
        ]
    return row_schema(
        "predictions",
        [
            *columns,
            Declared("in_sample", "bool", unit="flag", definition="ts is before the model's trained_until"),
            Declared(
                "model",
                "word",
                words=(head.identity[:_SHOWN],),
                unit="hash",
                definition=f"first {_SHOWN} digits of the model's identity",
            ),
        ],
    )


_ONE_SECOND = ModelHead("0" * 64, "", (), (("1s", 1_000_000_000),), 0, 0, _EMPTY)
EXAMPLE = prediction_schema(_ONE_SECOND)  # the data set of a model with one horizon


def forecast_columns(head: ModelHead) -> tuple[str, ...]:
    """What a strategy calls the numbers of the predictions, in their order.

    >>> forecast_columns(_ONE_SECOND)[::6]
    ('forecast_q05_1s', 'forecast_hi_1s')
    """
    return tuple(f"{FORECAST}{c.name}" for c in prediction_schema(head).columns if c.array == "value")


class Misses(NamedTuple):
    """Of one horizon: the share of returns outside of the calibrated, not adapted, interval, over the window in which
    ADWIN sees no change, NaN before a horizon has passed; and how many changes it has seen."""

    horizon: str
    share: float
    changes: int


class Predictor:
    """Turns one instrument's feature rows into its forecasts, of rows that are warm enough for the model.

    The split of the rows into batches changes no bit. At each restart of the features everything begins anew, what was
    learned of the intervals included: so a live run that is started again agrees with a replay.

    Attributes:
        columns: names of the numbers that `beside` gives.
    """

    def __init__(self, model: ServedModel, config: FeatureConfig, instrument: Instrument) -> None:
        """Args:
        config: of the features.

        Raises:
            ValueError: the model reads a column that these features do not have.
        """
        head = model.head
        self.columns = forecast_columns(head)
        self._model, self._instrument = model, instrument
        self._inputs = _Inputs(head.columns, config)
        self._mid, self._warm = column_row(config, "mid"), column_row(config, "warm")
        self._needs = needed_bits(head.columns)
        self._horizons = np.array([ns for _, ns in head.horizons], np.int64)
        known = head.reference.size > 0
        self._edges = np.ascontiguousarray(head.reference[:, :EDGES]) if known else None
        self._counts = np.zeros((len(head.columns), BINS + 1), np.int64)
        self._restart()

    def process(self, rows: RowBatch) -> RowBatch | None:
        """The forecasts of feature rows that follow those of the call before; None when there are none."""
        parts = []
        for part in self._parts(rows):
            is_warm, told = self._told(part)
            if told.shape[1]:
                parts.append(self._rows(part, is_warm, told))
        return concat_rows(parts)

    def beside(self, rows: RowBatch) -> Float64s:
        """The numbers of `process`, a column a feature row: NaN where the row is not warm enough for the model.

        Shape ``(columns, rows)``.
        """
        out = np.full((len(self.columns), rows.rows), np.nan)
        at = 0
        for part in self._parts(rows):
            is_warm, told = self._told(part)
            out[:, at + np.flatnonzero(is_warm)] = told
            at += part.rows
        return out

    def said(self, rows: RowBatch) -> RowBatch | None:
        """What `process` would have given of rows whose last values are those of `beside`. Nothing is computed again.

        None when there are none.
        """
        is_warm = self._is_warm(rows)
        if not is_warm.any():
            return None
        return self._rows(rows, is_warm, np.ascontiguousarray(rows.value[-len(self.columns) :, is_warm]))

    @property
    def stability(self) -> dict[str, float]:
        """Population stability index of each input against training, of some 20,000 rows; empty where the model does
        not tell what its training inputs were. Counted since the start, not kept by `snapshot`."""
        if self._edges is None:
            return {}
        found = population_stability(self._model.head.reference[:, EDGES:], self._counts)
        return dict(zip(self._model.head.columns, found.tolist(), strict=True))

    @property
    def misses(self) -> list[Misses]:
        """How the calibrated intervals of each horizon do since the restart."""
        m, names = self._pending.misses, self._model.head.horizons
        widths = np.maximum(m.counts[:, WIDTH], 1)
        shares = np.where(m.counts[:, WIDTH] > 0, m.sums[:, TOTAL] / widths, np.nan).tolist()
        seen = m.counts[:, CHANGES].tolist()
        return [Misses(*each) for each in zip((name for name, _ in names), shares, seen, strict=True)]

    def snapshot(self) -> bytes:
        """The whole state as bytes, the same for any split of the rows."""
        wait = held(self._pending)
        return _ROWS.pack(len(wait.ts)) + state_bytes.dump((self._state, wait), self._model.head.identity)

    def resume(self, data: bytes) -> None:
        """Take up a `snapshot`.

        Raises:
            ValueError: it is none, or of another model.
        """
        if len(data) < _ROWS.size or not 0 <= (rows := _ROWS.unpack_from(data)[0]) <= len(data):
            raise ValueError("not a state of forecasts")
        like = (self._model.start(self._instrument), pending(len(self._horizons), rows))
        self._state, wait = state_bytes.load(data[_ROWS.size :], like, self._model.head.identity)
        self._pending = in_rings(Pending(*wait), 0)

    def _is_warm(self, rows: RowBatch) -> Any:
        return rows.code[self._warm].view(np.uint8) & self._needs == self._needs

    def _rows(self, rows: RowBatch, is_warm: Any, told: Float64s) -> RowBatch:
        integer = np.ascontiguousarray(rows.integer[: ROW_ORDINAL + 1, is_warm])
        code = np.zeros((2, integer.shape[1]), np.int8)  # the model is the first of its words
        code[0] = integer[TS] < self._model.head.trained_until
        return RowBatch(integer, code, told, _EMPTY, NO_VALIDITY)

    def _count(self, inputs: Float64s) -> None:
        if self._edges is not None:
            count_bins(inputs, self._edges, self._counts)
            if self._counts[0].sum() >= FORGET:
                self._counts //= 2

    def _restart(self) -> None:
        self._state = self._model.start(self._instrument)
        self._pending = pending(len(self._horizons))

    def _parts(self, rows: RowBatch) -> Iterator[RowBatch]:
        """The rows between restarts; at each of them the state begins anew."""
        starts = np.flatnonzero(rows.integer[SINCE_RESTART] == 0).tolist()
        for start, stop in zip([0, *starts], [*starts, rows.rows], strict=True):
            if start in starts:
                self._restart()
            if stop > start:
                yield rows.slice(start, stop)

    def _told(self, rows: RowBatch) -> tuple[Any, Float64s]:
        """Of rows without a restart but before the first: which are warm, and the numbers of those, (columns, rows)."""
        head = self._model.head
        is_warm = self._is_warm(rows)
        integer = np.ascontiguousarray(rows.integer[: ROW_ORDINAL + 1, is_warm])
        n = integer.shape[1]
        found = forecasts(n, len(self._horizons))
        if n:
            inputs = self._inputs.of(rows, is_warm)
            self._model.step(self._state, ModelRows(integer[TS], integer[ROW_ORDINAL], inputs), found)
            self._count(inputs)
        self._pending = with_room(self._pending, rows.rows)
        told = np.empty((n, len(self._horizons), _NUMBERS))
        tell(
            self._pending, np.ascontiguousarray(rows.integer[TS]), np.ascontiguousarray(rows.value[self._mid]), is_warm,
            head.calibration, self._horizons, head.latency_ns, found.quantiles, found.epistemic, told,
        )  # fmt: skip
        numbers = told.reshape(n, len(self._horizons) * _NUMBERS).T
        return is_warm, np.ascontiguousarray(np.vstack([numbers, found.classes.T]) if head.classes else numbers)


def needed_bits(columns: tuple[str, ...]) -> int:
    """The bits of `warm` that a model's columns need, and the mid by which its intervals are judged."""
    bits = 0
    for name in (*columns, "mid"):
        bits |= describe(name, "features").warm
    return bits


class _Inputs:
    """Finds a model's columns in feature rows."""

    def __init__(self, names: tuple[str, ...], config: FeatureConfig) -> None:
        schema = feature_schema(config)
        found = [schema.column(name) for name in names]
        if None in found:
            raise ValueError(f"the model reads {names[found.index(None)]!r}, which these features do not have")
        self._columns: list[Column] = [column for column in found if column is not None]
        self._values = np.array([column.row for column in self._columns if column.array == "value"], np.intp)
        self._places = np.array([i for i, column in enumerate(self._columns) if column.array == "value"], np.intp)
        self._others = [(i, column) for i, column in enumerate(self._columns) if column.array != "value"]

    def of(self, rows: RowBatch, chosen: Any) -> Float64s:
        """Shape ``(chosen rows, columns)``; a word is its number, NaN where it is null."""
        out = np.empty((int(np.count_nonzero(chosen)), len(self._columns)))
        out[:, self._places] = rows.value[self._values][:, chosen].T
        for place, column in self._others:
            values: Any = getattr(rows, column.array)[column.row][chosen]
            if column.type == "uint8":
                values = values.view(np.uint8)
            out[:, place] = np.where(values == NO_CODE, np.nan, values) if column.type == "word" else values
        return out
