"""Order flow imbalance for notebooks: books go in as arrays of levels, one at a time or many at once.

The operator inside is the dataflow's (`operators.feature_engine`), with a row for every update and each book given as a
snapshot, so that the same books give the same bits.

    >>> ofi = OrderFlowImbalance(timeframes_ms=[1000])
    >>> book = dict(bid_prices=[99.0, 98.0], ask_prices=[101.0, 102.0], ask_quantities=[1.0, 1.0])
    >>> ofi.update("BTCUSDT", 0, bid_quantities=[3.0, 1.0], **book).ofi_level_0
    2.0
    >>> ofi.update("BTCUSDT", 100, bid_quantities=[3.5, 1.0], **book).ofi_level_0
    0.5
"""

import math
from bisect import bisect_right
from collections import namedtuple
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from operators.arguments import as_array, as_count, as_number
from operators.book_arrays import nanoseconds, refuse_crossed, side, snapshots
from operators.config import LONGEST_NS, MS, FeatureConfig, depth_label
from operators.feature_engine import FeatureEngine
from operators.row_batch import RowBatch
from operators.schema import feature_columns
from sources.tape.batch import Float64s
from sources.tape.bounds import LARGEST

_LONGEST_MS = LONGEST_NS // MS
_NO_HOLE = 1 << 62  # ns: no stretch without books makes the class forget
_MS_PER_SECOND = 1000


class _Layout:
    """Which features a configuration has, under the names that users see, and where the operator puts them."""

    def __init__(
        self, timeframes_ms: Sequence[int], depths: Sequence[int], definition: str, zscore_window: int
    ) -> None:
        spans = as_array("timeframes_ms", timeframes_ms).tolist()
        frames = [as_count("timeframes_ms", ms, 1, _LONGEST_MS) for ms in spans]
        levels = [as_count("depths", depth, 1) for depth in as_array("depths", depths).tolist()]
        if levels[:1] != [1]:
            raise ValueError(f"depths: {levels} does not begin with 1, the best level")
        if len(set(frames)) != len(frames) or not frames:
            raise ValueError(f"timeframes_ms: {frames} is empty, or has one twice")
        names = [_duration(ms) for ms in frames]
        try:
            self.config = FeatureConfig(
                sampling_ns=0,
                windows=tuple((name, ms * MS) for name, ms in zip(names, frames, strict=True)),
                depths=tuple(levels),
                ofi=definition,  # type: ignore[arg-type]  # checked there
                zscore_window=as_count("zscore_window", zscore_window, 2),
                max_hold_ns=_NO_HOLE,
                # Features that nobody asks for here, as short as they can be.
                price_d=1.0,
                volume_d=1.0,
                fdi_window=3,
                volatility_window=2,
            )
        except ValueError as e:
            raise ValueError(str(e).replace("ofi:", "definition:")) from None
        rows = {column.name: column.row for column in feature_columns(self.config) if column.array == "value"}
        chosen = {f"ofi_level_{0 if depth == 1 else depth}": rows[f"ofi_{depth_label(depth)}"] for depth in levels}
        chosen |= {f"ofi_{name}": rows[f"ofi_l0_{name}"] for name in names}
        chosen |= {f"ofi_zscore_{name}": rows[f"ofi_z_l0_{name}"] for name in names}
        chosen |= {name: rows[name] for name in ("vw_ofi", "ofi_momentum", "ofi_acceleration")}
        self.rows = np.array(list(chosen.values()))
        self.imbalances = np.array([rows[f"depth_imbalance_{depth_label(depth)}"] for depth in levels])
        self.features: Any = namedtuple("OfiFeatures", ["timestamp", *chosen])  # type: ignore[misc]

    def values(self, rows: RowBatch) -> Float64s:
        """Shape ``(features, rows)``."""
        return rows.value[self.rows]


class _Instrument:
    """What is remembered of one symbol."""

    def __init__(self, config: FeatureConfig) -> None:
        self.engine = FeatureEngine(config, full_depth=True)
        self.clock = -1  # ns
        self.updates = 0
        self.trade_times: list[int] = []
        self.trade_sizes: list[float] = []  # signed

    def advance(self, name: str, timestamp: float) -> int:
        """The clock at a time in ms: it never runs backwards."""
        self.clock = max(self.clock, nanoseconds(name, timestamp))
        return self.clock


