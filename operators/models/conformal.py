"""Intervals that are calibrated, and adapted to what came (docs/forecasts.md, 5).

Romano, Patterson & Candès 2019, "Conformalized Quantile Regression"; Gibbs & Candès 2021, "Adaptive Conformal Inference
Under Distribution Shift".
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.models.drift import Adwin, adwin, take
from operators.models.jit import entry_kernel, kernel
from operators.models.logarithm import log_ratio
from sources.tape.batch import Float64s, Int64s

COVERAGE = 0.9
STEP = 0.05  # of the level, a horizon: `gamma` of Gibbs & Candès, shared by the rows that wait at one time

_RINGS = ("ts", "mid", "entry", "low", "high", "least", "most")  # fields of `Pending`
HEAD, TAIL = range(2)  # of `Pending.at`: the oldest row that is kept, and the one after the newest


class Pending(NamedTuple):
    """What is remembered of an instrument's rows until their horizons have passed. Rings of one power of two."""

    at: Int64s  # (2,)
    resolved: Int64s  # (2, horizons): next row whose entry price, and whose label, is to be known
    ts: Int64s  # (ring,): ns
    mid: Float64s  # (ring,)
    entry: Float64s  # (horizons, ring): price that a row's return begins at
    low: Float64s  # (horizons, ring): interval that was told; NaN: none was
    high: Float64s  # (horizons, ring)
    least: Float64s  # (horizons, ring): the interval as it was calibrated, not adapted
    most: Float64s  # (horizons, ring)
    level: Float64s  # (horizons,): share of returns that the next interval may miss
    since: Int64s  # (horizons,): ns, when the present stretch of labels began; a stretch is as long as the horizon
    known: Int64s  # (2, horizons): labels of it, and how many the calibrated interval missed
    misses: Adwin  # of the shares that each stretch missed; each array with an axis of horizons before the others


def pending(horizons: int, ring: int = 64) -> Pending:
    """Before the first row."""
    wide = (horizons, ring)
    return Pending(
        np.zeros(2, np.int64), np.zeros((2, horizons), np.int64), np.zeros(ring, np.int64), np.zeros(ring),
        np.zeros(wide), np.zeros(wide), np.zeros(wide), np.zeros(wide), np.zeros(wide), np.full(horizons, 1 - COVERAGE),
        np.full(horizons, -(1 << 62)), np.zeros((2, horizons), np.int64),
        Adwin._make(np.zeros((horizons, *array.shape), array.dtype) for array in adwin()),
    )  # fmt: skip


@kernel
def offset(scores: Float64s, level: float) -> float:
    """How far an interval that misses a share of ``level`` reaches beyond the quantiles; infinite where no score of the
    calibration is large enough.

    Args:
        scores: rising.
    """
    n = len(scores)
    if level <= 0.0:
        return np.inf
    rank = int(np.ceil((n + 1) * (1.0 - level)))
    if rank > n:
        return np.inf
    return scores[max(rank, 1) - 1]


@kernel
def settle(wait: Pending, now: int, mid: float, horizons: Int64s, latency: int) -> None:
    """A row of the time ``now`` comes, after one with ``mid``: what lies before it is known, and moves the levels."""
    mask = len(wait.ts) - 1
    tail = wait.at[TAIL]
    oldest = tail
    for h in range(len(horizons)):
        i = wait.resolved[0, h]
        while i < tail and wait.ts[i & mask] + latency < now:
            wait.entry[h, i & mask] = mid
            i += 1
        wait.resolved[0, h] = i
        i = wait.resolved[1, h]
        while i < tail and wait.ts[i & mask] + horizons[h] < now:
            entry, low = wait.entry[h, i & mask], wait.low[h, i & mask]
            if entry > 0.0 and mid > 0.0 and not np.isnan(low):
                y = log_ratio(mid, entry)
                missed = 0.0 if low <= y and y <= wait.high[h, i & mask] else 1.0
                wait.level[h] += STEP / (tail - i) * ((1.0 - COVERAGE) - missed)
                wait.known[0, h] += 1
                if y < wait.least[h, i & mask] or y > wait.most[h, i & mask]:
                    wait.known[1, h] += 1
            i += 1
        wait.resolved[1, h] = i
        if now - wait.since[h] >= horizons[h]:
            if wait.known[0, h] > 0:
                m = wait.misses
                take(Adwin(m.counts[h], m.sums[h], m.total[h], m.spread[h]), wait.known[1, h] / wait.known[0, h])
            wait.since[h] = now
            wait.known[0, h] = wait.known[1, h] = 0
        oldest = min(oldest, i)
    wait.at[HEAD] = oldest


