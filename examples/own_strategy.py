"""A strategy of one's own and its backtest. Copy the class: tickwax backtest --strategy own_strategy:MeanReversion"""

import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

import tickwax as tw


class MeanReversion:
    """Bid below the mid after selling pressure, and offer above it what was bought."""

    columns = ("mid", "ofi_z_l0_1s")  # what `view.columns` holds, in this order

    def __init__(self, size=0.01, enter=1.0):
        self.size, self.enter = size, enter  # base currency; standard deviations

    def decide(self, view, orders):
        """Called at every feature row; nothing in `view` is later than the decision."""
        mid, z = view.columns
        for working in view.working:
            orders.cancel(working.order_id)
        if z < -self.enter and view.position == 0:
            orders.limit(1, round(mid / view.tick - 1) * view.tick, self.size, tif="gtx")
        elif view.position > 0:
            orders.limit(-1, round(mid / view.tick + 1) * view.tick, view.position, tif="gtx")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tape = tw.synthetic_tape(f"{folder}/tape", span="2m")
        command = [sys.executable, "-c", "from dataflows.cli import main; main()", "backtest"]
        wanted = ["--tape", str(tape), "--out", f"{folder}/out", "--strategy", "own_strategy:MeanReversion"]
        subprocess.run([*command, *wanted], check=True, cwd=Path(__file__).parent, capture_output=True)
        fills = pl.read_parquet(f"{folder}/out/fills/**/*.parquet")
    print(fills.group_by("side", "liquidity").agg(pl.len().alias("fills"), pl.col("size").sum()).sort("side"))
