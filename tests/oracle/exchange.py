"""The simulated exchange in plain Python, from docs/execution.md alone: two dicts, a list of orders, no speed."""

import math
from dataclasses import dataclass, field
from fractions import Fraction

from operators.config import FeatureConfig
from sources.tape.batch import DELTA, FUNDING, MARK, RESET, SNAPSHOT, TRADE, TapeBatch, is_derivative, market_rows
from tests.oracle.book import message_ends
from tests.oracle.sampling import samples, stretches

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Command:
    """A row of a schedule."""

    local_ts: int
    order_id: int
    action: str  # limit, market, cancel, amend
    side: int = 0
    tif: str = ""
    price: float = math.nan
    size: float = math.nan


@dataclass(frozen=True)
class Law:
    """What the exchange is told beforehand."""

    tick: Fraction
    lot: Fraction
    entry: int = 0
    response: int = 0
    queue: str = "power"
    power: int = 3
    maker: float = 2.0
    taker: float = 5.0
    least: float = 0.0
    max_position: float = math.inf
    max_order: float = math.inf
    measured: tuple[tuple[int, int, int], ...] = ()  # sent, acted, reported; in place of entry and response

    def acts(self, local_ts: int) -> int:
        """When an order acts that is decided then."""
        entries = sorted((sent, n, acted - sent) for n, (sent, acted, _) in enumerate(self.measured))
        return local_ts + newest([(at, latency) for at, _, latency in entries], local_ts, self.entry)

    def seen(self, ts: int) -> int:
        """When the report of what happened then comes."""
        responses = sorted((acted, n, told - acted) for n, (_, acted, told) in enumerate(self.measured))
        return ts + newest([(at, latency) for at, _, latency in responses], ts, self.response)


def newest(measured: list[tuple[int, int]], ts: int, constant: int) -> int:
    """Of the last one not after ``ts``, else of the first, else the constant."""
    before = [latency for at, latency in measured if at <= ts]
    return before[-1] if before else measured[0][1] if measured else constant


@dataclass
class Open:
    """An open order."""

    order_id: int
    side: int
    price: float
    ticks: int
    size: int  # lots
    leaves: int  # lots
    tif: str
    arrived: int
    ahead: float
    level: float
    traded: float = 0.0


