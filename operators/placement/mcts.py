"""Placement by Monte Carlo tree search: UCT over sampled steps, with Bellman backups.

Each simulation goes down from the state of now: it picks the action whose cost, less a bonus for being rarely tried, is
least (UCT: Kocsis & Szepesvári 2006, "Bandit based Monte-Carlo planning", ECML, §2; the bonus is polynomial, as in
Auger, Couëtoux & Teytaud 2013, "Continuous Upper Confidence Trees with Polynomial Exploration", ECML PKDD, for which no
logarithm is needed), and samples what comes of it, until it comes to a state that is new. That one is worth what
`dp.always_post` says. On the way back, the cost of an action is Bellman's: the sum over all its outcomes of what
follows at best, as it is known now (DP-UCT: Keller & Helmert 2013, "Trial-based heuristic tree search for finite
horizon MDPs", ICAPS). A mean of what simulations came to, as UCT has it, carries the cost of everything that was tried
and found bad.

Equal states are one node, whatever the way to them. Nothing is drawn but from a counter, so that one key and ordinal
give the same decision.
"""

from typing import Any, NamedTuple

import numpy as np

from operators.placement.jit import kernel, rare_kernel
from operators.placement.market import ACTIONS, STATES, TAKE, Market, allowed, filling, placed, taking
from sources.tape.batch import Float64s, Int64s

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_11, _27, _30, _31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
_UNIT = 2.0**-53


class Search(NamedTuple):
    """Room for a search; what is in it between searches means nothing, but for ``touched``.

    Attributes:
        node: shape ``(steps + 1, STATES)``: number of the node, −1 where there is none.
        where: shape ``(nodes, 2)``: steps left and state of a node.
        cost: shape ``(nodes,)``: as it is known now.
        costs, visits: shape ``(nodes, 5)``: of each action.
        path: shape ``(steps + 1, 2)``: node and action on the way down.
        touched: shape ``(1,)``: nodes in use.
    """

    node: Int64s
    where: Int64s
    cost: Float64s
    costs: Float64s
    visits: Int64s
    path: Int64s
    touched: Int64s


def search_room(steps: int, simulations: int) -> Search:
    """Room for searches of at most so many steps and simulations."""
    nodes = min(simulations, (steps + 1) * STATES) + 1
    shape = (nodes, len(ACTIONS))
    return Search(
        np.full((steps + 1, STATES), -1), np.zeros((nodes, 2), np.int64), np.zeros(nodes), np.zeros(shape),
        np.zeros(shape, np.int64), np.zeros((steps + 1, 2), np.int64), np.zeros(1, np.int64),
    )  # fmt: skip


@kernel
def drawn(key: np.uint64, number: int) -> float:
    """The number-th draw of a key, uniform in [0, 1) (SplitMix64: Steele, Lea & Flood 2014, OOPSLA)."""
    z = key + _GOLDEN * np.uint64(number + 1)
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    z ^= z >> _31
    return float(z >> _11) * _UNIT


