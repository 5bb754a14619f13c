"""What placement saves: the shortfall of the same parent orders, worked in each way, on the synthetic market or a tape.

Run as ``python benchmarks/bench_placement.py``, or with ``--tape FOLDER --model FOLDER`` on a tape of one's own. Every
deadline and a half-second an order to buy and one to sell begin. A parent's shortfall is what it paid beyond the mid at
which it began, fees and all, in basis points of that mid. Ways are compared parent by parent; those that began together
count as one observation. On the synthetic market the model is estimated on another seed than it is judged on.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataflows.assembly.estimating import estimate_placement
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.settings.model import settings_from
from operators.config import FeatureConfig
from operators.execution.grid import Grid, GridSearch
from operators.execution.schemas import FILLS
from operators.execution.state import Commands, ExecutionConfig
from operators.execution.statistics import mean
from operators.execution.view import View, order
from operators.execution.words import MARKET
from operators.jit import kernel
from operators.placement.log import PLACEMENTS
from operators.placement.market import Market
from operators.placement.model import as_market, model_in
from operators.placement.plan import Placement
from operators.placement.shortfall import shortfalls
from operators.row_batch import concat_rows
from operators.trade_engine import TradeEngine
from sources.instrument import Instrument
from sources.model_folder import read_model
from sources.tape.batch import Float64s
from sources.tape.layout import instruments
from sources.tape.reader import TapeReader

START, SECOND = 1_767_571_200 * 10**9, 10**9
METHODS = ("take", "twap", "peg", "dp", "mcts")
SYNTHETIC = Instrument("binance_futures", "BTCUSDT")


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
        """For the kernel."""
        return (self.size, self.seconds)


def grid_of(reader: TapeReader) -> Grid:
    """The grid of a tape."""
    search = GridSearch()
    for batch in reader.batches():
        search.add(batch)
    grid = search.grid()
    assert grid is not None
    return grid


def costs(
    reader: TapeReader, grid: Grid, method: str, market: Market | None, size: float, fees: tuple[float, float],
    steps: int = 40,
) -> tuple[Any, float]:  # fmt: skip
    """Shortfalls in bp by start, to buy and to sell, shape ``(n, 2)`` (NaN: not done); and processor seconds."""
    both = Both(size, steps * 0.25 + 0.5)
    strategy: Any = both
    placement = None if method == "take" else Placement(method, market, steps=steps)
    execution = ExecutionConfig(maker=fees[0], taker=fees[1])
    name = str(reader.instrument)
    engine = TradeEngine(FeatureConfig(), execution, grid, strategy=strategy, placement=placement, name=name)
    began = time.process_time()
    parts = [part for batch in reader.batches() for part in engine.trade(batch)]
    seconds = time.process_time() - began
    columns = {}
    for schema in (PLACEMENTS, FILLS):
        rows = concat_rows([getattr(part, schema.name) for part in parts])
        assert rows is not None
        columns[schema.name] = {c.name: getattr(rows, c.array)[c.row] for c in schema.columns}
    rows = concat_rows([part.features for part in parts])
    assert rows is not None
    ts, mid = rows.integer[0], (rows.value[0] + rows.value[2]) / 2
    step = int(both.seconds * 1e9)
    starts = np.flatnonzero(np.diff(ts // step) > 0) + 1
    p = columns["placements"]
    if method == "take":  # an order that is sent as it is is its own parent and child
        n = 2 * len(starts)
        p = {"ts": np.repeat(ts[starts], 2), "parent_id": np.arange(n) + 1, "order_id": np.arange(n) + 1,
             "leaves": np.full(n, size), "mid": np.repeat(mid[starts], 2)}  # fmt: skip
    bp = shortfalls(p, columns["fills"]).bp
    out = np.full(2 * len(starts), np.nan)
    out[: len(bp)] = bp
    return out.reshape(-1, 2), seconds


def compare(reader: TapeReader, grid: Grid, market: Market, size: float, fees: tuple[float, float]) -> None:
    """Print a table: each way, and how much more it costs than ``dp`` and ``mcts``."""
    found: dict[str, Any] = {}
    for method in METHODS:
        found[method], seconds = costs(reader, grid, method, market, size, fees)
        print(f"  {method}: {seconds:.1f} s", flush=True)
    pairs = ~np.isnan(np.array(list(found.values()))).any(axis=(0, 2))
    print(
        f"{2 * pairs.sum():,} parents of {size:g}, of {2 * len(pairs):,} that began; fees {fees[0]:g}, {fees[1]:g} bp"
    )
    print(f"{'':6}{'mean bp':>10}{'std':>8}{'CVaR 95':>9}{'less dp':>18}{'t':>7}{'less mcts':>18}{'t':>7}")
    for method in METHODS:
        x = found[method][pairs]
        flat = np.sort(x.ravel())
        line = f"{method:6}{flat.mean():10.3f}{flat.std():8.3f}{flat[-max(1, len(flat) // 20) :].mean():9.3f}"
        for other in ("dp", "mcts"):
            e = mean((x - found[other][pairs]).mean(axis=1))
            line += f"{e.value:10.4f} ± {e.error:.4f}{e.value / e.error if e.error else 0:7.1f}"
        print(line, flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tape", type=Path, help="of one instrument")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--parents", type=int, default=2000)
    parser.add_argument("--size", type=float, default=0.0, help="0: the least")
    parser.add_argument("--fees", type=float, nargs=2, default=(2.0, 5.0))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tape, model = asked.tape, asked.model
        if tape is None:
            tape, other = Path(scratch) / "tape", Path(scratch) / "other"
            seconds = int(asked.parents / 2 * 10.5) + 30
            write_synthetic_tape(tape, [SYNTHETIC], seconds * SECOND, 1, start_ns=START)
            write_synthetic_tape(other, [SYNTHETIC], 1800 * SECOND, 2, start_ns=START)
            model = Path(scratch) / "model"
            estimate_placement(settings_from({"tape.path": str(other), "train.path": str(model)}))
        reader = TapeReader(tape, next(iter(instruments(tape))))
        folder, grid = read_model(model), grid_of(reader)
        number = folder.card.instruments.index(str(reader.instrument))
        market = as_market(model_in(folder.arrays, number), *asked.fees)
        compare(reader, grid, market, asked.size or max(grid.least, float(grid.lot)), tuple(asked.fees))


if __name__ == "__main__":
    main()
