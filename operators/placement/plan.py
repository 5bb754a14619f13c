"""How parent orders are worked: the method, its steps, and the numbers that it decides with (docs/acting.md, 7)."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from operators.execution.grid import Grid
from operators.execution.state import MOST_WORKING
from operators.placement.dp import always_post, solve
from operators.placement.log import Log, make_log
from operators.placement.market import ACTIONS, STATES, Market
from operators.placement.mcts import Search, search_room
from operators.placement.parents import Parents
from sources.tape.batch import Float64s, Int64s

METHODS = ("peg", "twap", "dp", "mcts", "explore")
PEG, TWAP, DP, MCTS, EXPLORE = range(5)
QUOTES = ("bid_price", "bid_size", "ask_price", "ask_size")  # columns that it looks at


@dataclass(frozen=True)
class Placement:
    """What decides where orders are placed.

    Attributes:
        method: ``peg``: at the best price of its own side, moved with it; ``twap``: a slice taken at each step; ``dp``
            and ``mcts``: as of those modules; ``explore``: anywhere, at random, to learn what comes of it.
        market: the model of ``dp`` and ``mcts``.
        step_ns: between two decisions on an order.
        steps: to its deadline, at which what is open is taken.
        simulations: of a decision of ``mcts``.

    Raises:
        ValueError: there is no such method, a number is not positive, or the model is missing.
    """

    method: str
    market: Market | None = None
    step_ns: int = 250_000_000
    steps: int = 40
    simulations: int = 500

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method: {self.method!r} is not one of {', '.join(METHODS)}")
        if self.method in ("dp", "mcts") and self.market is None:
            raise ValueError(f"method: {self.method} needs a model")
        for name in ("step_ns", "steps", "simulations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not at least 1")


class Plan(NamedTuple):
    """`Placement` for kernels.

    Attributes:
        costs: shape ``(steps + 1, STATES, 5)``, of ``dp``; of others NaN, shape ``(1, STATES, 5)``.
        guess: shape ``(steps + 1, STATES)``, of ``mcts``.
        key: of the instrument; with the ordinal of the row and the parent's number it seeds what is drawn.
        least: lots of the smallest order.
    """

    method: int
    step: int
    steps: int
    costs: Float64s
    market: Market
    guess: Float64s
    simulations: int
    key: Any
    least: int


class Layer(NamedTuple):
    """What stands between a strategy and the exchange.

    Attributes:
        shown: shape ``(5, MOST_WORKING)``: what the strategy sees of its orders.
    """

    parents: Parents
    shown: Int64s
    plan: Plan
    search: Search
    log: Log


def make_layer(placement: Placement, grid: Grid, name: str, parents: Parents) -> Layer:
    """A layer for one instrument.

    Args:
        name: of the instrument.
        parents: its state.
    """
    p, market = placement, placement.market
    learned = market is not None and p.method in ("dp", "mcts")
    costs, guess = np.full((1, STATES, len(ACTIONS)), np.nan), np.zeros((1, STATES))
    search = search_room(1, 1)
    if market is not None and p.method == "dp":
        costs = solve(market, p.steps).costs
    if market is not None and p.method == "mcts":
        guess, search = always_post(market, p.steps), search_room(p.steps, p.simulations)
    plan = Plan(
        METHODS.index(p.method), p.step_ns, p.steps, costs, market if learned and market else _no_market(), guess,
        p.simulations, _key(name), max(1, int(np.ceil(grid.least / float(grid.lot) - 1e-6))),
    )  # fmt: skip
    return Layer(parents, np.zeros((5, MOST_WORKING), np.int64), plan, search, make_log())


def _no_market() -> Market:
    floats = np.zeros(1)
    return Market(
        np.zeros(STATES + 1, np.int64), floats, floats, np.zeros(1, np.int8), floats, np.zeros(1, np.int64),
        np.ones(3), 0.0, 0.0,
    )  # fmt: skip


def _key(name: str) -> Any:
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