@kernel
def sampled(market: Market, state: int, u: float) -> int:
    """The outcome of a step from ``state`` that a uniform number stands for."""
    low, high = market.first[state], market.first[state + 1] - 1
    while low < high:
        middle = (low + high) // 2
        if u < market.below[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def open_node(market: Market, search: Search, left: int, state: int, guess: Float64s) -> int:
    """A new node, worth what ``guess`` says."""
    n = search.touched[0]
    search.touched[0] = n + 1
    search.node[left, state] = n
    search.where[n, 0], search.where[n, 1] = left, state
    search.cost[n] = guess[left, state]
    for a in range(5):
        search.costs[n, a] = taking(market, state) if a == TAKE else np.inf
        search.visits[n, a] = 0
    return n


@kernel
def chosen(search: Search, n: int, state: int, bonus: float) -> int:
    """The action to try at a node: one that was never tried, else the one with the least cost less its bonus."""
    total = 0
    for a in range(5):
        if not allowed(state, a):
            continue
        if search.visits[n, a] == 0:
            return a
        total += search.visits[n, a]
    best, least = TAKE, np.inf
    tried = np.sqrt(total)
    for a in range(5):
        if allowed(state, a):
            value = search.costs[n, a] - bonus * np.sqrt(tried / search.visits[n, a])
            if value < least:
                best, least = a, value
    return best


@kernel
def back_up(market: Market, search: Search, n: int, a: int, guess: Float64s) -> None:
    """Bellman's equation at a node, for the action that was tried."""
    left, state = search.where[n, 0], search.where[n, 1]
    if a != TAKE:
        at = placed(state, a)
        here = filling(market, at)
        total = 0.0
        for k in range(market.first[at], market.first[at + 1]):
            cost = here
            if not market.filled[k]:
                child = search.node[left - 1, market.after[k]]
                cost = market.move[k] + (search.cost[child] if child >= 0 else guess[left - 1, market.after[k]])
            total += market.probability[k] * cost
        search.costs[n, a] = total
    least = np.inf
    for b in range(5):
        least = min(least, search.costs[n, b])
    search.cost[n] = least


@rare_kernel
def search_tree(
    market: Market, search: Search, guess: Float64s, left: int, state: int, simulations: int, bonus: float, key: Any
) -> int:
    """Search from a state with ``left`` steps to go; returns the action. Costs and visits are those of node 0."""
    for n in range(search.touched[0]):
        search.node[search.where[n, 0], search.where[n, 1]] = -1
    search.touched[:] = 0
    open_node(market, search, left, state, guess)
    draws = 0
    for _ in range(simulations):
        n, depth = 0, 0
        while True:
            steps, s = search.where[n, 0], search.where[n, 1]
            if steps == 0:
                break
            a = chosen(search, n, s, bonus)
            search.path[depth, 0], search.path[depth, 1] = n, a
            depth += 1
            search.visits[n, a] += 1
            if a == TAKE:
                break
            k = sampled(market, placed(s, a), drawn(key, draws))
            draws += 1
            if market.filled[k]:
                break
            n = search.node[steps - 1, market.after[k]]
            if n < 0:
                open_node(market, search, steps - 1, market.after[k], guess)
                break
        while depth > 0:
            depth -= 1
            back_up(market, search, search.path[depth, 0], search.path[depth, 1], guess)
    best = 0
    for a in range(1, 5):
        if search.costs[0, a] < search.costs[0, best]:
            best = a
    return best


class Searched(NamedTuple):
    """What a search found.

    Attributes:
        action: the one with the least cost.
        costs: shape ``(5,)``: of each action, ticks; infinite of one that cannot be done.
        visits: shape ``(5,)``: how often each was tried.
    """

    action: int
    costs: Float64s
    visits: Int64s


class TreeSearch:
    """Decides on placement by simulation. Not safe for use by two threads at once."""

    def __init__(self, market: Market, guess: Float64s, *, simulations: int = 500, bonus: float = 1.0) -> None:
        """Args:
        guess: shape ``(steps + 1, STATES)``: what a state that was never visited is worth, as `dp.always_post` says.
        simulations: of each decision.
        bonus: in ticks, how much rarely tried actions are preferred.

        Raises:
            ValueError: a number is not positive, or ``guess`` has another shape.
        """
        if guess.ndim != 2 or guess.shape[1] != STATES or len(guess) < 2:
            raise ValueError(f"guess: shape {guess.shape}, and not (steps + 1, {STATES})")
        if simulations < 1 or not bonus > 0:
            raise ValueError(f"simulations, bonus: {simulations}, {bonus} are not positive")
        self._market, self._guess = market, guess
        self._simulations, self._bonus = simulations, bonus
        self._search = search_room(len(guess) - 1, simulations)

    def decide(self, left: int, state: int, key: int, ordinal: int) -> Searched:
        """The action for a state with ``left`` steps to go.

        Args:
            key: 64 bits of the instrument; with ``ordinal`` they seed the search.

        Raises:
            ValueError: ``left`` is not from 1 to the steps of ``guess``, or there is no such state.
        """
        if not 1 <= left < len(self._guess) or not 0 <= state < STATES:
            raise ValueError(f"left, state: {left}, {state}; up to {len(self._guess) - 1} steps, {STATES} states")
        seed = np.uint64((key * 0xD1342543DE82EF95 + ordinal) & (2**64 - 1))
        search = self._search
        action = search_tree(self._market, search, self._guess, left, state, self._simulations, self._bonus, seed)
        return Searched(int(action), search.costs[0].copy(), search.visits[0].copy())
