"""Random tapes and schedules of orders that seek the corners of docs/execution.md, each made from one seed.

A case is one instrument. Its market has few levels and few sizes, so that own orders meet prints, share levels, and
stand in the way of the book; its orders act before, at and just after the times of the tape's rows.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from sources.tape.batch import DELTA, FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, RESET, SNAPSHOT, TRADE, is_derivative
from tests.oracle.independent_orders import Request, TapeRow

MS = 1_000_000
START = 1_767_614_400_000_000_000  # 2026-01-05 12:00 UTC
STEPS = ((1, 10), (1, 100), (1, 2), (5, 1), (1, 4), (1, 1_000_000), (1, 1), (3, 1000))
LOTS = ((1, 1000), (1, 10), (1, 1), (5, 1), (1, 4), (1, 100_000))
WHOLE = ((1, 1),)


@dataclass(frozen=True)
class Case:
    rows: list[TapeRow]
    schedule: list[tuple[int, Request]]  # decided at, in the order of the file
    tick: Fraction
    lot: Fraction
    given: bool  # the grid is in the settings
    least: Fraction = Fraction(0)


@dataclass
class Market:
    """Writes the tape of one instrument; off the grid, ``fine`` and ``part`` divide its tick and lot."""

    draw: random.Random
    tick: Fraction
    lot: Fraction
    fine: int
    part: int
    max_hold: int
    calm: bool = False  # the touch stays, and gets and gives a little: orders move in their queues
    clock: int = START
    lag: int = 0
    centre: int = 0
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    rows: list[TapeRow] = field(default_factory=list)
    seen: list[tuple[int, int, int]] = field(default_factory=list)  # clock, best bid and ask, in ticks

    def price(self, n: int) -> float:
        return float(n * self.tick / self.fine)

    def size(self, n: int) -> float:
        return float(n * self.lot / self.part)

    def amount(self) -> int:
        n = self.draw.choice((1, 1, 2, 2, 3, 4, 5, 7, 12, 40)) * self.part
        return n + (self.draw.randrange(self.part) if self.part > 1 and self.draw.random() < 0.5 else 0)

    def row(self, kind: int, side: int, price: float, size: float, last: bool = True) -> None:
        draw = self.draw
        if draw.random() < 0.05:
            self.lag = draw.choice((-1270 * MS, -3 * MS, 0, 5, 2 * MS, 40 * MS))
        time = self.clock - (draw.choice((1, 5 * MS, 300 * MS)) if draw.random() < 0.03 else 0)
        receive = self.clock + self.lag + draw.randrange(3) * draw.choice((0, 1, MS))
        self.rows.append(TapeRow(time, receive, kind, side, price, size, last))

    def move(self) -> None:
        step = self.draw.choices(
            (0, 1, MS, 3 * MS, 10 * MS, 33 * MS, 100 * MS, 350 * MS, self.max_hold, self.max_hold + 1),
            (8, 2, 8, 6, 6, 4, 3, 1, 0.1, 0.2),
        )[0]
        if self.draw.random() < 0.15:  # onto the grid of feature rows, or just past it
            step = -self.clock % (100 * MS) + self.draw.randrange(2)
        self.clock += step

    def levels(self, kind: int, changes: Sequence[tuple[int, int, int]], torn: bool = False) -> None:
        """A message; the clock may move inside it."""
        for n, (side, price, amount) in enumerate(changes, 1):
            if n > 1 and self.draw.random() < 0.03:
                self.clock += self.draw.choice((1, 4 * MS, 12 * MS, 120 * MS))
            self.row(kind, side, self.price(price), self.size(amount), n == len(changes) and not torn)
            book = self.bids if side > 0 else self.asks
            book.pop(price, None)
            if amount:
                book[price] = amount
        if not torn and self.bids and self.asks:
            self.seen.append((self.clock, max(self.bids) // self.fine, -(-min(self.asks) // self.fine)))

    def snapshot(self, torn: bool = False) -> None:
        draw = self.draw
        self.centre += draw.choice((0, 0, 0, -1, 1, 4, -4))
        if not self.rows or self.rows[-1].kind != SNAPSHOT or self.rows[-1].last:
            kept = {1: self.bids, -1: self.asks}
            self.bids, self.asks = {}, {}
        gap = draw.choice((0, 0, 1, 2))
        changes = []
        for side in (1, -1):
            for depth in range(draw.choice((3, 5, 8))):
                price = (self.centre + (-depth if side > 0 else 1 + gap + depth)) * self.fine
                amount = kept[side].get(price, 0) if draw.random() < 0.5 else 0  # often as it was
                changes.append((side, price, amount or self.amount()))
        self.levels(SNAPSHOT, changes, torn)

    def drip(self) -> None:
        """A message that gives a little to the touch, or takes a little from it."""
        changes = []
        for side in self.draw.choice(((1,), (-1,), (1, -1))):
            book = self.bids if side > 0 else self.asks
            if book:
                price = max(book) if side > 0 else min(book)
                step = self.draw.choice((-6, -3, -2, -1, -1, 1, 2, 5)) * self.part + self.draw.randrange(self.part)
                changes.append((side, price, max(self.part, book[price] + step)))
        if changes:
            self.levels(DELTA, changes)

    def print(self) -> None:
        """A small trade at the touch."""
        side = self.draw.choice((1, -1))
        book = self.asks if side > 0 else self.bids
        if book:
            amount = self.draw.choice((1, 1, 2, 3)) * self.part - self.draw.randrange(self.part)
            self.row(TRADE, side, self.price(min(book) if side > 0 else max(book)), self.size(amount))

    def delta(self, torn: bool = False) -> None:
        draw = self.draw
        changes = []
        for _ in range(draw.choice((1, 1, 2, 3))):
            side = draw.choice((1, -1))
            book = self.bids if side > 0 else self.asks
            if book and draw.random() < 0.75:
                price = sorted(book, reverse=side > 0)[min(draw.choice((0, 0, 0, 1, 1, 2, 3)), len(book) - 1)]
            else:
                price = (self.centre + (1 - side) // 2 + side * draw.choice((0, 1, 1, -1, -2, -3))) * self.fine
                price += draw.randrange(self.fine)
            amount = 0 if draw.random() < 0.2 else self.amount()
            if draw.random() < 0.5 and price in book:  # a little less, as after prints and cancels
                amount = max(0, book[price] - draw.choice((1, 1, 2, 3)) * self.part)
            changes.append((side, price, amount))
        self.levels(DELTA, changes, torn)

    def quote(self) -> None:
        """A message that leaves the book in order around a centre that moves by a tick."""
        self.centre += self.draw.choice((-1, 1, -1, 1, 0, 2, -2))
        low, high = self.centre * self.fine, (self.centre + 1) * self.fine
        changes = [(1, price, 0) for price in list(self.bids) if price > low]
        changes += [(-1, price, 0) for price in list(self.asks) if price < high]
        changes += [(1, low, self.amount()), (-1, high, self.amount())]
        self.draw.shuffle(changes)
        self.levels(DELTA, changes)

    def trades(self) -> None:
        draw, side = self.draw, self.draw.choice((1, -1))
        book = self.asks if side > 0 else self.bids
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            best = (min(book) if side > 0 else max(book)) if book else self.centre * self.fine
            price = best + side * draw.choice((0, 0, 0, 0, 0, 1, -1, 2, 3)) * self.fine
            if self.fine > 1 and draw.random() < 0.1:
                price += 1
            self.row(TRADE, side, self.price(price), self.size(self.amount()))

    def reset(self) -> None:
        before = self.rows[-1].exchange_ts if self.rows else self.clock
        self.rows.append(TapeRow(before, self.clock + self.lag, RESET, 0, 0.0, 0.0, True))
        self.bids, self.asks = {}, {}
        self.clock += self.draw.choice((0, MS, 50 * MS, -MS, -400 * MS))

    def step(self) -> None:
        what: Callable[[], None] = self.draw.choices(
            (self.delta, self.quote, self.trades, self.snapshot, self.restart, self.drip, self.print),
            (5, 3, 5, 1, 0.2, 40, 30) if self.calm else (30, 22, 30, 3, 1, 5, 5),
        )[0]
        self.move()
        what()
        if self.draw.random() < 0.05:
            self.derivative()

    def derivative(self) -> None:
        """A row beside the market; its time may be anything near."""
        draw, when = self.draw, self.clock + self.draw.choice((0, -5 * MS, 7 * MS, 700 * MS))
        receive = when + self.lag
        price = self.price(self.centre * self.fine + draw.randrange(-9, 9))
        kind = draw.choice((MARK, MARK, FUNDING, FUNDING, FUNDING, OPEN_INTEREST, LIQUIDATION))
        side, price, size, sequence = {
            MARK: (0, price, draw.choice((0.0, price)), 0),
            FUNDING: (0, draw.choice((0.0001, -0.0003, 0.01, 0.0)), draw.choice((8.0, 0.0)), self.next_funding()),
            OPEN_INTEREST: (0, 0.0, 1234.5, 0),
            LIQUIDATION: (draw.choice((1, -1)), price, self.size(self.amount()), 0),
        }[kind]
        self.rows.append(TapeRow(when, receive, kind, side, price, size, True, sequence))

    def next_funding(self) -> int:
        """In ms: soon, at once, or long ago."""
        return self.clock // MS + self.draw.choice((0, 1, 5, 40, 200, 900, -50))

    def restart(self) -> None:
        draw = self.draw
        if draw.random() < 0.5:
            self.snapshot(torn=True) if draw.random() < 0.3 else self.delta(torn=True)
        self.reset()
        while draw.random() < 0.4:
            self.move()
            self.trades()
        self.move()
        self.snapshot()


def case(
    seed: int,
    *,
    entry: int,
    steps: int = 150,
    orders: int = 60,
    max_hold: int = 1000 * MS,
    lots: Sequence[tuple[int, int]] = LOTS,
) -> Case:
    """The case of a seed; ``entry`` is the latency that its orders will have, in ns."""
    draw = random.Random(seed)
    tick, lot = Fraction(*draw.choice(STEPS)), Fraction(*draw.choice(lots))
    off = draw.random() < 0.3
    fine, part = (2, 4) if off else (1, 1)
    calm = draw.random() < 0.5
    market = Market(draw, tick, lot, fine, part, max_hold, calm, START + draw.randrange(100) * MS)
    market.centre = draw.choice((1000, 95_000, 1_234_567))
    if draw.random() < 0.2:
        market.trades()
    market.snapshot()
    for _ in range(steps):
        market.step()
    given = off or draw.random() < 0.5
    least = draw.choice((0, 0, 2)) * lot if given else Fraction(0)
    if not given:
        rows = [row for row in market.rows if not is_derivative(row.kind)]
        tick, lot = divisor([row.price for row in rows]), divisor([row.size for row in rows])
    return Case(market.rows, schedule(draw, market, tick, lot, entry, orders), tick, lot, given, least)


def divisor(values: Sequence[float]) -> Fraction:
    """The largest step that all decimals are multiples of."""
    steps = [Fraction(repr(value)) for value in values if value]
    unit = math.lcm(*(step.denominator for step in steps))
    return Fraction(math.gcd(*(int(step * unit) for step in steps)), unit)


def schedule(
    draw: random.Random, market: Market, tick: Fraction, lot: Fraction, entry: int, orders: int
) -> list[tuple[int, Request]]:
    """Orders around the touch, with their cancels and amends, in no order of time."""
    earliest = max(market.rows[0].exchange_ts, market.rows[0].receive_ts)  # a schedule may not begin before its tape
    scale = market.tick / tick  # an inferred tick may be wider than the market's
    units = market.lot / lot
    result: list[tuple[int, Request]] = []
    numbers = iter(draw.sample(range(1, 10 * orders), orders))
    times = sorted({row.exchange_ts for row in market.rows})

    def near(clock: int) -> int:
        """A local time from which an order acts at about the clock."""
        return max(earliest, clock - entry + draw.choice((0, 0, 0, 1, -1, draw.randrange(-20, 20) * MS)))

    def size() -> float:
        wrong = draw.random()
        lots = max(1, round(draw.choice((1, 1, 2, 3, 5, 8, 20, 60)) * units))
        if wrong < 0.02:
            return float(draw.choice((lots + Fraction(1, 2), 0, -lots)) * lot)
        return float((lots + Fraction(1, 10**7)) * lot) if wrong < 0.04 else float(lots * lot)

    def price(ticks: int) -> float:
        wrong, exact = draw.random(), round(ticks * scale) * tick
        if wrong < 0.02:
            return float(exact + tick / 3)
        return float(exact) * (1 + 2e-16) if wrong < 0.1 else float(exact)

    while (number := next(numbers, None)) is not None:
        clock, bid, ask = draw.choice(market.seen)
        side = draw.choice((1, -1))
        own, other = (bid, ask) if side > 0 else (ask, bid)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):  # several at one price
            at = near(clock)
            kind = "market" if draw.random() < (0.02 if market.calm else 0.12) else "limit"
            tif = draw.choices(("gtc", "gtx", "ioc"), (6, 3, 0.2 if market.calm else 2))[0]
            away = (own - side, own - 2 * side, own + side, other, other + 2 * side)
            ticks = own if draw.random() < (0.85 if market.calm else 0.4) else draw.choice(away)
            given = Request("new", number, side, kind, tif, price(ticks), size())
            result.append((at, given))
            for _ in range(draw.choice((0, 0, 0, 1) if market.calm else (0, 0, 1, 1, 2, 3))):
                later = draw.choice((at, at + 1, near(draw.choice(times)), max(earliest, at - 5 * MS), at + 80 * MS))
                if draw.random() < 0.5:
                    result.append((later, Request("cancel", number)))
                    continue
                new = given.price if draw.random() < 0.5 else price(draw.choice((own, own - side, other, own + side)))
                kept = draw.random() < 0.25  # the size
                result.append((later, Request("amend", number, side, kind, tif, new, math.nan if kept else size())))
            number = next(numbers, None)
            if number is None:
                break
    draw.shuffle(result)
    return result
