"""The kernel of the synthetic market: order flow, matching, and the messages that tell of them.

Everything is whole numbers, or +, −, ×, ÷ and √ of doubles, which IEEE 754 rounds alike everywhere: no logarithm or
exponential of a C library enters, so the same seed gives the same market on every machine.
"""

from math import sqrt
from typing import Any

from sources.tape.batch import DELTA, SNAPSHOT, TRADE
from synthetic.jit import kernel
from synthetic.levels import set_level, slot_of, standing_at
from synthetic.messages import MessageBatch
from synthetic.planted import LIMIT_LOTS, MAX_LEAN, draw_signal, move_price
from synthetic.randomness import FLOW, LATENCY, REFERENCE, exponential, uniform
from synthetic.state import Book, UInt64s

P_MARKET, P_LIMIT = 0.05, 0.53  # of the events; the rest cancel
_NEARNESS = 4.0  # ticks; half of all limit orders and cancellations fall nearer to the opposite best price
_MARKET_LOTS = 120.0  # mean
_P_WHOLE = 0.35  # of cancellations that take all of a level
_PULL = 0.02  # how the side of an order leans towards the reference, per tick
REFERENCE_STEP = 100  # ms
_DRIFT, _NOISE, _REVERSION = 0.4, 3.0, 0.01  # of the reference per step: ticks, ticks, share
_P_RANGE, _MEAN_DWELL = 0.5, 400.0  # regimes: a range or a trend, and the mean number of steps in one
_LATENCY_NS, _JITTER_NS = 1_500_000.0, 500_000.0


@kernel
def _distance(rng: UInt64s) -> int:
    """Ticks from the best price possible; P(≥ k) = 4/(4 + k), the power law of Bouchaud, Mézard & Potters (2002)."""
    return int(_NEARNESS * (1.0 / uniform(rng, FLOW) - 1.0))


@kernel
def _close_message(s: Any, log: MessageBatch, rng: UInt64s, kind: int, first_id: int, number: int) -> None:
    """Enter the rows logged since the last message as one message, and receive it a little later."""
    at = s.messages
    latency = _LATENCY_NS + _JITTER_NS * exponential(rng, LATENCY)
    exchange_ts = s.now * 1_000_000
    s.receive_ts = max(s.receive_ts, exchange_ts + int(latency))
    log.kind[at] = kind
    log.exchange_ts[at] = exchange_ts
    log.receive_ts[at] = s.receive_ts
    log.first_id[at] = first_id
    log.update_id[at] = s.update_id
    log.number[at] = number
    log.stop[at] = s.rows
    s.messages += 1


@kernel
def _row(s: Any, log: MessageBatch, side: int, tick: int, lots: int) -> None:
    log.side[s.rows] = side
    log.ticks[s.rows] = tick
    log.lots[s.rows] = lots
    s.rows += 1


@kernel
def _tell_book(s: Any, p: Any, book: Book, log: MessageBatch, rng: UInt64s, kind: int) -> None:
    """Log the net change of every level since the last book message, bids first; none is no message."""
    centre = (s.best_bid + s.best_ask) // 2
    low = max(1, centre - p.levels)
    high = centre + p.levels
    for tick in range(s.low, low):
        if standing_at(book, tick) != 0:
            set_level(s, book, tick, 0)
    for tick in range(high + 1, s.high + 1):
        if standing_at(book, tick) != 0:
            set_level(s, book, tick, 0)
    s.low = low
    s.high = high
    begin = s.rows
    for side in (1, -1):
        for i in range(s.changed):
            tick = book.changed[i]
            slot = slot_of(book, tick)
            lots = max(side * book.lots[slot], 0)
            if lots != max(side * book.shown[slot], 0):
                _row(s, log, side, tick, lots)
    for i in range(s.changed):
        slot = slot_of(book, book.changed[i])
        book.shown[slot] = book.lots[slot]
    s.changed = 0
    s.book_messages += 1  # also makes the stamps of the levels old
    if s.rows > begin:
        first_id = s.update_id if kind == SNAPSHOT else s.shown_id + 1
        _close_message(s, log, rng, kind, first_id, s.book_messages)
        s.shown_id = s.update_id


@kernel
def _market_order(s: Any, p: Any, book: Book, log: MessageBatch, rng: UInt64s, side: int) -> None:
    """Take the best levels one by one, one print each; sizes have a tail of exponent 2.

    Nobody takes at any price: what is not filled within ``reach`` ticks expires, as orders are made to fit what stands
    (Farmer, Gillemot, Lillo, Mike & Sen 2004). Where the price is planted, the best level stays, and what it
    does not fill expires.
    """
    first = s.best_ask if side > 0 else s.best_bid
    left = 1 + int(_MARKET_LOTS * (1.0 / sqrt(uniform(rng, FLOW)) - 1.0))
    while left > 0:
        tick = s.best_ask if side > 0 else s.best_bid
        if abs(tick - first) > p.reach:
            return
        standing = standing_at(book, tick)
        levels = s.asks if side > 0 else s.bids
        # What would empty a side is filled but for one lot of its last level.
        take = min(left, abs(standing) - (1 if levels == 1 or p.planted else 0))
        if take == 0:
            return
        set_level(s, book, tick, standing + side * take)
        s.trade_id += 1
        _row(s, log, side, tick, take)
        _close_message(s, log, rng, TRADE, s.update_id, s.trade_id)
        left = 0 if p.planted else left - take