@dataclass
class Exchange:
    """All of section 2 to 7 for one instrument."""

    law: Law
    bids: dict[float, float] = field(default_factory=dict)
    asks: dict[float, float] = field(default_factory=dict)
    known: bool = False
    open: list[Open] = field(default_factory=list)
    taken: dict[tuple[int, float], tuple[float, int]] = field(default_factory=dict)  # (size then, lots)
    position: int = 0  # lots
    cash: float = 0.0
    fees: float = 0.0
    volume: float = 0.0
    mid: float = 0.0
    mark: float = 0.0
    rate: float = 0.0
    due: int | None = None  # ns, of the funding to come
    funded: int = 0
    seen: int = -(1 << 62)
    arrivals: int = 0
    orders: list[tuple[object, ...]] = field(default_factory=list)
    fills: list[tuple[object, ...]] = field(default_factory=list)
    equity: list[tuple[object, ...]] = field(default_factory=list)

    def size_of(self, lots: int) -> float:
        return float(lots * self.law.lot)  # the nearest double, as Fraction rounds once

    def price_of(self, ticks: int) -> float:
        return float(ticks * self.law.tick)

    def good(self) -> bool:
        return bool(self.known and self.bids and self.asks and max(self.bids) < min(self.asks))

    def book(self, side: int) -> dict[float, float]:
        return self.bids if side > 0 else self.asks

    # 7
    def row(
        self, ts: int, order_id: int, side: int, kind: str, tif: str, price: float, size: float, leaves: int,
        status: str, reason: str = "",
    ) -> None:  # fmt: skip
        self.seen = max(self.seen, self.law.seen(ts))
        self.orders.append(
            (ts, self.seen, order_id, side, kind, tif, price, size, self.size_of(leaves), status, reason)
        )

    # 6
    def fill(
        self, ts: int, order_id: int, side: int, kind: str, tif: str, price: float, order_price: float, size: int,
        lots: int, leaves: int, liquidity: str,
    ) -> None:  # fmt: skip
        notional = price * self.size_of(lots)
        fee = notional * (self.law.maker if liquidity == "maker" else self.law.taker) / 10_000
        self.cash -= side * notional + fee
        self.fees += fee
        self.volume += notional
        self.position += side * lots
        self.fills.append(
            (ts, order_id, side, price, self.size_of(lots), fee, liquidity, self.size_of(self.position), self.mid)
        )
        status = "part" if leaves else "filled"
        self.row(ts, order_id, side, kind, tif, order_price, self.size_of(size), leaves, status)

    def note_equity(self, ts: int) -> None:
        position = self.size_of(self.position)
        self.equity.append((ts, position, self.cash, self.cash + position * self.mid, self.mid, self.fees, self.volume))

    # 3
    def steps(self, x: float, step: Fraction) -> int | None:
        if not (math.isfinite(x) and x > 0):
            return None
        count = x * step.denominator / step.numerator
        near = round(count)
        return near if near > 0 and abs(count - near) <= TOLERANCE else None

    def refused(self, c: Command, side: int, tif: str, ticks: int | None, lots: int | None, old: Open | None) -> str:
        if not self.good():
            return "no book"
        if (c.action != "market" and ticks is None) or lots is None:
            return "grid"
        lot, slack = self.law.lot, self.law.lot / 10**6
        if lots * lot < Fraction(self.law.least) - slack:
            return "min size"
        same = sum(o.leaves for o in self.open if o.side == side and o is not old)
        after = abs(self.position + side * (lots + same))
        if not math.isinf(self.law.max_order) and lots * lot > Fraction(self.law.max_order) + slack:
            return "risk"
        most = self.law.max_position
        if not math.isinf(most) and after * lot > Fraction(most) + slack and after > abs(self.position):
            return "risk"
        if len(self.open) >= 256 and old is None and c.action != "market" and tif != "ioc":
            return "too many"
        if tif == "gtx" and self.reaches(side, self.price_of(ticks or 0)):
            return "would take"
        return ""

    def reaches(self, side: int, price: float) -> bool:
        return price >= min(self.asks) if side > 0 else price <= max(self.bids)

    # 2, 3, 4
    def act(self, c: Command) -> None:
        ts = self.law.acts(c.local_ts)
        old = next((o for o in self.open if o.order_id == c.order_id), None)
        if c.action in ("cancel", "amend"):
            if old is None:
                self.row(ts, c.order_id, c.side, c.action, "", c.price, c.size, 0, "rejected", "not open")
                return
            if c.action == "cancel":
                self.cancel(ts, old, "")
                return
        side, tif = (old.side, old.tif) if c.action == "amend" and old else (c.side, c.tif)
        ticks = None if c.action == "market" else self.steps(c.price, self.law.tick)
        keeps = c.action == "amend" and old is not None and math.isnan(c.size)
        lots = old.leaves if keeps and old else self.steps(c.size, self.law.lot)
        if reason := self.refused(c, side, tif, ticks, lots, old if c.action == "amend" else None):
            self.row(ts, c.order_id, side, c.action, tif, c.price, c.size, 0, "rejected", reason)
            return
        assert lots is not None
        if c.action == "amend" and old:
            if ticks == old.ticks and lots < old.leaves:
                old.leaves = lots
                size = self.size_of(old.size)
                self.row(ts, c.order_id, side, "limit", tif, old.price, size, lots, "accepted", "amend")
                return
            self.cancel(ts, old, "amend")
        kind = "market" if c.action == "market" else "limit"
        price = self.price_of(ticks) if ticks is not None else math.nan
        self.row(ts, c.order_id, side, kind, tif, price, self.size_of(lots), lots, "accepted")
        left = self.take(ts, c.order_id, side, kind, tif, price, lots)
        if not left:
            return
        if kind == "market" or tif == "ioc":
            self.row(ts, c.order_id, side, kind, tif, price, self.size_of(lots), 0, "expired")
            return
        assert ticks is not None
        visible = self.book(side).get(price, 0.0)
        self.arrivals += 1
        order = Open(c.order_id, side, price, ticks, lots, left, tif, self.arrivals, visible, visible)
        self.open.append(order)

    def take(self, ts: int, order_id: int, side: int, kind: str, tif: str, price: float, lots: int) -> int:
        left = lots
        levels = sorted(self.book(-side).items(), reverse=side < 0)
        for level, size in levels:
            if kind != "market" and side * level > side * price:
                break
            _, used = self.taken.get((-side, level), (size, 0))
            free = math.floor((size - self.size_of(used)) / self.size_of(1) + 1e-6)
            n = min(left, free)
            if n <= 0:
                continue
            left -= n
            self.taken[-side, level] = (size, used + n)
            self.fill(ts, order_id, side, kind, tif, level, price, lots, n, left, "taker")
            if not left:
                break
        return left

    def cancel(self, ts: int, order: Open, reason: str) -> None:
        self.open.remove(order)
        size = self.size_of(order.size)
        self.row(ts, order.order_id, order.side, "limit", order.tif, order.price, size, 0, "cancelled", reason)

    # 5
    def visited(self, side: int) -> list[Open]:
        return sorted((o for o in self.open if o.side == side), key=lambda o: (-side * o.price, o.arrived))

    def fill_open(self, ts: int, order: Open, lots: int) -> None:
        order.leaves -= lots
        if not order.leaves:
            self.open.remove(order)
        self.fill(
            ts, order.order_id, order.side, "limit", order.tif, order.price, order.price, order.size, lots,
            order.leaves, "maker",
        )  # fmt: skip

    def trade(self, ts: int, aggressor: int, price: float, size: float) -> None:
        side = -aggressor
        own = 0.0
        for order in self.visited(side):
            if side * price < side * order.price:
                self.fill_open(ts, order, order.leaves)
            elif price == order.price:
                order.ahead -= size - own
                order.traded += size
                n = round(-order.ahead / self.size_of(1))
                if n > 0:
                    lots = min(order.leaves, n)
                    order.ahead = 0.0
                    own += self.size_of(lots)
                    self.fill_open(ts, order, lots)

    def message(self, ts: int) -> None:
        for (side, level), (then, _) in list(self.taken.items()):
            if self.book(side).get(level, 0.0) != then:
                del self.taken[side, level]
        for order in self.open:
            after = self.book(order.side).get(order.price, 0.0)
            if after != order.level:
                order.ahead = self.ahead(order, after)
                order.level, order.traded = after, 0.0
        if not self.good():
            return
        self.mid = (max(self.bids) + min(self.asks)) / 2
        for side in (1, -1):
            for order in self.visited(side):
                if min(self.asks) <= order.price if side > 0 else max(self.bids) >= order.price:
                    self.fill_open(ts, order, order.leaves)

    def ahead(self, order: Open, after: float) -> float:
        gone = order.level - after - order.traded
        if gone < 0 or self.law.queue == "risk_averse":
            return min(order.ahead, after)
        front, back = order.ahead, order.level - order.ahead
        if self.law.queue == "optimistic":
            return min(front - gone, after)
        f, b = self.multiplied(max(front, 0.0)), self.multiplied(max(back, 0.0))
        p = b / (b + f) if b + f > 0 else 1.0
        return min(front - (1 - p) * gone + min(back - p * gone, 0), after)

    def multiplied(self, x: float) -> float:
        product = x
        for _ in range(self.law.power - 1):
            product = product * x
        return product

    # 6
    def derivative(self, now: int, kind: int, sequence: int, price: float) -> None:
        if kind == MARK:
            self.mark = price
        if kind == FUNDING and sequence > 0 and sequence * 10**6 > max(now, self.funded):
            self.due, self.rate = sequence * 10**6, price

    def fund(self, now: int) -> None:
        if self.due is not None and now >= self.due:
            self.cash -= self.size_of(self.position) * (self.mark or self.mid) * self.rate
            self.funded, self.due = self.due, None

    def reset(self, ts: int) -> None:
        for side in (1, -1):
            for order in self.visited(side):
                self.cancel(ts, order, "reset")
        self.taken.clear()
        self.bids, self.asks, self.known = {}, {}, False


