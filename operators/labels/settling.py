"""The labels of rows, once nothing that is still to come can change them."""

import math
from typing import NamedTuple

import numpy as np

from operators.labels.jit import entry_kernel, kernel
from operators.labels.window import CUT, KEPT, LANES, NO_PRICE, ROWS, SETTLED, Int8s, Rule, Window
from sources.tape.batch import Float64s, Int64s


class Settled(NamedTuple):
    """Room for rows that are settled."""

    why: Int8s  # (rows,)
    returns: Float64s  # (horizons, rows)
    barrier: Int8s  # (rows,): −1, 0, +1
    barrier_end: Int64s  # (rows,): ns
    end: Int64s  # (rows,): ns, the latest time that a label of the row knows of
    weight: Float64s  # (rows,)
    first: Int64s  # (rows,): the first row of the window that the label covers
    covers: Int64s  # (rows,): how many it covers; 0: it is none
    at: Int64s  # (horizons + 2,): rows of the window that were found for the row before


def room_for(rows: int, horizons: int) -> Settled:
    """Room for settled rows."""
    return Settled(
        np.zeros(rows, np.int8),
        np.full((horizons, rows), np.nan),
        np.zeros(rows, np.int8),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(rows),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(horizons + 2, np.int64),
    )


@kernel
def last_at(ts: Int64s, low: int, high: int, t: int) -> int:
    """The last of the rows ``low … high − 1`` whose time is not after ``t``; ``low`` is one."""
    step = 1
    while low + step < high and ts[low + step] <= t:  # rows that follow each other ask for rows that do
        low += step
        step *= 2
    high = min(high, low + step)
    while high - low > 1:
        middle = (low + high) // 2
        if ts[middle] <= t:
            low = middle
        else:
            high = middle
    return low


@kernel
def found(w: Window, out: Settled, which: int, i: int, t: int) -> int:
    """`last_at` for row ``i``, from what was found for the row before."""
    out.at[which] = last_at(w.ts, max(i, out.at[which]), w.clock[ROWS], t)
    return out.at[which]


@kernel
def settle_row(w: Window, i: int, known: int, rule: Rule, horizons: Int64s, out: Settled, n: int) -> None:
    """Write the labels of row ``i`` but for its weight to column ``n``, or why it has none."""
    why, t = w.why[i], w.ts[i]
    out.covers[n] = 0
    if why == KEPT:
        count = len(horizons)
        start = w.mid[found(w, out, count, i, t + rule.latency)]
        end, has_price = t, math.isfinite(w.bought[w.entry[i]]) and math.isfinite(w.sold[w.entry[i]])
        for h in range(count):
            then = t + horizons[h]
            end = max(end, then)
            out.returns[h, n] = w.mid[found(w, out, h, i, then)] - start
            has_price = has_price and math.isfinite(out.returns[h, n])
        touched = w.touch[i]
        last = found(w, out, count + 1, i, t + rule.barrier)
        if touched >= 0:
            last = last_at(w.ts, touched, w.clock[ROWS], w.ts[touched])
        out.barrier[n] = w.barrier[i]
        out.barrier_end[n] = w.ts[touched] if touched >= 0 else t + rule.barrier
        out.end[n] = max(end, out.barrier_end[n])
        if out.end[n] > known:
            why = CUT
        elif not has_price:
            why = NO_PRICE
        else:
            first = i
            while first > 0 and w.ts[first - 1] == t:
                first -= 1
            out.first[n], out.covers[n] = first, last - first + 1
    out.why[n] = why


@kernel
def weigh(share: Float64s, out: Settled, start: int, stop: int) -> None:
    """Average uniqueness of the labels in columns ``start … stop − 1``, whose rows follow each other: the mean of
    ``share`` over the rows that each covers, summed from the first on."""
    rows = 0
    for n in range(start, stop):
        rows = max(rows, out.covers[n])
    side_by_side, first = True, -1
    for n in range(start, stop):
        if out.covers[n] > 0:
            if first < 0:
                first = out.first[n] - (n - start)
            side_by_side = side_by_side and out.first[n] == first + n - start
    total, covers = out.weight[start:stop], out.covers[start:stop]
    if side_by_side and first >= 0 and stop - start == LANES:
        for b in range(rows):
            shares = share[first + b : first + b + LANES]
            for k in range(LANES):
                total[k] += shares[k] if b < covers[k] else 0.0
    else:
        for k in range(stop - start):
            for b in range(covers[k]):
                total[k] += share[out.first[start + k] + b]
    for k in range(stop - start):
        total[k] = total[k] / covers[k] if covers[k] > 0 else 0.0


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
    for start in range(0, n, LANES):
        weigh(w.share, out, start, min(n, start + LANES))
    return n
