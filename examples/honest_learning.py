"""From a tape to the report of a model: on a market with a planted edge, and on one without."""

import subprocess
import sys
import tempfile

import polars as pl

import tickwax as tw

COLUMNS = "ofi_l5_1s,ofi_l5_5s,trade_imbalance_1s,trade_imbalance_5s,volatility"
SHORT = ("--horizons", "1s,5s", "--barrier", "5s")


def tickwax(*words):
    command = [sys.executable, "-c", "from dataflows.cli import main; main()", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)


def judged(folder, edge):
    tape = tw.synthetic_tape(f"{folder}/tape", symbols="okx_swap:A-USDT-SWAP", span="10m", edge=edge)
    features = tw.replay(tape, to=f"{folder}/features", windows=["1s", "5s"])
    labels, model, report = (f"{folder}/{name}" for name in ("labels", "ridge", "report.parquet"))
    tickwax("dataset", "--tape", tape, "--features", features, "--out", labels, "--columns", COLUMNS, *SHORT)
    tickwax("train", "ridge", "--dataset", labels, "--out", model)
    splits = ("--blocks", 4, "--test-blocks", 1)
    tickwax("evaluate", model, "--dataset", labels, *splits, "--parquet", report, "--html", f"{folder}/report.html")
    return pl.read_parquet(report).filter(pl.col("model") == "ridge")


if __name__ == "__main__":
    for name, edge in (("planted", 1.0), ("null", 0.0)):
        with tempfile.TemporaryDirectory() as folder:
            for row in judged(folder, edge).iter_rows(named=True):
                figures = (
                    f"R² {row['r2']:+.3f} ± {row['r2_error']:.3f}  rank {row['rank']:+.3f} ± {row['rank_error']:.3f}"
                )
                print(
                    f"{name:8} {row['horizon']:>3}  {figures}  {row['effective_rows']:4.0f} horizons: {row['verdict']}"
                )
