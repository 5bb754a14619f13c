"""Adapted intervals cover 90 % of what comes: on 100,000 rows of a synthetic market, on each day of a recorded one."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dataflows.command_line.verbs import app

pytestmark = pytest.mark.soak

COLUMNS = "ofi_l5_1s,depth_imbalance_l5,spread,volatility"
SECOND = 1_000_000_000


def run(*arguments: object) -> None:
    CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)


def covered(root: Path, horizons: dict[str, int], sampling: str) -> pl.DataFrame:
    """Of each row of the tape's predictions whether the intervals held what came; a model of its first rows says them.

    A return is that from the mid of the row to the mid of the last row not after its horizon.
    """
    tape = ("--tape", root / "tape", "--sampling", sampling)
    run("replay", *tape, "--features", root / "features")
    names = ("--columns", COLUMNS, "--horizons", ",".join(horizons))
    run("dataset", *tape[:2], "--features", root / "features", "--out", root / "dataset", *names)
    run("train", "ridge", "--dataset", root / "dataset", "--out", root / "model")
    written = ("--features", root / "again", "--predictions", root / "predictions")
    run("replay", *tape, *written, "--model", root / "model")
    features, told = (
        pl.scan_parquet(root / name / "**/*.parquet").sort("ts").collect() for name in ("features", "predictions")
    )
    ts, mid = features["ts"].dt.timestamp("ns").to_numpy(), np.log(features["mid"].to_numpy())
    at = np.searchsorted(ts, told["ts"].dt.timestamp("ns").to_numpy())
    for name, ns in horizons.items():
        y = mid[np.searchsorted(ts, ts[at] + ns, side="right") - 1] - mid[at]
        known = ts[at] + ns <= ts[-1]
        held = (told[f"lo_{name}"].to_numpy() <= y) & (y <= told[f"hi_{name}"].to_numpy())
        told = told.with_columns(pl.Series(f"held_{name}", np.where(known, held, np.nan)).fill_nan(None))
    return told


def test_on_a_synthetic_market(tmp_path: Path) -> None:
    market = ("--symbols", "okx_swap:A-USDT-SWAP", "--span", "10100s", "--edge", "0.6", "--seed", "5")
    run("synth", *market, "--tape", tmp_path / "tape")
    told = covered(tmp_path, {"1s": SECOND, "5s": 5 * SECOND}, "100ms")
    assert len(told) >= 100_000
    for name in ("1s", "5s"):
        assert told[f"held_{name}"].mean() == pytest.approx(0.9, abs=0.015)


def test_on_each_day_of_a_capture(market_data: Path, tmp_path: Path) -> None:
    """A thin market: of ten seconds' returns four fifths are 0."""
    files = [market_data / "binance_spot" / f"nexousdt_{day}.dat.gz" for day in ("20240723", "20240724")]
    if not all(file.exists() for file in files):
        pytest.skip(f"no capture in {files[0].parent}")
    where = ("--venue", "binance_spot", "--symbol", "NEXOUSDT", "--tape", tmp_path / "tape")
    run("import", "hftbacktest", *files, *where)
    told = covered(tmp_path, {"10s": 10 * SECOND, "60s": 60 * SECOND}, "1s")
    days = told.group_by(pl.col("ts").dt.date()).agg(pl.col("held_10s", "held_60s").mean(), pl.len())
    assert len(days) == 2
    assert days["len"].min() > 20_000
    for name in ("held_10s", "held_60s"):
        for share in days[name]:
            assert share == pytest.approx(0.9, abs=0.015)