class OrderFlowImbalance:
    """Order flow imbalance of any number of symbols, from successive books and trades.

    Features of an update, a named tuple:

    * ``timestamp``: ms, as the clock has it; it never runs backwards.
    * ``ofi_level_0``: flow at the best level since the update before; ``ofi_level_{D}``: at the D best levels. At a
      symbol's first update, which has no book before it: the volume imbalance ``Σ bids − Σ asks`` of these levels.
    * ``ofi_{w}``, such as ``ofi_1s``: sum of the best level's flow over ``(t − w, t]``; a first update counts 0 there.
    * ``ofi_zscore_{w}``: its z-score over the last ``zscore_window`` updates.
    * ``vw_ofi``: bids less asks of the 20 best levels, weighted by ``1/(1 + 100·|P − mid|/mid)``.
    * ``ofi_momentum``, ``ofi_acceleration``: change of the best level's flow from update to update, and its change.

    >>> ofi = OrderFlowImbalance(timeframes_ms=[1000])
    >>> level = dict(bid_prices=[99.0], ask_prices=[101.0], ask_quantities=[1.0])
    >>> ofi.update("BTCUSDT", 0, bid_quantities=[3.0], **level).ofi_1s
    0.0
    >>> ofi.update("BTCUSDT", 100, bid_quantities=[3.5], **level).ofi_1s
    0.5

    Sources: Cont, Kukanov & Stoikov 2014, section 2.1; Xu, Gould & Howison 2018, section 3
    (docs/features.md, 4.3 and 4.4).
    """

    def __init__(
        self,
        timeframes_ms: Sequence[int] = (100, 1000, 5000),
        *,
        depths: Sequence[int] = (1, 5, 10, 20),
        definition: Literal["cont", "depth"] = "cont",
        zscore_window: int = 1000,
        trade_history_ms: int = 60_000,
    ) -> None:
        """Args:
            timeframes_ms: windows of the rolling sums.
            depths: numbers of levels, rising from 1.
            definition: ``cont``, or ``depth``, the change of the volume imbalance.
            zscore_window: updates, 2 or more.
            trade_history_ms: how long trades are kept for `get_trade_imbalance`.

        Raises:
            ValueError: an argument is out of range; the text begins with its name.
        """
        self._layout = _Layout(timeframes_ms, depths, definition, zscore_window)
        self._history_ns = as_count("trade_history_ms", trade_history_ms, 1, _LONGEST_MS) * MS
        self._instruments: dict[str, _Instrument] = {}

    def update(
        self,
        symbol: str,
        timestamp: float,
        bid_prices: Any,
        bid_quantities: Any,
        ask_prices: Any,
        ask_quantities: Any,
    ) -> Any:
        """Take a symbol's next book; its features.

        Args:
            timestamp: ms.
            bid_prices, bid_quantities: levels, best first, at least one; quantities are positive.
            ask_prices, ask_quantities: likewise.

        Raises:
            ValueError: shapes differ, a number is not finite or not positive, prices are not sorted from the best
                outwards, or the best bid is not below the best ask; the text begins with the argument's name.
        """
        bids = side("bid_prices", bid_prices, "bid_quantities", bid_quantities, -1)
        asks = side("ask_prices", ask_prices, "ask_quantities", ask_quantities, 1)
        refuse_crossed(bids[0], asks[0])
        own = self._of(symbol)
        clock = own.advance("timestamp", timestamp)
        rows = own.engine.process(snapshots(np.array([clock]), *bids, *asks))
        assert rows is not None
        values = self._layout.values(rows)[:, 0]
        if own.updates == 0:
            values[: len(self._layout.imbalances)] = rows.value[self._layout.imbalances, 0]
        own.updates += 1
        return self._layout.features(clock / MS, *values.tolist())

    def add_trade(self, symbol: str, timestamp: float, quantity: float, is_buyer_maker: bool) -> None:
        """Take a trade: ``is_buyer_maker`` means that the seller was the aggressor, which counts negative.

        Raises:
            ValueError: the time or the quantity is out of range.
        """
        size = as_number("quantity", quantity)
        if size <= 0:
            raise ValueError(f"quantity: {quantity!r} is not positive")
        if size > LARGEST:
            raise ValueError(f"quantity: {quantity!r} is above {LARGEST:g}")
        own = self._of(symbol)
        clock = own.advance("timestamp", timestamp)
        own.trade_times.append(clock)
        own.trade_sizes.append(-size if is_buyer_maker else size)
        old = bisect_right(own.trade_times, clock - self._history_ns)
        if old > len(own.trade_times) // 2:  # now and then, so that each trade is moved a bounded number of times
            del own.trade_times[:old], own.trade_sizes[:old]

    def get_trade_imbalance(self, symbol: str, timestamp: float, window_ms: float = 1000) -> float:
        """Signed volume of the trades in ``(timestamp − window_ms, timestamp]``, correctly rounded; 0.0 if none.

        Raises:
            ValueError: the window is not positive, or reaches back beyond what is kept.
        """
        end = nanoseconds("timestamp", timestamp)
        span = as_number("window_ms", window_ms)
        kept = self._history_ns // MS
        if not 0 < span <= kept:
            raise ValueError(f"window_ms: {window_ms!r} is outside 0 (excluded) to trade_history_ms, {kept}")
        own = self._instruments.get(symbol)
        if own is None:
            return 0.0
        start = end - round(span * MS)
        if start < own.clock - self._history_ns:
            raise ValueError(f"timestamp: {timestamp!r} lies so far back that trades of its window are not kept")
        first, last = (bisect_right(own.trade_times, edge) for edge in (start, end))
        return math.fsum(own.trade_sizes[first:last])

    def reset(self, symbol: str | None = None) -> None:
        """Forget a symbol, or all of them."""
        if symbol is None:
            self._instruments.clear()
        else:
            self._instruments.pop(symbol, None)

    def _of(self, symbol: str) -> _Instrument:
        own = self._instruments.get(symbol)
        if own is None:
            own = self._instruments[symbol] = _Instrument(self._layout.config)
        return own


