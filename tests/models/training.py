"""Rows to train on, with a link that is known."""

import numpy as np

from learning.rows import TrainingRows
from sources.instrument import Instrument

SECOND = 1_000_000_000
INSTRUMENTS = (Instrument("okx_swap", "A"), Instrument("okx_swap", "B"))


def training_rows(n: int = 3000, seed: int = 0, noise: float = 1.0, columns: int = 4) -> TrainingRows:
    """Rows of two instruments in turn, one every 50 ms, with labels that take 1 s: the first column foretells them."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(n, columns))
    inputs[random.random((n, columns)) < 0.05] = np.nan
    signal = np.nan_to_num(inputs[:, 0])
    returns = 1e-4 * (np.stack([signal, 0.5 * signal], axis=1) + noise * random.normal(size=(n, 2)))
    ts = np.arange(n) * (SECOND // 20)
    return TrainingRows(
        columns=tuple(f"x{c}" for c in range(columns)),
        horizons=("500ms", "1s"),
        latency="0ms",
        features={"features.sampling": "100ms"},
        own={},
        instruments=INSTRUMENTS,
        instrument=np.arange(n) % 2,
        ts=ts,
        end=ts + SECOND,
        ordinal=np.arange(n) * 3,
        group=np.zeros(n, np.int64),
        inputs=inputs,
        returns=returns,
        weight=0.5 + random.random(n),
    )
