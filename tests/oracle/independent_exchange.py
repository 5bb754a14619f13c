"""The simulated exchange, a second time: from docs/execution.md alone, by a reader who had not seen its kernels.

One row of the tape is shown at a time, and one order. Prices and sizes of own orders are whole numbers of ticks and
lots, and ticks and lots are fractions; the place in the queue and the account are floats, in the order of operations
that the page gives.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE
from tests.oracle.independent_orders import Account, Order, Request, Rules, Taken, TapeRow, on_grid

MOST_OPEN = 256


@dataclass
class Exchange:
    """The book, own orders and the account of one instrument, and the rows that they left."""

    rules: Rules
    orders: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    open: list[Order] = field(default_factory=list)  # by arrival
    book: dict[int, dict[float, float]] = field(default_factory=lambda: {1: {}, -1: {}})
    whole: dict[int, dict[float, float]] = field(default_factory=lambda: {1: {}, -1: {}})  # after the last message
    taken: dict[tuple[int, float], Taken] = field(default_factory=dict)
    known: bool = False
    best: dict[int, float] = field(default_factory=dict)
    stands: bool = False  # the whole book has both sides, and they do not meet
    mid: float = 0.0  # of the last update
    quote: tuple[float, float] = (math.nan, math.nan)  # best bid and ask of the last update
    reported: int = -(2**63)  # local time of the newest report

    # --- the tape -------------------------------------------------------------------------------------------------

    def reset(self, ts: int) -> None:
        for side in (1, -1):
            for order in self.visited(side):
                self.end(ts, order, "cancelled", "reset")
        self.book, self.whole = {1: {}, -1: {}}, {1: {}, -1: {}}
        self.taken = {}
        self.known = self.stands = False

    def row(self, ts: int, row: TapeRow, begins: bool) -> bool:
        """Take one row, no `reset`; whether it closes a message of the book after which there is an update."""
        if row.kind == TRADE:
            self.trade(ts, row.side, row.price, row.size)
            return False
        if row.kind == SNAPSHOT and begins:
            self.book, self.known = {1: {}, -1: {}}, False
        if row.kind == DELTA and not self.known:
            return False
        self.book[row.side].pop(row.price, None)
        if row.size > 0:
            self.book[row.side][row.price] = row.size
        if not row.last:
            return False
        self.known = True
        self.message(ts)
        return self.stands

    def message(self, ts: int) -> None:
        """A whole message of the book has come."""
        before, self.whole = self.whole, {side: dict(levels) for side, levels in self.book.items()}
        for (side, price), taken in list(self.taken.items()):
            if self.whole[side].get(price, 0.0) != taken.level:
                del self.taken[side, price]
        bids, asks = self.whole[1], self.whole[-1]
        self.best = {1: max(bids, default=-math.inf), -1: min(asks, default=math.inf)}
        self.stands = bool(bids) and bool(asks) and self.best[1] < self.best[-1]
        if self.stands:
            self.quote = self.best[1], self.best[-1]
            self.mid = (self.quote[0] + self.quote[1]) / 2
        for side in (1, -1):
            for order in self.visited(side):
                price = self.rules.price(order.ticks)
                was, now = before[side].get(price, 0.0), self.whole[side].get(price, 0.0)
                if was != now:
                    self.advance(order, was, now)
                if self.stands and side * self.best[-side] <= side * price:
                    self.fill(ts, order, order.leaves, price, "maker")

    def advance(self, order: Order, was: float, now: float) -> None:
        """Move in the queue, because the level's size has changed."""
        change = was - now - order.traded
        order.traded = 0.0
        if change < 0 or self.rules.queue == "risk_averse":
            order.ahead = min(order.ahead, now)
            return
        front, back = order.ahead, was - order.ahead
        if self.rules.queue == "optimistic":
            order.ahead = min(front - change, now)
            return
        behind, before = self.powered(back), self.powered(front)
        p = 1.0 if behind + before == 0 else behind / (behind + before)
        order.ahead = min(front - (1 - p) * change + min(back - p * change, 0.0), now)

    def powered(self, x: float) -> float:
        x = max(x, 0.0)
        result = x
        for _ in range(self.rules.power - 1):
            result *= x
        return result

    def trade(self, ts: int, aggressor: int, price: float, size: float) -> None:
        own = 0.0  # what own orders at the price took of this trade
        for order in self.visited(-aggressor):
            limit = self.rules.price(order.ticks)
            if aggressor * price > aggressor * limit:  # a seller's print below a bid, a buyer's above an ask
                self.fill(ts, order, order.leaves, limit, "maker")
            elif price == limit:
                order.ahead -= size - own
                order.traded += size
                lots = round(-order.ahead / self.rules.size(1))
                if lots > 0:
                    lots = min(order.leaves, lots)
                    order.ahead = 0.0
                    own += self.rules.size(lots)
                    self.fill(ts, order, lots, limit, "maker")

    def visited(self, side: int) -> list[Order]:
        """Open orders of a side, best price first, then by arrival."""
        return sorted((o for o in self.open if o.side == side), key=lambda o: -side * o.ticks)

    # --- orders ---------------------------------------------------------------------------------------------------

    def act(self, ts: int, request: Request) -> None:
        if request.action == "new":
            self.arrive(ts, request)
            return
        order = next((o for o in self.open if o.order_id == request.order_id), None)
        if order is None:
            self.refuse(ts, request, "not open")
        elif request.action == "cancel":
            self.end(ts, order, "cancelled", None)
        else:
            self.amend(ts, order, request)

    def amend(self, ts: int, order: Order, request: Request) -> None:
        size = self.rules.size(order.leaves) if math.isnan(request.size) else request.size  # NaN: what is open now
        again = Request("new", order.order_id, order.side, order.kind, order.tif, request.price, size)
        place = self.open.index(order)
        self.open.remove(order)
        reason = self.fault(again)
        self.open.insert(place, order)
        if reason is not None:  # neither law nor page: the order stays as it was
            self.refuse(ts, replace(request, side=order.side), reason, order.tif)
            return
        ticks, lots = on_grid(request.price, self.rules.tick), on_grid(size, self.rules.lot)
        if ticks == order.ticks and lots is not None and lots < order.leaves:
            order.leaves = lots
            self.report(ts, order, "accepted", "amend")
            return
        self.end(ts, order, "cancelled", "amend")
        self.arrive(ts, again)

    def fault(self, request: Request) -> str | None:
        """Why an order is rejected on arrival."""
        rules, market = self.rules, request.kind == "market"
        ticks = 1 if market else on_grid(request.price, rules.tick)
        lots = on_grid(request.size, rules.lot)
        if not self.known or not self.stands:
            return "no book"
        if ticks is None or lots is None:
            return "grid"
        if lots * rules.lot < rules.least:
            return "min size"
        if self.is_risky(request.side, lots):
            return "risk"
        if len(self.open) >= MOST_OPEN:
            return "too many"
        if not market and request.tif == "gtx" and self.reaches(request.side, rules.price(ticks)):
            return "would take"
        return None

    def reaches(self, side: int, price: float) -> bool:
        return side * price >= side * self.best[-side]

    def arrive(self, ts: int, request: Request) -> None:
        if (reason := self.fault(request)) is not None:
            self.refuse(ts, request, reason, request.tif if request.kind == "limit" else None)
            return
        rules, side, market = self.rules, request.side, request.kind == "market"
        ticks, lots = 0 if market else on_grid(request.price, rules.tick), on_grid(request.size, rules.lot)
        assert ticks is not None
        assert lots is not None
        price, tif = (math.nan, None) if market else (rules.price(ticks), request.tif)
        order = Order(request.order_id, side, request.kind, tif, price, rules.size(lots), ticks, lots)
        self.open.append(order)
        self.report(ts, order, "accepted", None)
        if market or self.reaches(side, price):
            self.take(ts, order, market)
        if order.leaves and (market or tif == "ioc"):
            self.end(ts, order, "expired", None)
        elif order.leaves:
            order.ahead = self.whole[side].get(price, 0.0)

    def is_risky(self, side: int, lots: int) -> bool:
        rules, position = self.rules, self.account.position
        if rules.max_order is not None and lots * rules.lot > rules.max_order:
            return True
        after = abs(position + side * (lots + sum(o.leaves for o in self.open if o.side == side)))
        return rules.max_position is not None and after * rules.lot > rules.max_position and after > abs(position)

    def take(self, ts: int, order: Order, market: bool) -> None:
        """Walk the other side's levels from the best outwards."""
        side = -order.side
        for price in sorted(self.whole[side], reverse=side > 0):
            if order.leaves == 0 or not (market or order.side * price <= order.side * order.price):
                return
            level = self.whole[side][price]
            taken = self.taken.get((side, price), Taken(0, level))
            there = math.floor((level - self.rules.size(taken.lots)) / self.rules.size(1) + 1e-6)
            lots = min(order.leaves, there)
            if lots > 0:
                self.taken[side, price] = Taken(taken.lots + lots, level)
                self.fill(ts, order, lots, price, "taker")

    # --- rows -----------------------------------------------------------------------------------------------------

    def fill(self, ts: int, order: Order, lots: int, price: float, liquidity: str) -> None:
        rules, account = self.rules, self.account
        size = rules.size(lots)
        notional = price * size
        fee = notional * (rules.maker if liquidity == "maker" else rules.taker) / 10_000
        account.position += order.side * lots
        account.cash -= order.side * notional + fee
        account.fees += fee
        account.volume += notional
        order.leaves -= lots
        if order.leaves == 0:
            self.open.remove(order)
        self.report(ts, order, "part" if order.leaves else "filled", None)
        self.fills.append(
            {
                "ts": ts,
                "order_id": order.order_id,
                "side": order.side,
                "price": price,
                "size": size,
                "fee": fee,
                "liquidity": liquidity,
                "position": rules.size(account.position),
                "mid": self.mid,
            }
        )

    def end(self, ts: int, order: Order, status: str, reason: str | None) -> None:
        self.open.remove(order)
        order.leaves = 0
        self.report(ts, order, status, reason)

    def refuse(self, ts: int, request: Request, reason: str, tif: str | None = None) -> None:
        kind = request.kind if request.action == "new" else request.action
        order = Order(request.order_id, request.side, kind, tif, request.price, request.size, 0, 0)
        self.report(ts, order, "rejected", reason)

    def report(self, ts: int, order: Order, status: str, reason: str | None) -> None:
        self.reported = max(self.reported, ts + self.rules.response)
        self.orders.append(
            {
                "ts": ts,
                "local_ts": self.reported,
                "order_id": order.order_id,
                "side": order.side,
                "kind": order.kind,
                "tif": order.tif,
                "price": order.price,
                "size": order.size,
                "leaves": self.rules.size(order.leaves),
                "status": status,
                "reason": reason,
            }
        )

    def equity(self, ts: int) -> dict[str, Any]:
        account, position = self.account, self.rules.size(self.account.position)
        return {
            "ts": ts,
            "position": position,
            "cash": account.cash,
            "equity": account.cash + position * self.mid,
            "mid": self.mid,
            "fees": account.fees,
            "volume": account.volume,
        }


def messages(rows: list[TapeRow]) -> Iterator[tuple[TapeRow, bool]]:
    """Each row, and whether it begins a message: a row goes on with the one before when that one left it open."""
    before: TapeRow | None = None
    for row in rows:
        goes_on = before is not None and row.kind in (SNAPSHOT, DELTA) and row.kind == before.kind and not before.last
        yield row, row.kind == RESET or not goes_on
        before = row
