"""Rows of one segment whose labels are not all known yet, and the kernel that takes a row.

Rows are taken strictly in order. A label *begins* at its row, if that has what a label needs, and is *open* until it
touches a barrier. How many labels cover a row is known as soon as no more rows of its time can come: it takes no label
that begins later. So nothing that is settled depends on rows after the label's own time.

Open labels stand in the order of their rows: those whose time is over are the first ones, those that are not in yet the
last. A row asks the others for nothing while its prices lie between the nearest of their barriers.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.labels.config import LabelConfig
from operators.labels.jit import entry_kernel, kernel
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
OPEN = 1  # end of the labels in `Window.open`
SETTLED = 2  # rows at the front of the window that are done with
SAME = 3  # first row of the newest time
COVERING = 4  # labels that cover the newest time
BACK = 5  # first row within the past that the width counts
BEGAN = 6  # ns, the first row of the segment
NEW = 7  # 1 before the segment's first row
HEAD = 8  # first label in `Window.open` whose time is not over
IN = 9  # first one that is not in yet
_CLOCK = 10

NOT_TOUCHED = -1  # in `Window.touch`
ABOVE, BELOW = 0, 1  # indices into `Window.nearest`

LANES = 32  # labels whose weights are summed side by side
_SLACK = 1e-15  # of numbers that are added: four times what their sums can be wrong by


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
    touch: Int64s  # row at which the label touches a barrier; below 0: none so far
    barrier: Int8s  # +1 or −1 once touched
    share: Float64s  # (room + LANES,): 1 over the number of labels that cover the row's time
    open: Int64s  # rows of labels that have touched no barrier yet, from `HEAD` to `OPEN`
    above: Float64s  # of those that are in: no lower logarithm of a price touches the upper barrier
    below: Float64s  # no higher one touches the lower barrier
    nearest: Float64s  # (2,): the lowest of ``above``, the highest of ``below``, or further than that
    clock: Int64s  # (10,)


def rule_of(config: LabelConfig) -> Rule:
    """The same for the kernels."""
    rows = config.barrier_ns // config.step_ns if config.step_ns else 0
    return Rule(config.latency_ns, config.barrier_ns, config.barrier_width, rows, config.executable)


def empty_window(room: int) -> Window:
    """Room for rows; none are there."""
    window = Window(
        ts=np.zeros(room, np.int64),
        mid=np.zeros(room),
        bought=np.zeros(room),
        sold=np.zeros(room),
        width=np.zeros(room),
        why=np.zeros(room, np.int8),
        entry=np.zeros(room, np.int64),
        touch=np.zeros(room, np.int64),
        barrier=np.zeros(room, np.int8),
        share=np.zeros(room + LANES),
        open=np.zeros(room, np.int64),
        above=np.zeros(room),
        below=np.zeros(room),
        nearest=np.zeros(2),
        clock=np.zeros(_CLOCK, np.int64),
    )
    restart(window)
    return window


def restart(w: Window) -> None:
    """Forget all rows: another segment begins."""
    w.clock[:] = 0
    w.clock[NEW] = 1
    w.nearest[:] = np.inf, -np.inf


@kernel
def enter(w: Window, r: int, rule: Rule) -> None:
    """Labels that are in before row ``r``, the first of its time, were so at the prices of the row before it."""
    clock = w.clock
    while clock[IN] < clock[OPEN] and w.ts[w.open[clock[IN]]] + rule.latency < w.ts[r]:
        k, e = clock[IN], r - 1
        j = w.open[k]
        w.entry[j] = e
        width, bought, sold = w.width[j], w.bought[e], w.sold[e]
        w.above[k] = bought + width - _SLACK * (abs(bought) + width)
        w.below[k] = sold - width + _SLACK * (abs(sold) + width)
        if w.above[k] < w.nearest[ABOVE]:
            w.nearest[ABOVE] = w.above[k]
        if w.below[k] > w.nearest[BELOW]:
            w.nearest[BELOW] = w.below[k]
        clock[IN] += 1


@kernel
def expire(w: Window, t: int, rule: Rule) -> None:
    """Labels whose vertical barrier lies before ``t`` are no longer open."""
    clock = w.clock
    while clock[HEAD] < clock[IN] and w.ts[w.open[clock[HEAD]]] + rule.barrier < t:
        clock[HEAD] += 1


@kernel
def side_touched(w: Window, j: int, r: int) -> int:
    """Which barrier of label ``j`` the prices of row ``r`` touch; 0: none."""
    e = w.entry[j]
    if w.sold[r] - w.bought[e] >= w.width[j]:
        return 1
    if w.bought[r] - w.sold[e] <= -w.width[j]:
        return -1
    return 0


@kernel
def touch(w: Window, r: int) -> None:
    """Labels that touch a barrier at row ``r`` end there."""
    clock, nearest = w.clock, w.nearest
    sold, bought = w.sold[r], w.bought[r]
    if not (sold >= nearest[ABOVE] or bought <= nearest[BELOW]):
        return
    kept = clock[HEAD]
    lowest, highest = math.inf, -math.inf
    for k in range(clock[HEAD], clock[IN]):
        j, above, below = w.open[k], w.above[k], w.below[k]
        if sold >= above or bought <= below:
            side = side_touched(w, j, r)
            if side != 0:
                w.touch[j], w.barrier[j] = r, side
                continue
        if above < lowest:
            lowest = above
        if below > highest:
            highest = below
        w.open[kept], w.above[kept], w.below[kept] = j, above, below
        kept += 1
    nearest[ABOVE], nearest[BELOW] = lowest, highest
    gone = clock[IN] - kept
    if gone > 0:
        for k in range(clock[IN], clock[OPEN]):
            w.open[k - gone] = w.open[k]
        clock[IN] -= gone
        clock[OPEN] -= gone


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
    w.entry[r], w.touch[r], w.barrier[r] = r, NOT_TOUCHED, 0
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
            enter(w, r, rule)
            expire(w, t, rule)
            clock[SAME] = r
            clock[COVERING] = clock[OPEN] - clock[HEAD]
        n = r - start
        begin(w, r, rule, mid[n], bid[n], ask[n], volatility[n], is_warm[n])
        touch(w, r)
        if w.why[r] == KEPT:
            w.open[clock[OPEN]] = r
            clock[OPEN] += 1
            clock[COVERING] += 1
        share = 1.0 / clock[COVERING] if clock[COVERING] > 0 else 0.0
        for same in range(clock[SAME], r + 1):
            w.share[same] = share
        clock[ROWS] = r + 1
