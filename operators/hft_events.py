"""Tape rows as hftbacktest's events, in the two orders of time that it reads at once.

Source: hftbacktest documentation, "Data" (format, event flags) and "Data Preparation"; the order is the one that its
`correct_event_order` gives. An event is a row of 64 bytes that the exchange processes at ``exch_ts`` and the trader at
``local_ts``. Where both orders agree it stands once, flagged for both; where they do not it stands twice, once in each.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.jit import entry_kernel, kernel
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, Bools, Float64s, Int64s, TapeBatch

EVENT = np.dtype(
    [
        ("ev", np.uint64),
        ("exch_ts", np.int64),
        ("local_ts", np.int64),
        ("px", np.float64),
        ("qty", np.float64),
        ("order_id", np.uint64),
        ("ival", np.int64),
        ("fval", np.float64),
    ],
    align=True,
)

# Kinds of events, and flags of `ev`.
DEPTH_EVENT, TRADE_EVENT, DEPTH_CLEAR_EVENT, DEPTH_SNAPSHOT_EVENT = 1, 2, 3, 4
EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28

# Indices into the state of `expand`.
CLOCK = 0  # ns, latest exchange time of book rows since the reset
KNOWN_AT = 1  # ns, local time of the newest snapshot since the reset
KNOWN = 2  # 1: there has been one
STATE = 3

# Array indices are unsigned: signed ones would be checked for negative values, which count from the end.
_ONE, _TWO, _THREE, _FOUR, _FIVE, _SIX, _SEVEN = (np.uint64(i) for i in range(1, 8))

_NEVER = np.iinfo(np.int64).min


class Events(NamedTuple):
    """Events in columns, before they are put in order, shape ``(n,)`` each."""

    ev: Int64s
    exch_ts: Int64s
    local_ts: Int64s
    px: Float64s
    qty: Float64s

    def take(self, rows: npt.NDArray[np.int64]) -> "Events":
        """Those at some places."""
        return Events._make(column[rows] for column in self)


def room(events: int) -> Events:
    """Columns for so many."""
    return Events(*np.empty((3, events), np.int64), *np.empty((2, events)))


def expand_state() -> Int64s:
    """That of a tape from which nothing was read."""
    return np.array([_NEVER, _NEVER, 0], np.int64)


@entry_kernel
def expand(batch: TapeBatch, state: Int64s, latency: int, wait: bool, out: Events) -> int:
    """Turn rows into events, in the order of the tape.

    A snapshot clears each side as far as it reaches; what clears a whole book, because it became unknown or is
    replaced, is an event without a side.

    Args:
        batch: a snapshot message in it is whole.
        latency: ns; a ``reset`` is received no sooner after the newest book row than this.
        wait: a delta that arrived before the snapshot in front of it is known together with it.
        out: room for the rows and for three events more a snapshot.

    Returns:
        Number of events.
    """
    n = 0
    inside = False  # a snapshot message
    sides = 0  # of which it has had a level: 1 bids, 2 asks
    for i in range(len(batch.kind)):
        kind, side = batch.kind[i], batch.side[i]
        exch_ts, local_ts = batch.exchange_ts[i], batch.receive_ts[i]
        flag = BUY if side > 0 else SELL
        if kind == SNAPSHOT:
            if not inside:
                inside, sides = True, 0
                if state[KNOWN]:
                    n = _put(out, n, DEPTH_CLEAR_EVENT, exch_ts, local_ts, 0.0, 0.0)
                state[KNOWN], state[KNOWN_AT] = 1, local_ts
            bit = 1 if side > 0 else 2
            if not sides & bit:
                sides |= bit
                n = _put(out, n, DEPTH_CLEAR_EVENT | flag, exch_ts, local_ts, farthest(batch, i), 0.0)
            state[CLOCK] = max(state[CLOCK], exch_ts)
            n = _put(out, n, DEPTH_SNAPSHOT_EVENT | flag, exch_ts, local_ts, batch.price[i], batch.size[i])
            inside = not batch.last[i]
            continue
        inside = False
        if kind == DELTA:
            state[CLOCK] = max(state[CLOCK], exch_ts)
            if wait:
                local_ts = max(local_ts, state[KNOWN_AT])
            n = _put(out, n, DEPTH_EVENT | flag, exch_ts, local_ts, batch.price[i], batch.size[i])
        elif kind == TRADE:
            n = _put(out, n, TRADE_EVENT | flag, exch_ts, local_ts, batch.price[i], batch.size[i])
        elif kind == RESET:
            if state[CLOCK] != _NEVER:
                exch_ts = max(exch_ts, state[CLOCK])
            local_ts = max(local_ts, exch_ts + latency)
            n = _put(out, n, DEPTH_CLEAR_EVENT, exch_ts, local_ts, 0.0, 0.0)
            state[CLOCK], state[KNOWN_AT], state[KNOWN] = _NEVER, _NEVER, 0
    return n


@kernel
def farthest(batch: TapeBatch, i: int) -> float:
    """The lowest bid or the highest ask of the snapshot message that row ``i`` is of; its side decides."""
    side = batch.side[i]
    key = side * batch.price[i]
    while i < len(batch.kind) and batch.kind[i] == SNAPSHOT:
        if batch.side[i] == side:
            key = min(key, side * batch.price[i])
        if batch.last[i]:
            break
        i += 1
    return side * key


@kernel
def _put(out: Events, n: int, ev: int, exch_ts: int, local_ts: int, px: float, qty: float) -> int:
    out.ev[n], out.exch_ts[n], out.local_ts[n], out.px[n], out.qty[n] = ev, exch_ts, local_ts, px, qty
    return n + 1


@entry_kernel
def sorted_by(times: Int64s) -> bool:
    """Whether none is earlier than the one before."""
    i = 1
    while i < len(times) and times[np.uint64(i - 1)] <= times[np.uint64(i)]:
        i += 1
    return i >= len(times)


@entry_kernel
def merge(
    events: Events, order: Int64s, told: int, given: Bools, until: int, ended: bool, shift: int,
    whole: Int64s, real: Float64s,
) -> tuple[int, int, int]:  # fmt: skip
    """Put events in both orders.

    Args:
        events: sorted by local time.
        order: places of those that the exchange has not been given yet, sorted by its time.
        told: the first of those that the trader has not been given yet.
        given: shape ``(events,)``; set where the exchange is given one.
        until: no event to come has an earlier exchange time.
        ended: none are to come.
        shift: ns, added to local times.
        whole, real: the output as integers and as floats, shape ``(2 · events · 8,)``, in the same memory.

    Returns:
        How many of ``order`` were given, the first event the trader was not given, and rows of output.
    """
    exchange = n = 0
    while True:
        at_exchange = exchange < len(order)
        x = order[np.uint64(exchange)] if at_exchange else told
        at_exchange = at_exchange and (ended or events.exch_ts[np.uint64(x)] <= until)
        at_trader = told < len(given)
        if not (at_exchange and at_trader) and not (ended and (at_exchange or at_trader)):
            return exchange, told, n
        t = told if at_trader else x
        if x == t:  # nearly always
            later = 0
        else:
            later = events.exch_ts[np.uint64(x)] - events.exch_ts[np.uint64(t)]
            if later == 0:
                later = events.local_ts[np.uint64(x)] - events.local_ts[np.uint64(t)]
        flags = 0
        if at_exchange and (later <= 0 or not at_trader):
            flags = EXCH
            given[np.uint64(x)] = True
            exchange += 1
        if at_trader and (later >= 0 or not at_exchange):
            flags |= LOCAL
            told += 1
        row, at = np.uint64(x if flags & EXCH else t), np.uint64(8 * n)
        whole[at] = events.ev[row] | flags
        whole[at + _ONE] = events.exch_ts[row]
        whole[at + _TWO] = events.local_ts[row] + shift
        real[at + _THREE] = events.px[row]
        real[at + _FOUR] = events.qty[row]
        whole[at + _FIVE] = whole[at + _SIX] = whole[at + _SEVEN] = 0
        n += 1
