"""The same parent orders, worked in several ways on one tape, and what each way cost them."""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from operators.config import FeatureConfig
from operators.execution.grid import Grid, GridSearch
from operators.execution.schemas import FILLS
from operators.execution.state import Commands, ExecutionConfig
from operators.execution.statistics import Estimate, mean
from operators.execution.view import View, order
from operators.execution.words import MARKET
from operators.jit import kernel
from operators.placement.log import PLACEMENTS
from operators.placement.market import Market
from operators.placement.plan import Placement
from operators.placement.shortfall import shortfalls
from operators.row_batch import concat_rows
from operators.trade_engine import TradeEngine
from sources.tape.batch import Float64s
from sources.tape.reader import TapeReader

STEP = 0.25  # s


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    number = np.floor(float(view.ts) * 1e-9 / parameters[1])
    if number > memory[0]:
        if memory[0] > 0.0:
            order(commands, 0, 1, MARKET, -1, 0.0, parameters[0])
            order(commands, 0, -1, MARKET, -1, 0.0, parameters[0])
        memory[0] = number


@dataclass(frozen=True)
class Both:
    """An order to buy and one to sell at fixed times."""

    size: float
    seconds: float
    columns = ()
    memory = 1
    decide_kernel = staticmethod(_decide)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.size, self.seconds)


class Costs(NamedTuple):
    """Of one way: shortfalls in bp by start, to buy and to sell, shape ``(n, 2)``, NaN if not done."""

    bp: Float64s
    seconds: float  # of processor time
    decisions: int


def grid_of(reader: TapeReader) -> Grid:
    search = GridSearch()
    for batch in reader.batches():
        search.add(batch)
    grid = search.grid()
    assert grid is not None
    return grid


def costs(
    reader: TapeReader, grid: Grid, method: str, market: Market | None, size: float, fees: tuple[float, float],
    steps: int = 40,
) -> Costs:  # fmt: skip
    """Work an order to buy and one to sell again and again, each half a second after the last ones' deadline."""
    both = Both(size, steps * STEP + 0.5)
    strategy: Any = both
    placement = None if method == "take" else Placement(method, market, steps=steps)
    execution = ExecutionConfig(maker=fees[0], taker=fees[1])
    name = str(reader.instrument)
    engine = TradeEngine(FeatureConfig(), execution, grid, strategy=strategy, placement=placement, name=name)
    began = time.process_time()
    parts = [part for batch in reader.batches() for part in engine.trade(batch)]
    seconds = time.process_time() - began
    found = {}
    for schema in (PLACEMENTS, FILLS):
        rows = concat_rows([getattr(part, schema.name) for part in parts])
        assert rows is not None
        found[schema.name] = {c.name: getattr(rows, c.array)[c.row] for c in schema.columns}
    rows = concat_rows([part.features for part in parts])
    assert rows is not None
    ts, mid = rows.integer[0], (rows.value[0] + rows.value[2]) / 2
    starts = np.flatnonzero(np.diff(ts // int(both.seconds * 1e9)) > 0) + 1
    n, p = 2 * len(starts), found["placements"]
    if method == "take":  # an order that is sent as it is is its own parent and child
        p = {"ts": np.repeat(ts[starts], 2), "parent_id": np.arange(n) + 1, "order_id": np.arange(n) + 1,
             "leaves": np.full(n, size), "mid": np.repeat(mid[starts], 2)}  # fmt: skip
    bp = shortfalls(p, found["fills"]).bp
    out = np.full(n, np.nan)
    out[: len(bp)] = bp
    return Costs(out.reshape(-1, 2), seconds, int((~np.isnan(found["placements"]["cost_take"])).sum()))


def beyond(one: Costs, other: Costs) -> Estimate:
    """How much more one way costs than another, in bp a parent; what began together counts as one observation."""
    n = min(len(one.bp), len(other.bp))
    difference = (one.bp[:n] - other.bp[:n]).mean(axis=1)
    return mean(difference[~np.isnan(difference)])