@entry_kernel
def tell(
    wait: Pending, ts: Int64s, mid: Float64s, is_warm: npt.NDArray[np.bool_], scores: Float64s, horizons: Int64s,
    latency: int, quantiles: Float64s, epistemic: Float64s, told: Float64s,
) -> None:  # fmt: skip
    """Fill ``told``, shape ``(warm rows, horizons, 8)``, with rising quantiles, interval and doubt of each warm row.

    Args:
        wait: has room for all of these rows.
        ts, mid, is_warm: shape ``(rows,)``, of consecutive rows.
        scores: shape ``(horizons, scores)``, each row rising.
        quantiles, epistemic: of the warm rows, as of `Forecasts`.
    """
    mask, n = len(wait.ts) - 1, 0
    for r in range(len(ts)):
        tail = wait.at[TAIL]
        if tail > 0:
            settle(wait, ts[r], wait.mid[(tail - 1) & mask], horizons, latency)
        at = tail & mask
        wait.ts[at], wait.mid[at] = ts[r], mid[r]
        for h in range(len(horizons)):
            wait.entry[h, at] = 0.0
            wait.low[h, at] = wait.high[h, at] = wait.least[h, at] = wait.most[h, at] = np.nan
        if is_warm[r]:
            for h in range(len(horizons)):
                row = told[n, h]
                for q in range(5):  # inserted in order
                    x, k = quantiles[n, h, q], q
                    while k > 0 and row[k - 1] > x:
                        row[k] = row[k - 1]
                        k -= 1
                    row[k] = x
                wider = offset(scores[h], wait.level[h])
                low, high = row[0] - wider, row[4] + wider
                if low > high:
                    low = high = (low + high) / 2.0
                wait.low[h, at], wait.high[h, at] = low, high
                fixed = offset(scores[h], 1.0 - COVERAGE)
                wait.least[h, at], wait.most[h, at] = row[0] - fixed, row[4] + fixed
                row[5], row[6], row[7] = low, high, epistemic[n, h]
            n += 1
        wait.at[TAIL] = tail + 1


def held(wait: Pending) -> Pending:
    """A copy of what is still asked for, in arrays of that length."""
    head, tail = (int(at) for at in wait.at)
    first = max(0, min(head, tail - 1))  # the newest row's mid is asked for, whatever has passed
    rows = np.arange(first, tail) & (len(wait.ts) - 1)
    misses = Adwin._make(array.copy() for array in wait.misses)
    kept = wait._replace(at=wait.at - first, resolved=wait.resolved - first, level=wait.level.copy(), misses=misses)
    kept = kept._replace(since=wait.since.copy(), known=wait.known.copy())
    rings: dict[str, Any] = {name: np.ascontiguousarray(getattr(wait, name)[..., rows]) for name in _RINGS}
    return kept._replace(**rings)


def with_room(wait: Pending, rows: int) -> Pending:
    """The same, with room for more rows."""
    if int(wait.at[TAIL] - wait.at[HEAD]) + rows + 1 <= len(wait.ts):
        return wait
    return in_rings(held(wait), rows)


def in_rings(kept: Pending, rows: int) -> Pending:
    """What `held` gave, in rings that have room for more rows."""
    there = len(kept.ts)
    out = pending(len(kept.level), 1 << max(6, (there + rows).bit_length()))
    for name in _RINGS:
        getattr(out, name)[..., :there] = getattr(kept, name)
    return Pending._make(getattr(out if name in _RINGS else kept, name) for name in Pending._fields)
