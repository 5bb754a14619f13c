"""What placement saves: the shortfall of the same parent orders, worked in each way, on the synthetic market or a tape.

Run as ``PYTHONPATH=. python benchmarks/bench_placement.py``, or with ``--tape FOLDER --model FOLDER`` on a tape of
one's own. An order to buy and one to sell begin every deadline plus half a second. A parent's shortfall is what it paid
beyond the mid at which it began, fees and all, in basis points of that mid. Ways are compared parent by parent; those
that began together count as one observation. On the synthetic market the model is estimated on another seed than it is
judged on. The time of a decision is that of the run beyond that of ``peg``, divided by the decisions of the model.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from dataflows.assembly.estimating import estimate_placement
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.settings.model import settings_from
from operators.placement.market import Market
from operators.placement.model import as_market, model_in
from sources.instrument import Instrument
from sources.model_folder import read_model
from sources.tape.layout import instruments
from sources.tape.reader import TapeReader
from tests.placement.paired import STEP, Costs, beyond, costs, grid_of

START, SECOND = 1_767_571_200 * 10**9, 10**9
METHODS = ("take", "twap", "peg", "dp", "mcts")


def compare(reader: TapeReader, market: Market, size: float, fees: tuple[float, float], steps: int) -> None:
    """Print a table: each way, and how much more it costs than ``dp`` and ``mcts``."""
    grid = grid_of(reader)
    size = size or max(grid.least, float(grid.lot))
    costs(reader, grid, "peg", market, size, fees, steps)  # compiles
    found: dict[str, Costs] = {name: costs(reader, grid, name, market, size, fees, steps) for name in METHODS}
    for name in ("dp", "mcts"):
        micro = (found[name].seconds - found["peg"].seconds) * 1e6 / max(1, found[name].decisions)
        print(f"{name}: {micro:.0f} us a decision, of {found[name].decisions:,}")
    n = min(len(each.bp) for each in found.values())
    whole = ~np.isnan(np.array([each.bp[:n] for each in found.values()])).any(axis=(0, 2))
    print(f"{reader.instrument}: {2 * whole.sum():,} parents of {size:g}, of {2 * n:,} that began; fees {fees} bp")
    print(f"{'':6}{'mean bp':>10}{'std':>8}{'CVaR 95':>9}{'beyond dp':>19}{'t':>7}{'beyond mcts':>19}{'t':>7}")
    for name, each in found.items():
        flat = np.sort(each.bp[:n][whole].ravel())
        line = f"{name:6}{flat.mean():10.4f}{flat.std():8.3f}{flat[-max(1, len(flat) // 20) :].mean():9.3f}"
        for other in ("dp", "mcts"):
            e = beyond(each, found[other])
            line += f"{e.value:10.4f} ± {e.error:.4f}{e.value / e.error if e.error else 0:7.1f}"
        print(line, flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tape", type=Path, help="of one instrument")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--symbol", default="BTCUSDT", help="of the synthetic market")
    parser.add_argument("--parents", type=int, default=2000)
    parser.add_argument("--size", type=float, default=0.0, help="0: the least")
    parser.add_argument("--fees", type=float, nargs=2, default=(2.0, 5.0))
    parser.add_argument("--steps", type=int, default=40, help="to the deadline")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tape, model = asked.tape, asked.model
        if tape is None:
            instrument = Instrument("binance_futures", asked.symbol)
            tape, other, model = (Path(scratch) / name for name in ("tape", "other", "model"))
            seconds = int(asked.parents / 2 * (asked.steps * STEP + 0.5)) + 30
            write_synthetic_tape(tape, [instrument], seconds * SECOND, 1, start_ns=START)
            write_synthetic_tape(other, [instrument], 3600 * SECOND, 2, start_ns=START)
            estimate_placement(settings_from({"tape.path": str(other), "train.path": str(model)}))
        reader, folder = TapeReader(tape, next(iter(instruments(tape)))), read_model(model)
        number = folder.card.instruments.index(str(reader.instrument))
        market = as_market(model_in(folder.arrays, number), *asked.fees)
        compare(reader, market, asked.size, tuple(asked.fees), asked.steps)


if __name__ == "__main__":
    main()
