"""What it costs to serve a model: our kernels beside LightGBM's own predict, and beside ONNX Runtime.

Run as ``python benchmarks/bench_models.py``; needs ``pip install 'tickwax[learn]'``, the last one 'tickwax[bench]'. A
model of 30 columns, three horizons and five quantiles is trained on random rows with the default settings. Every round
runs every line once, and the fastest of each is shown, in processor time: a row alone, as a live run has it, and 1000
rows together. Before, ours and LightGBM's are held against each other to the bit. ONNX Runtime has thresholds and
inputs in single precision: how far it is from them is shown.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np

try:
    from onnx_models import trees
except ImportError:
    trees = None

from learning.boosted import fit_boosted
from learning.ridge import fit_ridge
from learning.rows import TrainingRows
from operators.models.kinds import CALIBRATION, served
from operators.models.lightgbm_text import joined
from operators.models.served import QUANTILES, ModelRows, ServedModel, forecasts
from sources.instrument import Instrument
from sources.model_folder import VERSION, Card, ModelFolder, settings_hash

COLUMNS, HORIZONS = 30, ("1s", "5s", "30s")
TREES = {"rounds": 40, "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 100}


def training_rows(n: int) -> TrainingRows:
    """Rows whose first columns foretell a little."""
    random = np.random.default_rng(1)
    x = random.normal(size=(n, COLUMNS))
    returns = 1e-4 * (0.2 * x[:, :3] + 0.1 * x[:, 3:6] ** 2 + random.normal(size=(n, 3)))
    ts = np.arange(n) * 100_000_000
    zeros = np.zeros(n, np.int64)
    return TrainingRows(
        tuple(f"x{c}" for c in range(COLUMNS)), HORIZONS, "0ms", {}, {}, (Instrument("any", "ANY"),), zeros, ts, ts + 1,
        zeros, zeros, x, returns, np.ones(n),
    )  # fmt: skip


def model(kind: str, rows: TrainingRows) -> tuple[ServedModel, list[str]]:
    """A served model, and LightGBM's texts."""
    train, texts = np.arange(len(rows)), []
    card = Card(
        version=VERSION, kind=kind, columns=rows.columns, horizons=HORIZONS, quantiles=QUANTILES, features={},
        features_hash=settings_hash({}), trained_from=0, trained_until=0,
    )  # fmt: skip
    arrays = {CALIBRATION: np.zeros((3, 1))}
    if kind == "gbm":
        texts = fit_boosted(rows, train, TREES, 0, 2)
        return served(ModelFolder(Path(), card, arrays, joined(texts))), texts
    found = fit_ridge(rows, train, 0.01)
    card.mean, card.scale = tuple(found.scaling.mean.tolist()), tuple(found.scaling.scale.tolist())
    return served(ModelFolder(Path(), card, {**arrays, **found.arrays}, "")), texts


def each(serve: Callable[[], object], calls: int) -> float:
    """Processor seconds of a call."""
    start = time.process_time()
    for _ in range(calls):
        serve()
    return (time.process_time() - start) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    rows = training_rows(20_000)
    gbm, texts = model("gbm", rows)
    ridge, _ = model("ridge", rows)
    boosters = [lightgbm.Booster(model_str=text) for text in texts]
    session = None if trees is None else trees(boosters, COLUMNS)
    lines: dict[str, tuple[Callable[[], object], int, int]] = {}
    for n, calls in ((1, 300), (1000, 3)):
        x = np.ascontiguousarray(rows.inputs[:n])
        shown, out = ModelRows(rows.ts[:n], rows.ordinal[:n], x), forecasts(n, len(HORIZONS))
        gbm.step((), shown, out)
        theirs = np.stack([booster.predict(x, num_threads=1) for booster in boosters], axis=1)
        assert out.quantiles.reshape(n, -1).tobytes() == np.ascontiguousarray(theirs).tobytes()
        lines[f"gbm, {n} rows"] = (lambda s=shown, o=out: gbm.step((), s, o), calls, n)
        lines[f"LightGBM's predict, {n} rows"] = (
            lambda x=x: [booster.predict(x, num_threads=1) for booster in boosters], max(1, calls // 10), n,
        )  # fmt: skip
        if session is not None:
            single = x.astype(np.float32)
            off = np.abs(np.concatenate(session.run(None, {"x": single}), axis=1) - theirs).max() / np.abs(theirs).max()
            print(f"ONNX Runtime, {n} rows: off by {off:.1e} of the largest forecast at most")
            lines[f"ONNX Runtime, {n} rows"] = (lambda x=single: session.run(None, {"x": x}), max(1, calls // 10), n)
        lines[f"ridge, {n} rows"] = (lambda s=shown, o=out: ridge.step((), s, o), calls, n)
    best = dict.fromkeys(lines, float("inf"))
    for _ in range(rounds):
        for name, (serve, calls, n) in lines.items():
            best[name] = min(best[name], each(serve, calls) / n)
    print(f"{sum(text.count('Tree=') for text in texts)} trees of {TREES['num_leaves']} leaves, {COLUMNS} columns")
    for name, seconds in best.items():
        print(f"{name:32} {1e6 * seconds:10.2f} µs a row")


if __name__ == "__main__":
    main()
