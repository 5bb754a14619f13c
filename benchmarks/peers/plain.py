"""Every feature in plain Python, as it is written by hand: dicts, sorted lists, deques and running sums.

No NumPy: per tick its calls cost more than these loops. Running sums are kept, nothing is computed twice, and a sum
drifts by its rounding errors, which tickwax's do not; otherwise the same columns, which a test holds against them.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from operator import mul
from typing import Any

from operators.config import BOOK_LEVELS, FeatureConfig
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch

Row = list[Any]
Tick = tuple[int, int, int, int, int, float, float, bool]


def ticks(batch: TapeBatch) -> list[Tick]:
    """Tape rows as Python's own numbers: what a script would have of its reader."""
    columns = (batch.ordinal, batch.exchange_ts, batch.receive_ts, batch.kind, batch.side, batch.price, batch.size)
    return list(zip(*(c.tolist() for c in (*columns, batch.last)), strict=True))


class Side:
    """One side of a book: sizes by key, and the keys sorted, best first (bids by their negative price)."""

    def __init__(self) -> None:
        self.sizes: dict[float, float] = {}
        self.keys: list[float] = []

    def set(self, key: float, size: float) -> None:
        """Absolute size; 0 removes."""
        if size == 0.0:
            if self.sizes.pop(key, None) is not None:
                del self.keys[bisect_left(self.keys, key)]
        else:
            if key not in self.sizes:
                insort(self.keys, key)
            self.sizes[key] = size


class Window:
    """Sums of the last ``width`` ns of events, each a list of numbers."""

    def __init__(self, width: int, columns: int) -> None:
        self.width = width
        self.events: deque[tuple[int, list[float]]] = deque()
        self.sums = [0.0] * columns

    def add(self, clock: int, values: list[float]) -> None:
        """One event."""
        self.events.append((clock, values))
        self.sums = [a + b for a, b in zip(self.sums, values, strict=True)]

    def slide(self, t: int) -> list[float]:
        """The sums over ``(t − width, t]``."""
        events, edge = self.events, t - self.width
        while events and events[0][0] <= edge:
            self.sums = [a - b for a, b in zip(self.sums, events.popleft()[1], strict=True)]
        if not events:
            self.sums = [0.0] * len(self.sums)
        return self.sums


class Moments:
    """Mean and deviation of the last ``length`` values."""

    def __init__(self, length: int) -> None:
        self.values: deque[float] = deque()
        self.length = length
        self.total = self.squares = 0.0

    def push(self, x: float) -> tuple[float, float]:
        """Add a value; mean and population standard deviation."""
        if len(self.values) == self.length:
            old = self.values.popleft()
            self.total -= old
            self.squares -= old * old
        self.values.append(x)
        self.total += x
        self.squares += x * x
        n = len(self.values)
        mean = self.total / n
        return mean, math.sqrt(max(self.squares / n - mean * mean, 0.0))


def weights(d: float, threshold: float) -> list[float]:
    """Weights of the fractional difference, oldest first."""
    w = [1.0]
    while len(w) < 10_000:
        k = len(w)
        following = -w[-1] * (d - k + 1) / k
        if abs(following) < threshold:
            break
        w.append(following)
    return w[::-1]


def difference(history: deque[float], w: list[float]) -> float:
    """Fractional difference of the newest value."""
    return sum(map(mul, w, history)) if len(history) == len(w) else math.nan


def variogram(x: Iterable[float]) -> float:
    """Fractal dimension of a window."""
    x = list(x)
    v1 = sum((a - b) ** 2 for a, b in zip(x[1:], x, strict=False)) / (len(x) - 1)
    v2 = sum((a - b) ** 2 for a, b in zip(x[2:], x, strict=False)) / (len(x) - 2)
    if v1 == 0.0:
        return 1.5
    return min(max(2.0 - 0.5 * math.log2(v2 / v1), 1.0), 2.0) if v2 > 0.0 else 2.0


