"""Rows whose labels are not all known yet, and the kernels that take a row and settle one.

Rows are taken strictly in order. A label *begins* at its row, if that has what a label needs, and is *open* until it
touches a barrier. How many labels cover a row is known as soon as no more rows of its time can come: it takes no label
that begins later. So nothing that is settled depends on rows after the label's own time.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.jit import entry_kernel, kernel
from operators.labels.config import LabelConfig
from sources.tape.batch import Float64s, Int64s

Int8s = npt.NDArray[np.int8]

# What became of a row.
KEPT = 0
COLD = 1  # a feature that is asked for has not its whole history yet
FLAT = 2  # the width of its barriers is 0 or not known
NO_PRICE = 3  # a price that a label needs is none
CUT = 4  # the segment ends, or the rows do, before a label is known

# Indices into `Window.clock`.
ROWS = 0  # in the window
OPEN = 1  # labels that have touched no barrier yet
SETTLED = 2  # rows at the front of the window that are done with
SAME = 3  # first row of the newest time
COVERING = 4  # labels that cover the newest time
BACK = 5  # first row within the past that the width counts
BEGAN = 6  # ns, the first row of the segment
NEW = 7  # 1 before the segment's first row
_CLOCK = 8

NOT_TOUCHED = (1 << 63) - 1  # in `Window.end`


class Rule(NamedTuple):
    """`LabelConfig` for the kernels."""

    latency: int  # ns
    barrier: int  # ns
    width: float  # times volatility and the root of the number of rows
    rows: int  # of the vertical barrier; 0: to be counted
    executable: bool


class Window(NamedTuple):
    """Consecutive rows of one segment, shape ``(room,)`` each."""

    ts: Int64s  # ns
    mid: Float64s  # logarithm
    bought: Float64s  # logarithm of the price at which one buys
    sold: Float64s  # and sells
    width: Float64s  # of the barriers, log return
    why: Int8s  # KEPT, COLD, FLAT or NO_PRICE
    entry: Int64s  # row at whose prices the label is in
    end: Int64s  # ns, of the touch; `NOT_TOUCHED`
    barrier: Int8s  # +1 or −1 once touched
    share: Float64s  # 1 over the number of labels that cover the row's time
    open: Int64s  # rows of the open labels
    clock: Int64s  # (8,)


class Settled(NamedTuple):
    """Room for rows that are settled."""

    why: Int8s  # (rows,)
    returns: Float64s  # (horizons, rows)
    barrier: Int8s  # (rows,)
    barrier_end: Int64s  # (rows,): ns
    end: Int64s  # (rows,): ns, the latest time that a label of the row knows of
    weight: Float64s  # (rows,)


def rule_of(config: LabelConfig) -> Rule:
    """The same for the kernels."""
    rows = config.barrier_ns // config.step_ns if config.step_ns else 0
    return Rule(config.latency_ns, config.barrier_ns, config.barrier_width, rows, config.executable)


def empty_window(room: int) -> Window:
    """Room for rows; none are there."""
    clock = np.zeros(_CLOCK, np.int64)
    clock[NEW] = 1
    return Window(
        ts=np.zeros(room, np.int64),
        mid=np.zeros(room),
        bought=np.zeros(room),
        sold=np.zeros(room),
        width=np.zeros(room),
        why=np.zeros(room, np.int8),
        entry=np.zeros(room, np.int64),
        end=np.zeros(room, np.int64),
        barrier=np.zeros(room, np.int8),
        share=np.zeros(room),
        open=np.zeros(room, np.int64),
        clock=clock,
    )


def room_for(rows: int, horizons: int) -> Settled:
    """Room for settled rows."""
    return Settled(
        np.zeros(rows, np.int8),
        np.full((horizons, rows), np.nan),
        np.zeros(rows, np.int8),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(rows),
    )


@kernel
def expire(w: Window, t: int, rule: Rule) -> None:
    """Labels whose vertical barrier lies before ``t`` are no longer open."""
    kept = 0
    for k in range(w.clock[OPEN]):
        j = w.open[k]
        if w.ts[j] + rule.barrier >= t:
            w.open[kept] = j
            kept += 1
    w.clock[OPEN] = kept


@kernel
def touch(w: Window, r: int, rule: Rule) -> None:
    """Labels that touch a barrier at row ``r`` end there; those that are not in yet take its prices."""
    t = w.ts[r]
    kept = 0
    for k in range(w.clock[OPEN]):
        j = w.open[k]
        if t <= w.ts[j] + rule.latency:
            w.entry[j] = r
        else:
            e = w.entry[j]
            side = 0
            if w.sold[r] - w.bought[e] >= w.width[j]:
                side = 1
            elif w.bought[r] - w.sold[e] <= -w.width[j]:
                side = -1
            if side != 0:
                w.end[j], w.barrier[j] = t, side
                continue
        w.open[kept] = j
        kept += 1
    w.clock[OPEN] = kept


@kernel
def past_rows(w: Window, r: int, rule: Rule) -> int:
    """Rows in the vertical barrier's length before row ``r``, itself included; 0 while the segment is younger."""
    if rule.rows > 0:
        return rule.rows
    t = w.ts[r]
    while w.ts[w.clock[BACK]] <= t - rule.barrier:
        w.clock[BACK] += 1
    return r - w.clock[BACK] + 1 if t - w.clock[BEGAN] >= rule.barrier else 0