def simulate(batch: TapeBatch, config: FeatureConfig, law: Law, schedule: list[Command]) -> Exchange:
    """The whole tape with a schedule of orders."""
    exchange, tape, batch = Exchange(law), batch, market_rows(batch)
    updates = {i for i, view in message_ends(batch).items() if view.is_update}
    clocks: dict[int, int] = {}
    before_row: dict[int, list[int]] = {}  # grid rows that a tape row completes
    after_row: dict[int, list[int]] = {}  # rows of an update
    for stretch in stretches(batch, config.max_hold_ns):
        clocks |= {tick.index: tick.clock for tick in stretch}
        for sample in samples(stretch, updates, config.sampling_ns):
            if config.sampling_ns:
                before_row.setdefault(stretch[sample.included].index, []).append(sample.ts)
            else:
                after_row.setdefault(stretch[sample.included - 1].index, []).append(sample.ts)
    j = -1  # row among those of the market
    waiting = sorted(sorted(schedule, key=lambda c: c.local_ts), key=lambda c: law.acts(c.local_ts))  # both stable

    def act(before: int) -> None:
        while waiting and law.acts(waiting[0].local_ts) < before:
            exchange.act(waiting.pop(0))

    unfinished = -1  # kind of the message whose last row has not come
    clock = 0
    for row in range(tape.rows):
        if is_derivative(tape.kind[row]):
            exchange.derivative(clock, int(tape.kind[row]), int(tape.sequence[row]), float(tape.price[row]))
            continue
        i = j = j + 1
        kind = int(batch.kind[i])
        if kind == RESET:
            exchange.reset(clock)
            unfinished, clock = -1, 0
            continue
        clock = clocks[i]
        exchange.fund(clock)
        between = not (kind in (SNAPSHOT, DELTA) and unfinished == kind)
        for ts in before_row.get(i, []):
            if between:
                act(ts + 1)
            exchange.note_equity(ts)
        if between:
            act(clock)
        last = bool(batch.last[i])
        side, price, size = int(batch.side[i]), float(batch.price[i]), float(batch.size[i])
        if kind == TRADE:
            exchange.trade(clock, side, price, size)
            unfinished = -1
            continue
        begins = unfinished != kind
        unfinished = -1 if last else kind
        if kind == SNAPSHOT and begins:
            exchange.bids, exchange.asks, exchange.known = {}, {}, False
        if kind == DELTA and not exchange.known:
            continue
        if size:
            exchange.book(side)[price] = size
        else:
            exchange.book(side).pop(price, None)
        if last:
            exchange.known = exchange.known or kind == SNAPSHOT
            exchange.message(clock)
        for ts in after_row.get(i, []):
            exchange.note_equity(ts)
    return exchange
