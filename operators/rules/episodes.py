"""Episodes: a position from its entry until it is flat, and what was known at its decision (docs/reflecting.md, 2)."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from operators.config import FeatureConfig
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.words import ACCEPTED, CANCELLED, EXPIRED, FILLED
from operators.row_batch import NO_CODE, TS, RowBatch, RowSchema
from operators.rules.episode_state import REMEMBERED, TIMES, Episode, EpisodeState, dump, load
from operators.rules.schemas import entry_columns, episodes_schema
from operators.schema import column_row
from sources.tape.batch import Float64s, Int64s


class MismatchError(ValueError):
    """Fills and equity are not of one run."""


class EpisodeBuilder:
    """Turns one instrument's rows of features, orders, fills and equity into rows of episodes.

    The split of the rows into batches changes no bit: which fills come before a feature row tells its ``volume``, the
    sum of theirs. Times of rows are taken as their running maximum.
    """

    def __init__(self, columns: Sequence[str], regime_row: int, latency_ns: int) -> None:
        """Args:
        columns: of features, whose values at the entry row are kept: all rows of ``value``.
        regime_row: of ``code``, with the regime.
        latency_ns: from a decision to the exchange.
        """
        self.columns = list(columns)
        self.schema: RowSchema = episodes_schema(self.columns)
        self._regime_row = regime_row
        self._latency = latency_ns
        self._state = EpisodeState()

    @classmethod
    def of(cls, config: FeatureConfig, latency_ns: int, forecasts: Sequence[str] = ()) -> Self:
        """One that keeps every column of float64 of these features, and of the forecasts behind them."""
        return cls(entry_columns(config, forecasts), column_row(config, "regime"), latency_ns)

    def process(self, features: RowBatch, orders: RowBatch, fills: RowBatch, equity: RowBatch) -> RowBatch:
        """Episodes that these rows complete.

        Args:
            features, equity: as many rows of each, in order.
            orders, fills: those that came with them.

        Raises:
            MismatchError: they are not of one run.
        """
        if features.rows != equity.rows:
            raise MismatchError(f"{features.rows:,} feature rows, {equity.rows:,} rows of equity")
        self._note(orders)
        self._queue(fills)
        n = equity.rows
        if n == 0:
            return self._rows([])
        times = np.maximum(np.maximum.accumulate(equity.integer[TS]), self._state.now)
        values = equity.value
        mid, volume = values[_row(EQUITY, "mid")], values[_row(EQUITY, "volume")]
        regime, columns = features.code[self._regime_row], features.value
        at = 0
        while self._state.fills and self._state.fills[0][-1] <= volume[-1]:
            fill = self._state.fills.popleft()
            k = int(np.searchsorted(volume, fill[-1]))  # the first row after it
            if volume[k] != fill[-1] and not (self._state.fills and self._state.fills[0][-1] <= volume[k]):
                raise MismatchError(f"the fills come to a volume of {fill[-1]!r}, equity to {volume[k]!r}")
            self._pass(times[at:k], mid[at:k])
            at = k
            self._take(fill, (times[:k], columns[:, :k], regime[:k]))
        self._pass(times[at:], mid[at:])
        self._mark(times, mid)
        self._remember(times, columns, regime)
        self._state.now, self._state.mid = int(times[-1]), float(mid[-1])
        if not self._state.fills:
            for order_id in self._state.done:
                self._state.arrived.pop(order_id, None)
            self._state.done.clear()
        out = []
        while self._state.closed and not self._state.closed[0].unmarked:
            out.append(self._state.closed.popleft())
        return self._rows(out)

    def end(self) -> RowBatch:
        """Episodes whose markouts the rows end before; one that is not flat yet is none."""
        self._mark(np.array([self._state.now + 1]), np.array([self._state.mid]))
        out, self._state.closed = list(self._state.closed), deque()
        return self._rows(out)

    def snapshot(self) -> bytes:
        """What is remembered, as bytes (`operators.rules.episode_state`)."""
        return dump(self._state, len(self.columns))

    def resume(self, data: bytes) -> None:
        """Take up a `snapshot` of a builder of the same columns.

        Raises:
            ValueError: it is none, or of another version or other columns.
        """
        self._state = load(data, len(self.columns))

    def _note(self, orders: RowBatch) -> None:
        status, ids = (
            orders.code[_row(ORDERS, "status")] if orders.rows else (),
            orders.integer[_row(ORDERS, "order_id")],
        )
        for i, what in enumerate(status):
            if what == ACCEPTED:
                self._state.arrived.setdefault(int(ids[i]), int(orders.integer[TS, i]))
            elif what in (FILLED, CANCELLED, EXPIRED):
                self._state.done.append(int(ids[i]))

    def _queue(self, fills: RowBatch) -> None:
        if fills.rows == 0:
            return
        side, liquidity = (fills.code[_row(FILLS, name)].tolist() for name in ("side", "liquidity"))
        price, size, fee, position = (
            fills.value[_row(FILLS, name)].tolist() for name in ("price", "size", "fee", "position")
        )
        ids = fills.integer[_row(FILLS, "order_id")].tolist()
        for i, ts in enumerate(fills.integer[TS].tolist()):
            self._state.volume += price[i] * size[i]
            told = (ts, ids[i], side[i], liquidity[i], price[i], size[i], fee[i], position[i], self._state.volume)
            self._state.fills.append(told)

    def _take(self, fill: tuple[Any, ...], seen: tuple[Int64s, Float64s, Any]) -> None:
        ts, order_id, side, liquidity, price, size, fee, position, _ = fill
        before, self._state.position = self._state.position, position
        closing = min(size, abs(before)) if before * side < 0 else 0.0
        if before * position < 0 or position == 0.0:
            closing = abs(before)
        opening = abs(position) if before * position <= 0 else size - closing
        share = fee * (closing / size)
        if closing > 0 and self._state.open is not None:
            e = self._state.open
            e.net -= side * (price * closing) + share
            e.fees += share
            e.fills += 1
            e.position = position if before * position > 0 else 0.0
            if e.position == 0.0:
                e.closed_ts = ts
                self._state.closed.append(e)
                self._state.open = None
        if opening > 0:
            rest = fee - share if closing > 0 else fee
            if self._state.open is None:
                self._state.open = Episode(ts, order_id, side, liquidity, price, *self._entry(ts, order_id, seen))
                since = max(ts, int(seen[0][-1]) if len(seen[0]) else self._state.now)
                for h, waiting in enumerate(self._state.marking):
                    waiting.append((since + TIMES[h], self._state.open))
            e = self._state.open
            notional = price * opening
            e.net -= side * notional + rest
            e.fees += rest
            e.notional += notional
            e.fills += 1
            e.position = position
            e.size = max(e.size, abs(position))

    def _entry(self, ts: int, order_id: int, seen: tuple[Int64s, Float64s, Any]) -> tuple[int, int, Float64s]:
        """Time, regime and columns of the entry row: the last one before this fill whose time is not after the
        decision; else the oldest one that is remembered."""
        bound = self._state.arrived.get(order_id, ts) - self._latency
        room, parts = REMEMBERED, []
        for part in (seen, *reversed(self._state.past)):
            n = min(room, len(part[0]))
            if n == 0:
                continue
            parts.append(part if n == len(part[0]) else (part[0][-n:], part[1][:, -n:], part[2][-n:]))
            room -= n
        for times, columns, regime in parts:
            k = int(np.searchsorted(times, bound, side="right")) - 1
            if k >= 0:
                return int(times[k]), int(regime[k]), columns[:, k].copy()
        if parts:
            times, columns, regime = parts[-1]
            return int(times[0]), int(regime[0]), columns[:, 0].copy()
        return ts, NO_CODE, np.full(len(self.columns), np.nan)

    def _pass(self, times: Int64s, mid: Float64s) -> None:
        """Feature rows that no fill lies between."""
        if len(times) == 0:
            return
        if self._state.open is not None:
            outcome = self._state.open.net + self._state.open.position * mid
            self._state.open.best = max(self._state.open.best, float(outcome.max()))
            self._state.open.worst = min(self._state.open.worst, float(outcome.min()))

    def _mark(self, times: Int64s, mid: Float64s) -> None:
        """Markouts whose time these rows are beyond: at the mid of the last row not after it."""
        for h, waiting in enumerate(self._state.marking):
            while waiting and waiting[0][0] < times[-1]:
                then, e = waiting.popleft()
                k = int(np.searchsorted(times, then, side="right"))
                there = float(mid[k - 1]) if k > 0 else self._state.mid
                e.markouts[h] = 1e4 * e.side * (there - e.price) / e.price
                e.unmarked -= 1

    def _remember(self, times: Int64s, columns: Float64s, regime: Any) -> None:
        self._state.past.append((times, columns.copy(), regime.copy()))
        kept = sum(len(part[0]) for part in self._state.past)
        while kept - len(self._state.past[0][0]) >= REMEMBERED:
            kept -= len(self._state.past.popleft()[0])

    def _rows(self, episodes: list[Episode]) -> RowBatch:
        n = len(episodes)
        counts = self.schema.arrays
        integer, code = np.zeros((counts["integer"], n), np.int64), np.zeros((counts["code"], n), np.int8)
        value = np.zeros((counts["value"], n))
        for i, e in enumerate(episodes):
            integer[:, i] = e.closed_ts, e.opened_ts, e.entry_ts, e.order_id, e.fills
            code[:, i] = e.side, e.liquidity, e.regime
            bp = 1e4 / e.notional
            best, worst = (x * bp if np.isfinite(x) else np.nan for x in (e.best, e.worst))
            seconds = (e.closed_ts - e.opened_ts) / 1e9
            head = (e.size, e.price, e.notional, e.fees, e.net, e.net * bp, seconds, *e.markouts, best, worst)
            value[: len(head), i] = head
            value[len(head) :, i] = e.entry
        return RowBatch(integer, code, value, np.empty((0, 0)))


def _row(schema: RowSchema, name: str) -> int:
    column = schema.column(name)
    assert column is not None
    return column.row