@kernel
def begin(w: Window, r: int, rule: Rule, mid: float, bid: float, ask: float, volatility: float, is_warm: bool) -> None:
    """Write row ``r``: its prices, the width of its barriers, and whether a label begins."""
    w.mid[r] = math.log(mid) if mid > 0.0 else math.nan
    if rule.executable:
        w.bought[r] = math.log(ask) if ask > 0.0 else math.nan
        w.sold[r] = math.log(bid) if bid > 0.0 else math.nan
    else:
        w.bought[r] = w.mid[r]
        w.sold[r] = w.mid[r]
    w.width[r] = rule.width * volatility * math.sqrt(past_rows(w, r, rule))
    w.entry[r], w.end[r], w.barrier[r] = r, NOT_TOUCHED, 0
    if not is_warm:
        w.why[r] = COLD
    elif not (math.isfinite(w.mid[r]) and math.isfinite(w.bought[r]) and math.isfinite(w.sold[r])):
        w.why[r] = NO_PRICE
    elif not (0.0 < w.width[r] < math.inf):
        w.why[r] = FLAT
    else:
        w.why[r] = KEPT


@entry_kernel
def take(
    w: Window, start: int, stop: int, rule: Rule,
    mid: Float64s, bid: Float64s, ask: Float64s, volatility: Float64s, is_warm: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Take rows ``start … stop − 1`` of the window, whose times are there already.

    Args:
        mid, bid, ask, volatility, is_warm: of these rows, shape ``(stop − start,)``.
    """
    clock = w.clock
    for r in range(start, stop):
        t = w.ts[r]
        if clock[NEW]:
            clock[NEW] = 0
            clock[BEGAN] = t
            clock[BACK] = r
        if r == 0 or t > w.ts[r - 1]:
            expire(w, t, rule)
            clock[SAME] = r
            clock[COVERING] = clock[OPEN]
        n = r - start
        begin(w, r, rule, mid[n], bid[n], ask[n], volatility[n], is_warm[n])
        touch(w, r, rule)
        if w.why[r] == KEPT:
            w.open[clock[OPEN]] = r
            clock[OPEN] += 1
            clock[COVERING] += 1
        share = 1.0 / clock[COVERING] if clock[COVERING] > 0 else 0.0
        for same in range(clock[SAME], r + 1):
            w.share[same] = share
        clock[ROWS] = r + 1


@kernel
def last_at(ts: Int64s, low: int, high: int, t: int) -> int:
    """The last of the rows ``low … high − 1`` whose time is not after ``t``; ``low`` is one."""
    while high - low > 1:
        middle = (low + high) // 2
        if ts[middle] <= t:
            low = middle
        else:
            high = middle
    return low


@kernel
def weight(w: Window, i: int, end: int) -> float:
    """Average uniqueness of a label from row ``i`` to ``end``: the mean of `Window.share` over the rows it covers."""
    first = i
    while first > 0 and w.ts[first - 1] == w.ts[i]:
        first -= 1
    total, rows = 0.0, 0
    for b in range(first, w.clock[ROWS]):
        if w.ts[b] > end:
            break
        total += w.share[b]
        rows += 1
    return total / rows


@kernel
def settle_row(w: Window, i: int, known: int, rule: Rule, horizons: Int64s, out: Settled, n: int) -> None:
    """Write the labels of row ``i`` to column ``n``, or why it has none."""
    why, t, rows = w.why[i], w.ts[i], w.clock[ROWS]
    if why == KEPT:
        start = w.mid[last_at(w.ts, i, rows, t + rule.latency)]
        end, has_price = t, math.isfinite(w.bought[w.entry[i]]) and math.isfinite(w.sold[w.entry[i]])
        for h in range(len(horizons)):
            then = t + horizons[h]
            end = max(end, then)
            out.returns[h, n] = w.mid[last_at(w.ts, i, rows, then)] - start
            has_price = has_price and math.isfinite(out.returns[h, n])
        out.barrier[n] = w.barrier[i]
        out.barrier_end[n] = min(w.end[i], t + rule.barrier)
        out.end[n] = max(end, out.barrier_end[n])
        if out.end[n] > known:
            why = CUT
        elif not has_price:
            why = NO_PRICE
        else:
            out.weight[n] = weight(w, i, out.barrier_end[n])
    out.why[n] = why


@entry_kernel
def settle(w: Window, known: int, longest: int, rule: Rule, horizons: Int64s, out: Settled) -> int:
    """Settle rows in order, as far as they can be; the number of rows written to ``out``.

    Args:
        known: ns; no row up to this time is still to come.
        longest: ns; a row may wait until its labels have had this time. Negative: none may, for no more rows come.
        horizons: of the returns, ns.
    """
    n = 0
    for i in range(w.clock[SETTLED], w.clock[ROWS]):
        if longest >= 0 and w.ts[i] + longest > known:
            break
        settle_row(w, i, known, rule, horizons, out, n)
        n += 1
    w.clock[SETTLED] += n
    return n