class PlainFeatures:
    """One instrument's book and features, tick by tick; of `FeatureConfig` the default ``cont`` and ``variogram``."""

    def __init__(self, config: FeatureConfig) -> None:
        assert (config.ofi, config.fdi_method, config.depths[0]) == ("cont", "variogram", 1)
        self.config = config
        self.price_weights = weights(config.price_d, config.ffd_threshold)
        self.volume_weights = weights(config.volume_d, config.ffd_threshold)
        self.empty_book()
        self.restart()

    def empty_book(self) -> None:
        """No level is known."""
        self.bids, self.asks = Side(), Side()
        self.low, self.high = math.inf, -math.inf
        self.open_snapshot = self.known = False

    def restart(self) -> None:
        """Features begin anew; the book stays."""
        config = self.config
        depths = len(config.depths)
        self.now: int | None = None
        self.first_update: int | None = None
        self.next_row = 0
        self.rows = self.samples = self.trade_count = 0
        self.row_ofi = [0.0] * depths
        self.volume = self.notional = 0.0
        self.flows = [Window(ns, depths) for _, ns in config.windows]
        self.prints = [Window(ns, 1) for _, ns in config.windows]
        self.zscores = [Moments(config.zscore_window) for _ in range(depths * len(config.windows))]
        self.returns = Moments(config.volatility_window)
        self.volatility = 0.0
        self.log_prices: deque[float] = deque(maxlen=len(self.price_weights))
        self.log_volumes: deque[float] = deque(maxlen=len(self.volume_weights))
        self.mids: deque[float] = deque(maxlen=config.fdi_window)
        self.fdi = math.nan
        self.last_ofi = self.last_momentum = self.last_log_mid = 0.0
        self.top: tuple[list[float], ...] | None = None

    def process(self, tape: Iterable[Tick]) -> list[Row]:
        """Rows that these ticks complete, each a list in the order of the data set's columns."""
        out: list[Row] = []
        sampling, max_hold = self.config.sampling_ns, self.config.max_hold_ns
        for ordinal, ts, receive, kind, side, price, size, last in tape:
            if kind == RESET:
                self.empty_book()
                self.restart()
                self.ordinal, self.receive = ordinal, receive
                continue
            if self.now is None:
                self.now = ts
            elif ts > self.now:
                if ts - self.now > max_hold:
                    self.restart()
                elif sampling and self.first_update is not None:
                    while self.next_row < ts:
                        out.append(self.row(self.next_row))
                        self.next_row += sampling
                self.now = ts
            self.ordinal, self.receive = ordinal, receive
            if kind == TRADE:
                for window in self.prints:
                    window.add(self.now, [side * size])
                self.volume += size
                self.notional += price * size
                self.trade_count += 1
                self.open_snapshot = False
                continue
            if kind == DELTA and not self.known:
                self.open_snapshot = False
                continue
            if kind == SNAPSHOT:
                if not self.open_snapshot:
                    self.empty_book()
                self.known = last
                self.low, self.high = min(self.low, price), max(self.high, price)
            if side > 0:
                self.bids.set(-price, size)
            else:
                self.asks.set(price, size)
            self.open_snapshot = kind == SNAPSHOT and not last
            if last and self.update() and not sampling:
                out.append(self.row(self.now))
        return out

    def update(self) -> bool:
        """A book message is complete; whether it is an update."""
        bids, asks = self.bids, self.asks
        if not bids.keys or not asks.keys or -bids.keys[0] >= asks.keys[0]:
            return False
        bid_keys, ask_keys = bids.keys[:BOOK_LEVELS], asks.keys[:BOOK_LEVELS]
        top = (bid_keys, [bids.sizes[k] for k in bid_keys], ask_keys, [asks.sizes[k] for k in ask_keys])
        self.covered = self.low <= -bid_keys[-1] and -bid_keys[0] <= self.high and ask_keys[-1] <= self.high
        self.covered = self.covered and self.low <= ask_keys[0]
        depths = self.config.depths
        assert self.now is not None
        if self.first_update is None or self.top is None:
            self.first_update = self.now
            step = self.config.sampling_ns
            self.next_row = -(-self.now // step) * step if step else 0
            flows = [0.0] * len(depths)
        else:
            flows = self.flow(top, self.top, depths)
        self.top = top
        for window in self.flows:
            window.add(self.now, flows)
        self.row_ofi = [a + b for a, b in zip(self.row_ofi, flows, strict=True)]
        return True

    @staticmethod
    def flow(top: tuple[list[float], ...], old: tuple[list[float], ...], depths: tuple[int, ...]) -> list[float]:
        """Order flow of an update, by depth: the keys of both sides fall towards the best."""
        levels = max(depths)
        missing = [math.inf] * levels, [0.0] * levels
        bid, bid_size, ask, ask_size = (c + missing[i % 2][len(c) :] for i, c in enumerate(top))
        bid0, bid_size0, ask0, ask_size0 = (c + missing[i % 2][len(c) :] for i, c in enumerate(old))
        flows, total, m = [], 0.0, 0
        for depth in depths:
            while m < depth:
                b = (
                    bid_size[m]
                    if bid[m] < bid0[m]
                    else bid_size[m] - bid_size0[m]
                    if bid[m] == bid0[m]
                    else -bid_size0[m]
                )
                a = (
                    -ask_size0[m]
                    if ask[m] > ask0[m]
                    else ask_size[m] - ask_size0[m]
                    if ask[m] == ask0[m]
                    else ask_size[m]
                )
                total += b - a
                m += 1
            flows.append(total)
        return flows

    def row(self, t: int) -> Row:
        """The feature row of a time."""
        config = self.config
        assert self.top is not None
        assert self.first_update is not None
        bid_keys, bid_sizes, ask_keys, ask_sizes = self.top
        bid, ask, bid_size, ask_size = -bid_keys[0], ask_keys[0], bid_sizes[0], ask_sizes[0]
        mid = (bid + ask) / 2.0
        log_mid = math.log(mid)
        weighted = sum(q / (1.0 + 100.0 * abs(-k - mid) / mid) for k, q in zip(bid_keys, bid_sizes, strict=True))
        weighted -= sum(q / (1.0 + 100.0 * abs(k - mid) / mid) for k, q in zip(ask_keys, ask_sizes, strict=True))
        microprice = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
        row: Row = [t, self.receive, self.ordinal, bid, bid_size, ask, ask_size, mid, ask - bid, microprice]
        row += [sum(bid_sizes[:d]) - sum(ask_sizes[:d]) for d in config.depths]
        row.append(weighted)
        row += self.row_ofi
        sums = [window.slide(t) for window in self.flows]
        windowed = [s[d] for d in range(len(config.depths)) for s in sums]
        row += windowed
        for moments, x in zip(self.zscores, windowed, strict=True):
            mean, deviation = moments.push(x)
            flat = len(moments.values) < 2 or deviation <= 1e-9 * abs(mean)
            row.append(0.0 if flat else (x - mean) / max(deviation, 1e-8))
        momentum = self.row_ofi[0] - self.last_ofi if self.rows else 0.0
        row += [momentum, momentum - self.last_momentum if self.rows else 0.0]
        row += [window.slide(t)[0] for window in self.prints]
        row += [self.volume, self.trade_count, self.notional / self.volume if self.trade_count else math.nan]
        self.log_prices.append(log_mid)
        self.log_volumes.append(math.log(1.0 + self.volume))
        row.append(difference(self.log_prices, self.price_weights))
        row.append(difference(self.log_volumes, self.volume_weights))
        if not config.sampling_ns or t % config.fdi_interval_ns == 0:
            self.mids.append(mid)
            self.samples += 1
            if len(self.mids) == config.fdi_window:
                self.fdi = variogram(self.mids)
        row.append(self.fdi)
        row.append(self.regime())
        if self.rows:
            _, deviation = self.returns.push(log_mid - self.last_log_mid)
            self.volatility = deviation if len(self.returns.values) > 1 else 0.0
        row.append(self.volatility)
        self.rows += 1
        row.append(self.warm(t))
        self.last_ofi, self.last_momentum, self.last_log_mid = self.row_ofi[0], momentum, log_mid
        self.row_ofi = [0.0] * len(config.depths)
        self.volume = self.notional = 0.0
        self.trade_count = 0
        return row

    def regime(self) -> str | None:
        """The word for the dimension."""
        if math.isnan(self.fdi):
            return None
        return "neutral" if self.fdi == 1.5 else "trending" if self.fdi < 1.5 else "ranging"

    def warm(self, t: int) -> int:
        """Which features have their whole history."""
        config = self.config
        assert self.first_update is not None
        return (
            (t >= self.first_update + max(ns for _, ns in config.windows))
            + 2 * (self.rows >= config.zscore_window)
            + 4 * (self.rows >= len(self.price_weights))
            + 8 * (self.rows >= len(self.volume_weights))
            + 16 * (self.samples >= config.fdi_window)
            + 32 * (self.rows > config.volatility_window)
            + 64 * self.covered
        )
