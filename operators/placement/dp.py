"""The least expected cost of an order, solved exactly (Bellman 1957, *Dynamic Programming*, ch. 3)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.placement.jit import entry_kernel, kernel
from operators.placement.market import (
    ACTIONS,
    JOIN,
    NONE,
    STATES,
    TAKE,
    WAIT,
    Market,
    allowed,
    filling,
    place_in,
    placed,
    taking,
)
from sources.tape.batch import Float64s


class Solution(NamedTuple):
    """By steps that are left, 0 to ``steps``, and state.

    Attributes:
        cost: shape ``(steps + 1, STATES)``: least expected cost, ticks beyond the mid.
        costs: shape ``(steps + 1, STATES, 5)``: of each action, then the best; infinite of one that cannot be done.
        action: shape ``(steps + 1, STATES)``: the best one, the first of those that are alike.
    """

    cost: Float64s
    costs: Float64s
    action: npt.NDArray[np.int8]


@kernel
def expected(market: Market, state: int, later: Float64s) -> float:
    """Expected cost of leaving the order where it is for a step; ``later``: cost of each state after it."""
    total = 0.0
    here = filling(market, state)
    for k in range(market.first[state], market.first[state + 1]):
        cost = here if market.filled[k] else market.move[k] + later[market.after[k]]
        total += market.probability[k] * cost
    return total


@kernel
def cost_of(market: Market, state: int, action: int, later: Float64s) -> float:
    """Expected cost of an action, and of what ``later`` says after it."""
    if action == TAKE:
        return taking(market, state)
    if not allowed(state, action):
        return np.inf
    return expected(market, placed(state, action), later)


@entry_kernel
def _solve(market: Market, cost: Float64s, costs: Float64s, action: npt.NDArray[np.int8]) -> None:
    for state in range(STATES):
        cost[0, state] = taking(market, state)
        action[0, state] = TAKE
        for a in range(len(ACTIONS)):
            costs[0, state, a] = cost[0, state] if a == TAKE else np.inf
    for left in range(1, len(cost)):
        for state in range(STATES):
            best = WAIT
            for a in range(len(ACTIONS)):
                costs[left, state, a] = cost_of(market, state, a, cost[left - 1])
                if costs[left, state, a] < costs[left, state, best]:
                    best = a
            cost[left, state] = costs[left, state, best]
            action[left, state] = best


def solve(market: Market, steps: int) -> Solution:
    """The best action in every state, with up to ``steps`` steps left; at the end what is open is taken.

    Raises:
        ValueError: ``steps`` is not at least 1.
    """
    if steps < 1:
        raise ValueError(f"steps: {steps} is not at least 1")
    shape = (steps + 1, STATES)
    out = Solution(np.empty(shape), np.empty((*shape, len(ACTIONS))), np.empty(shape, np.int8))
    _solve(market, *out)
    return out


@entry_kernel
def _post(market: Market, cost: Float64s) -> None:
    for state in range(STATES):
        cost[0, state] = taking(market, state)
    for left in range(1, len(cost)):
        for state in range(STATES):
            a = JOIN if place_in(state) == NONE else WAIT
            cost[left, state] = cost_of(market, state, a, cost[left - 1])


def always_post(market: Market, steps: int) -> Float64s:
    """Expected cost of joining the best and waiting there until the end, shape ``(steps + 1, STATES)``.

    Raises:
        ValueError: ``steps`` is not at least 1.
    """
    if steps < 1:
        raise ValueError(f"steps: {steps} is not at least 1")
    cost = np.empty((steps + 1, STATES))
    _post(market, cost)
    return cost