def order_flow_imbalance(
    timestamps: Any,
    bid_prices: Any,
    bid_quantities: Any,
    ask_prices: Any,
    ask_quantities: Any,
    timeframes_ms: Sequence[int] = (100, 1000, 5000),
    *,
    depths: Sequence[int] = (1, 5, 10, 20),
    definition: Literal["cont", "depth"] = "cont",
    zscore_window: int = 1000,
) -> Any:
    """Features of one symbol's n successive books at once: the same bits as `OrderFlowImbalance.update` one by one.

    Args:
        timestamps: ms, shape ``(n,)``.
        bid_prices, bid_quantities: shape ``(n, levels)``, best first.
        ask_prices, ask_quantities: likewise; the number of levels may differ from that of the bids.

    Returns:
        The named tuple of `OrderFlowImbalance`, with arrays of shape ``(n,)``.

    Raises:
        ValueError: as `OrderFlowImbalance.update`; or no book at all.
    """
    layout = _Layout(timeframes_ms, depths, definition, zscore_window)
    bids = side("bid_prices", bid_prices, "bid_quantities", bid_quantities, -1, 2)
    asks = side("ask_prices", ask_prices, "ask_quantities", ask_quantities, 1, 2)
    times = as_array("timestamps", timestamps)
    rows = (len(times), len(bids[0]), len(asks[0]))
    if len(set(rows)) != 1:
        raise ValueError(f"timestamps: {rows[0]} of them, but {rows[1]} rows of bids and {rows[2]} of asks")
    if not len(times):
        raise ValueError("timestamps: empty")
    refuse_crossed(bids[0], asks[0])
    clock = np.maximum.accumulate(np.array([nanoseconds("timestamps", ms) for ms in times.tolist()], np.int64))
    done = FeatureEngine(layout.config, full_depth=True).process(snapshots(clock, *bids, *asks))
    assert done is not None
    values = layout.values(done)
    values[: len(layout.imbalances), 0] = done.value[layout.imbalances, 0]
    return layout.features(clock / MS, *values)


def _duration(ms: int) -> str:
    return f"{ms // _MS_PER_SECOND}s" if ms % _MS_PER_SECOND == 0 else f"{ms}ms"
