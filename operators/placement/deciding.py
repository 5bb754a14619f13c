"""What to do about one parent order now: the state that it is in, and the action that its method chooses."""

import numpy as np

from operators.execution.orders import find
from operators.execution.state import AHEAD, LEVEL, Resting
from operators.execution.state import TICKS as OPEN_TICKS
from operators.placement.jit import kernel, rare_kernel
from operators.placement.market import (
    BEHIND,
    FIRST_THIRD,
    IMPROVE,
    IMPROVED,
    JOIN,
    LAST_THIRD,
    MIDDLE_THIRD,
    NONE,
    STEP_BACK,
    TAKE,
    WAIT,
    allowed,
    state_of,
)
from operators.placement.mcts import drawn, search_tree
from operators.placement.parents import CHILD, KNOWN, PLACE, SIDE, TICKS, Parents
from operators.placement.plan import DP, EXPLORE, MCTS, PEG, Layer
from sources.tape.batch import Float64s

_ORDINAL = np.uint64(0xD1342543DE82EF95)
_NUMBER = np.uint64(0x2545F4914F6CDD1D)
_STAYS = 0.85  # share of steps at which an order that explores stays where it is
_BONUS = 1.0  # ticks, of `mcts.chosen`


@kernel
def place_of(parents: Parents, k: int, resting: Resting, best: int) -> int:
    """Where the child of the k-th parent is.

    Of an order whose arrival has not been seen it is the place that it was sent to; of one that is open no more, or
    elsewhere, which nobody has told yet, where it was last.

    Args:
        best: ticks, best price of its side.
    """
    table = parents.table
    if table[CHILD, k] == 0:
        return NONE
    if table[KNOWN, k] == 0:
        return int(table[PLACE, k])
    better = table[SIDE, k] * (table[TICKS, k] - best)
    if better > 0:
        return IMPROVED
    if better < 0:
        return BEHIND if better == -1 else NONE
    s, i = find(resting, table[CHILD, k])
    if s < 0 or resting.integer[OPEN_TICKS, s, i] != table[TICKS, k]:
        return int(table[PLACE, k])
    level, ahead = resting.value[LEVEL, s, i], resting.value[AHEAD, s, i]
    if 3.0 * ahead >= 2.0 * level and ahead > 0.0:
        return LAST_THIRD
    return MIDDLE_THIRD if 3.0 * ahead >= level and ahead > 0.0 else FIRST_THIRD


@kernel
def state_now(quotes: Float64s, tick: float, side: int, place: int) -> int:
    """The state of `market`.

    Args:
        quotes: price and size of the best bid, price and size of the best ask; NaN: that of a tick, and no size.
    """
    if not quotes[0] < quotes[2]:
        return state_of(0, 0, place)
    spread = min(max(int(np.rint((quotes[2] - quotes[0]) / tick)), 1), 3) - 1
    own = quotes[1] if side > 0 else quotes[3]
    share = min(int(5.0 * own / (quotes[1] + quotes[3])), 4)
    return state_of(spread, share, place)


@kernel
def _least(costs: Float64s) -> int:
    best = WAIT
    for a in range(len(costs)):
        if costs[a] < costs[best]:
            best = a
    return best


@rare_kernel
def choose(layer: Layer, k: int, left: int, state: int, place: int, ordinal: int, number: int, row: int) -> int:
    """The action for the k-th parent, and what it is chosen for in row ``row`` of the log.

    Args:
        left: steps to the deadline, at least 1.
        number: of the parent.
    """
    plan, log = layer.plan, layer.log
    seed = plan.key * _ORDINAL + np.uint64(ordinal) + np.uint64(number) * _NUMBER
    if plan.method == DP:
        costs = plan.costs[left, state]
        for a in range(5):
            log.value[2 + a, row] = costs[a] if np.isfinite(costs[a]) else np.nan
        return _least(costs)
    if plan.method == MCTS:
        search = layer.search
        action = search_tree(plan.market, search, plan.guess, left, state, plan.simulations, _BONUS, seed)
        for a in range(5):
            log.value[2 + a, row] = search.costs[0, a] if np.isfinite(search.costs[0, a]) else np.nan
            log.integer[5 + a, row] = search.visits[0, a]
        return int(action)
    if plan.method == PEG:
        return JOIN
    if plan.method == EXPLORE:
        if place != NONE and drawn(seed, 0) < _STAYS:
            return WAIT
        u = drawn(seed, 1)
        action = JOIN if u < 0.4 else (IMPROVE if u < 0.7 else (STEP_BACK if u < 0.9 else WAIT))
        return action if allowed(state, action) else JOIN
    return TAKE
