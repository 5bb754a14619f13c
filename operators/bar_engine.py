"""Bars of one instrument: the thin owner of a `bars.BarState`, fed with the order flow of the feature engine."""

from dataclasses import dataclass

import numpy as np

from operators import bars
from operators.bars import KINDS, TIME, BarRule, Bars
from operators.config import FeatureConfig, depth_label
from operators.feature_engine import FeatureEngine
from operators.row_batch import Declared, RowBatch, RowSchema, concat_rows, row_schema
from operators.schema import ROW_ORDINAL, column_row
from sources.tape.batch import Float64s, Int64s, TapeBatch, market_rows

_MOST_BARS = 4096  # that one call of the kernel has room for
_NO_HOLE = 1 << 62  # ns: order flow is compared across holes without an event, however long
_FEWEST, _MOST = 0.1, 10.0  # of the first bar's trades: bounds of what an imbalance bar is expected to have


@dataclass(frozen=True)
class BarConfig:
    """Which bars to make.

    Attributes:
        kind: one of `operators.bars.KINDS`.
        size: ns of a time bar; trades, base units or quote units of the others; of an imbalance bar the trades of the
            first one.
        depths: numbers of levels whose order flow is summed.
        span: bars over which the expectations of imbalance bars are averaged.

    Raises:
        ValueError: a value is out of its range; the text begins with its name.
    """

    kind: str
    size: float
    depths: tuple[int, ...] = (1,)
    span: int = 20

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is not one of {', '.join(KINDS)}")
        if not 0.0 < self.size < float("inf"):
            raise ValueError(f"size: {self.size} is not a positive number")
        if (self.kind in ("time", "tick") or self.kind.endswith("imbalance")) and self.size != int(self.size):
            raise ValueError(f"size: {self.size} is not a whole number")
        if self.span < 1:
            raise ValueError(f"span: {self.span} is less than 1")
        self.features()

    def features(self) -> FeatureConfig:
        """What the order flow of every update is computed with, and nothing else that takes time."""
        return FeatureConfig(
            sampling_ns=0,
            windows=(("1ns", 1),),
            depths=self.depths,
            zscore_window=2,
            max_hold_ns=_NO_HOLE,
            price_d=1.0,
            volume_d=1.0,
            fdi_window=3,
            volatility_window=2,
        )

    def rule(self) -> BarRule:
        """The same for the kernels."""
        first = 1.0 if KINDS.index(self.kind) == TIME else self.size
        return BarRule(
            KINDS.index(self.kind), self.size, 2.0 / (self.span + 1), max(1.0, _FEWEST * first), _MOST * first
        )


def bar_schema(config: BarConfig) -> RowSchema:
    """The bars data set: a row a bar, as `bars.close` writes it."""
    time, price, size = "ns since 1970, UTC", "quote currency", "base currency"
    integers = (
        ("ts", "timestamp", time, "end of the bar: of a time bar its interval's, else the clock at its last trade"),
        ("open_ts", "timestamp", time, "begin of a time bar's interval, else the clock at the first trade"),
        ("first_ordinal", "int64", "rows", "position of the first trade in the instrument's tape"),
        ("ordinal", "int64", "rows", "position of the last trade in the instrument's tape"),
        ("trades", "int64", "trades", "number of trades"),
    )
    values = (
        ("open", price, "price of the first trade"),
        ("high", price, "highest price"),
        ("low", price, "lowest price"),
        ("close", price, "price of the last trade"),
        ("volume", size, "sum of sizes"),
        ("notional", price, "sum of price times size"),
        ("taker_buy_volume", size, "sum of the sizes whose aggressor bought"),
        *(
            (
                f"ofi_{depth_label(d)}",
                size,
                f"order flow of the best {f'{d} levels' if d > 1 else 'level'} from the end of the bar before",
            )
            for d in config.depths
        ),
        ("vwap", price, "mean price by size: notional divided by volume"),
    )
    return row_schema(
        "bars",
        [
            *(Declared(n, kind, unit=unit, definition=text) for n, kind, unit, text in integers),  # type: ignore[arg-type]
            *(Declared(n, "float64", unit=unit, definition=text) for n, unit, text in values),
            Declared("whole", "bool", unit="flag", definition="false if a reset cut the bar short"),
        ],
    )


class BarEngine:
    """Turns one instrument's tape rows into bars. The split of the tape into batches changes no bit."""

    def __init__(self, config: BarConfig) -> None:
        features = config.features()
        self._flow = FeatureEngine(features, gil_rows=0)
        self._rows = [column_row(features, f"ofi_{depth_label(depth)}") for depth in config.depths]
        self._rule = config.rule()
        self._state = bars.bar_state(len(config.depths))

    def lead(self, batch: TapeBatch) -> None:
        """Rows before the first that bars are wanted of: they make the book known, and their trades are left out."""
        self._flow.process(batch)

    def process(self, batch: TapeBatch) -> RowBatch:
        """The bars (`bar_schema`) that these tape rows complete, or that a ``reset`` cuts short.

        Args:
            batch: the rows that follow those of the call before.
        """
        batch = market_rows(batch)
        updates = self._flow.process(batch)
        if updates is None:
            ordinal, flow = np.empty(0, np.int64), np.empty((len(self._rows), 0))
        else:
            ordinal, flow = updates.integer[ROW_ORDINAL], updates.value[self._rows]
        parts: list[RowBatch] = []
        row = update = 0
        while True:
            room = Bars(np.empty((6, _MOST_BARS), np.int64), np.empty((8 + len(flow), _MOST_BARS)))
            row, update, n = bars.run(batch, row, ordinal, flow, update, self._state, self._rule, room)
            parts.append(_rows(room.integer[:, :n], room.value[:, :n]))
            if row == batch.rows:
                joined = concat_rows(parts)
                assert joined is not None
                return joined


def _rows(integer: Int64s, value: Float64s) -> RowBatch:
    whole = integer[5:].astype(np.int8)
    return RowBatch(np.ascontiguousarray(integer[:5]), whole, np.ascontiguousarray(value), np.empty((0, 0)))
