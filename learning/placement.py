"""Estimates what comes of a step of an order from orders that were placed at random (docs/acting.md, 6).

`operators.placement.probe` places them on a tape, by the same kernels that place orders in a run: what they were
decided in, and what came of it, are rows of `operators.placement.log.PLACEMENTS`. Steps are counted from these, buys
and sells together.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.placement.log import DONE, PLACES, SENT_NOW
from operators.placement.market import (
    BEHIND,
    FIRST_THIRD,
    IMPROVE,
    IMPROVED,
    JOIN,
    LAST_THIRD,
    NONE,
    SHARES,
    SPREADS,
    STATES,
    STEP_BACK,
)  # fmt: skip
from operators.placement.model import StepModel
from operators.row_batch import RowBatch
from sources.tape.batch import Float64s, Int64s

LEAST = 30  # steps of each place
_POOLED = 10.0  # steps that count for a state beside its own: of all shares with its spread, and of all with its place
_FEW = 1e-12

Int8s = npt.NDArray[np.int8]


class Decisions(NamedTuple):
    """Rows of `PLACEMENTS`, what is needed of them, each of shape ``(n,)``."""

    ts: Int64s  # ns
    parent: Int64s
    side: Int8s
    action: Int8s
    state: Int64s
    mid: Float64s  # ticks

    @classmethod
    def of(cls, rows: RowBatch, tick: float) -> "Decisions":
        """Of rows that were logged."""
        spread, share, place = (rows.code[row].astype(np.int64) for row in (2, 3, 4))
        state = ((spread - 1) * SHARES + share) * len(PLACES) + place
        return cls(
            rows.integer[0].copy(), rows.integer[2].copy(), rows.code[0].copy(), rows.code[1].copy(), state,
            rows.value[1] / tick,
        )  # fmt: skip


class Steps(NamedTuple):
    """Steps that were seen, each of shape ``(n,)``."""

    ts: Int64s  # ns, when it began
    state: Int64s  # once the order was placed
    filled: npt.NDArray[np.bool_]
    move: Float64s  # ticks, against the order
    after: Int64s


class TooFewError(ValueError):
    """Too few steps; the text says how many, of what, and what is needed."""


def steps_of(parts: list[Decisions], step_ns: int) -> Steps:
    """Steps from decisions that follow each other, then those of the market, in which there is no order.

    What took longer than one and a half is none.
    """
    d = Decisions(*map(np.concatenate, zip(*parts, strict=True))) if parts else _NONE
    order = np.lexsort((d.ts, d.parent))
    order = order[d.action[order] != SENT_NOW]
    now, then = order[:-1], order[1:]
    seen = (d.parent[now] == d.parent[then]) & (d.action[now] != DONE)
    seen &= (d.ts[then] - d.ts[now]) * 2 <= 3 * step_ns
    now, then = now[seen], then[seen]
    place, action = d.state[now] % len(PLACES), d.action[now]
    queued = (place >= LAST_THIRD) & (place <= FIRST_THIRD)
    put = np.select(
        [(action == JOIN) & ~queued, action == IMPROVE, action == STEP_BACK], [LAST_THIRD, IMPROVED, BEHIND], place
    )  # an order that is at the best already stays where it is in the queue
    state = d.state[now] - place + put
    own = put != NONE
    # What comes of having no order is what the market does, whoever has one: it is seen once a time and side. Steps of
    # orders that are further away would not do, since they are filled now and then, nor those between two orders alone,
    # for these begin when one was filled, and the price goes on for a while.
    _, first = np.unique(2 * d.ts[now] + (d.side[now] > 0), return_index=True)
    market = (now[first], then[first])
    now, then, state = now[own], then[own], state[own]
    return Steps(
        np.concatenate([d.ts[now], d.ts[market[0]]]),
        np.concatenate([state, _without(d.state[market[0]])]),
        np.concatenate([d.action[then] == DONE, np.zeros(len(first), np.bool_)]),
        np.concatenate([_move(d, now, then), _move(d, *market)]),
        np.concatenate([d.state[then], _without(d.state[market[1]])]),
    )


def _without(state: Int64s) -> Int64s:
    """The states in which there is no order."""
    none: Int64s = state - state % len(PLACES) + NONE
    return none


def _move(d: Decisions, now: Int64s, then: Int64s) -> Float64s:
    moved: Float64s = d.side[now] * (d.mid[then] - d.mid[now])
    return moved


_NONE = Decisions(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0, np.int8), np.empty(0, np.int64),
    np.empty(0),
)  # fmt: skip


def estimate(steps: Steps, spread: Float64s, level: float, tick: float) -> StepModel:
    """The model that steps speak for.

    A state's own steps are counted beside `_POOLED` of all with its spread and place, and these beside as many of all
    with its place, whatever the spread: a state that was never seen has what is seen elsewhere (additive smoothing
    towards a pooled distribution). Standard errors take what happened at one time for one observation (Liang & Zeger
    1986, "Longitudinal data analysis using generalized linear models", Biometrika 73(1)).

    Args:
        spread: shape ``(3,)``, mean spread of each class, ticks; not a number where there was none.
        level: mean mid, ticks; tick: quote currency.

    Raises:
        TooFewError: of a place there are fewer than `LEAST` steps.
    """
    count = np.bincount(steps.state, minlength=STATES)
    by_place = count.reshape(-1, len(PLACES)).sum(axis=0)
    for name, n in zip(PLACES, by_place.tolist(), strict=True):
        if n < LEAST:
            raise TooFewError(
                f"{len(steps.state):,} steps of orders, of which {n:,} began at the place '{name}'; at least {LEAST} "
                "of each place are needed: take a longer tape"
            )
    fills = np.bincount(steps.state[steps.filled], minlength=STATES).astype(float)
    open_ = ~steps.filled
    pair = steps.state[open_] * STATES + steps.after[open_]
    moves = np.bincount(pair, steps.move[open_], STATES * STATES).reshape(STATES, STATES)
    pairs = np.bincount(pair, minlength=STATES * STATES).reshape(STATES, STATES).astype(float)
    total = fills + pairs.sum(axis=1)
    own = np.concatenate([fills[:, None], pairs, moves], axis=1)
    smooth = _smoothed(own, total)
    chance, after = smooth[:, 0], smooth[:, 1 : STATES + 1]
    mean_move = np.divide(smooth[:, STATES + 1 :], after, out=np.zeros_like(after), where=after > _FEW)
    wide = np.where(np.isnan(spread), np.arange(1, SPREADS + 1), spread)
    return StepModel(
        filled=chance,
        after=after,
        move=mean_move,
        spread=wide,
        level=np.array([level]),
        tick=np.array([tick]),
        steps=count,
        filled_error=_errors(steps.ts, steps.state, steps.filled.astype(float)),
        move_error=_errors(steps.ts[open_], steps.state[open_], steps.move[open_]),
    )


def _smoothed(own: Float64s, total: Float64s) -> Float64s:
    """Sums a step, shape ``(STATES, …)``, of a state's own steps and of those that count beside them."""
    shape = (SPREADS, SHARES, len(PLACES), own.shape[1])
    by_state, n = own.reshape(shape), total.reshape(shape[:3])
    everywhere = by_state.sum(axis=(0, 1)) / n.sum(axis=(0, 1))[:, None]  # place
    by_spread, there = by_state.sum(axis=1), n.sum(axis=1)[..., None]  # spread, place
    near = (by_spread + _POOLED * everywhere) / (there + _POOLED)
    mixed = (by_state + _POOLED * near[:, None]) / (n[..., None] + _POOLED)
    return mixed.reshape(STATES, -1)


def _errors(ts: Int64s, state: Int64s, x: Float64s) -> Float64s:
    """Standard error of the mean of ``x`` in each state, by clusters of one time."""
    n = np.bincount(state, minlength=STATES)
    mean = np.bincount(state, x, STATES) / np.maximum(n, 1)
    times, at = np.unique(ts, return_inverse=True)
    cluster, inverse = np.unique(state * len(times) + at, return_inverse=True)
    sums = np.bincount(inverse, x - mean[state])
    clusters = np.bincount(cluster // max(len(times), 1), minlength=STATES)
    square = np.bincount(cluster // max(len(times), 1), sums**2, STATES) * clusters / np.maximum(clusters - 1, 1)
    return np.sqrt(square) / np.maximum(n, 1)