@kernel
def _limit_order(s: Any, book: Book, rng: UInt64s, side: int) -> None:
    distance = _distance(rng)
    lots = 1 + int(LIMIT_LOTS * exponential(rng, FLOW))
    tick = s.best_ask - 1 - distance if side > 0 else s.best_bid + 1 + distance
    if s.low <= tick <= s.high:
        set_level(s, book, tick, standing_at(book, tick) + side * lots)


@kernel
def _cancellation(s: Any, p: Any, book: Book, rng: UInt64s, side: int) -> None:
    """Take all or a part of the level that a limit order would have joined, if there is one."""
    distance = _distance(rng)
    whole = uniform(rng, FLOW) < _P_WHOLE
    share = uniform(rng, FLOW)
    tick = s.best_ask - 1 - distance if side > 0 else s.best_bid + 1 + distance
    if not s.low <= tick <= s.high:
        return
    standing = side * standing_at(book, tick)
    levels = s.bids if side > 0 else s.asks
    take = standing if whole else int(share * standing)
    best = s.best_bid if side > 0 else s.best_ask
    may_go = levels > 1 and not (p.planted and tick == best)
    if take > 0 and (may_go or take < standing):
        set_level(s, book, tick, side * (standing - take))


@kernel
def _event(s: Any, p: Any, book: Book, log: MessageBatch, rng: UInt64s) -> None:
    if p.planted:
        lean = MAX_LEAN * s.signal
    else:
        gap = s.reference - 0.5 * (s.best_bid + s.best_ask)
        lean = min(max(_PULL * gap, -MAX_LEAN), MAX_LEAN)
    which = uniform(rng, FLOW)
    toss = uniform(rng, FLOW) - 0.5
    if which < P_MARKET:
        _market_order(s, p, book, log, rng, 1 if toss < lean else -1)
        s.excitation += p.jump
    elif which < P_MARKET + P_LIMIT:
        _limit_order(s, book, rng, 1 if toss < 0.5 * lean else -1)
    else:
        _cancellation(s, p, book, rng, -1 if toss < 0.5 * lean else 1)


@kernel
def _move_reference(s: Any, p: Any, rng: UInt64s) -> None:
    """One step of a random walk that now trends, now is held around a price."""
    s.dwell -= 1.0
    if s.dwell <= 0.0:
        u = uniform(rng, REFERENCE)
        s.trend = 0.0
        if u >= _P_RANGE:
            s.trend = 1.0 if u < 0.5 * (1.0 + _P_RANGE) else -1.0
        s.dwell = _MEAN_DWELL * exponential(rng, REFERENCE)
        s.anchor = s.reference
    noise = -2.0  # four uniforms: near enough to a Gaussian, and the same on every machine
    for _ in range(4):
        noise += uniform(rng, REFERENCE)
    s.reference += _DRIFT * s.trend + _NOISE * noise
    if s.trend == 0.0:
        s.reference += _REVERSION * (s.anchor - s.reference)
    s.reference = max(s.reference, 3.0 * p.levels)


@kernel
def open_market(s: Any, p: Any, book: Book, log: MessageBatch, rng: UInt64s) -> None:
    """Fill the book around the reference and log the snapshot; ``s`` holds the time, the reference and the ids."""
    s.best_bid = int(s.reference)
    s.best_ask = s.best_bid + 1
    s.low = s.best_bid - p.levels
    s.high = s.best_bid + p.levels
    for side in (1, -1):
        best = s.best_bid if side > 0 else s.best_ask
        for k in range(p.levels):
            lots = 1 + int(LIMIT_LOTS * (k + 1.0) / (k + 2.0) * exponential(rng, FLOW))
            if uniform(rng, FLOW) < 0.95 or k == 0:
                set_level(s, book, best - side * k, side * lots)
    if p.planted:
        s.signal = draw_signal(0.0, 0.0, rng)
    s.threshold = exponential(rng, FLOW)
    s.next_diff = s.now + 1 + int(p.interval * uniform(rng, FLOW))
    _tell_book(s, p, book, log, rng, SNAPSHOT)


@kernel
def advance(s: Any, p: Any, book: Book, log: MessageBatch, rng: UInt64s, start: int, until: int) -> None:
    """Run until the time ``until``, in ms, or until the log is nearly full; the next call goes on where this stopped.

    Events come from a Hawkes process with an exponential kernel (Hawkes 1971), its intensity constant within each ms:
    they happen where the integrated intensity passes a unit-rate Poisson process (Brown et al. 2002, time rescaling).
    """
    room = 3 * len(book.lots)  # more than one step can log
    while s.now < until:
        if max(s.rows, s.messages) + room > len(log.kind):
            return
        if s.begun == 0:
            step = (s.now - start) % REFERENCE_STEP == 0
            if p.interval > 0 and s.now == s.next_diff:
                if p.planted:  # told at once: until then nobody can know
                    move_price(s, p, book, rng)
                _tell_book(s, p, book, log, rng, DELTA)
                s.next_diff += p.interval
            elif p.interval == 0 and p.planted and step:
                move_price(s, p, book, rng)
                _tell_book(s, p, book, log, rng, DELTA)
            if step and not p.planted:
                _move_reference(s, p, rng)
            s.budget = p.base_rate + s.excitation
            s.begun = 1
        if s.threshold <= s.budget:
            s.budget -= s.threshold
            s.threshold = exponential(rng, FLOW)
            _event(s, p, book, log, rng)
            if p.interval == 0:
                _tell_book(s, p, book, log, rng, DELTA)
        else:
            s.threshold -= s.budget
            s.excitation -= p.decay * s.excitation
            s.now += 1
            s.begun = 0
