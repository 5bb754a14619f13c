"""Intervals that are calibrated, and adapted to what came (docs/forecasts.md, 5).

Romano, Patterson & Candès 2019, "Conformalized Quantile Regression"; Gibbs & Candès 2021, "Adaptive Conformal Inference
Under Distribution Shift".
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.models.jit import entry_kernel, kernel
from sources.tape.batch import Float64s, Int64s

COVERAGE = 0.9
STEP = 0.05  # of the level, a horizon: `gamma` of Gibbs & Candès, shared by the rows that wait at one time

_RINGS = ("ts", "mid", "entry", "low", "high")  # fields of `Pending`
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
    level: Float64s  # (horizons,): share of returns that the next interval may miss


def pending(horizons: int, ring: int = 64) -> Pending:
    """Before the first row."""
    wide = (horizons, ring)
    return Pending(
        np.zeros(2, np.int64), np.zeros((2, horizons), np.int64), np.zeros(ring, np.int64), np.zeros(ring),
        np.zeros(wide), np.zeros(wide), np.zeros(wide), np.full(horizons, 1 - COVERAGE),
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
def log_ratio(a: float, b: float) -> float:
    """``log(a/b)`` of numbers above 0, of additions, multiplications, divisions and roots alone: the same bits wherever
    it runs. Near 0 it is right to a few units in the last place."""
    x, times = a / b, 2.0
    while x > 1.25 or x < 0.8:
        x = np.sqrt(x)
        times *= 2.0
    # log x = 2 artanh z, |z| < 0.112: the first term left out is below 1e-20.
    z = (a - b) / (a + b) if times == 2.0 else (x - 1.0) / (x + 1.0)
    square, total = z * z, 0.0
    for k in range(10, -1, -1):
        total = total * square + 1.0 / (2 * k + 1)
    return times * z * total


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
            i += 1
        wait.resolved[1, h] = i
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
            wait.low[h, at] = wait.high[h, at] = np.nan
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
                row[5], row[6], row[7] = low, high, epistemic[n, h]
            n += 1
        wait.at[TAIL] = tail + 1


def held(wait: Pending) -> Pending:
    """A copy of what is still asked for, in arrays of that length."""
    head, tail = (int(at) for at in wait.at)
    first = max(0, min(head, tail - 1))  # the newest row's mid is asked for, whatever has passed
    rows = np.arange(first, tail) & (len(wait.ts) - 1)
    kept = wait._replace(at=wait.at - first, resolved=wait.resolved - first, level=wait.level.copy())
    return kept._replace(**{name: np.ascontiguousarray(getattr(wait, name)[..., rows]) for name in _RINGS})


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
    return out._replace(at=kept.at, resolved=kept.resolved, level=kept.level)
