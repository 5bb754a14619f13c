"""Networks with drawn weights, as folders and as JAX has them."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from learning.tft.network import TemporalFusion
from operators.models.kinds import CALIBRATION, served
from operators.models.served import ModelRows
from operators.models.tft.serve import DROPOUT, SIZE, UNIT
from operators.models.tft.weights import Size, from_named, named
from sources.model_folder import ModelFolder
from tests.models.folders import card

COLUMNS = ("a", "b", "c", "d", "e")
INSTRUMENTS = ("one:X", "one:Y", "two:X")
RATE = 6554


def network(seed: int = 0, window: int = 8, columns: int = len(COLUMNS)) -> TemporalFusion:
    """One whose offsets and norms are drawn, too."""
    drawn = TemporalFusion.drawn(Size(columns, 16, 4, window, 2, 3, 3), seed)
    random = np.random.default_rng(seed + 1)
    moved = {name: array + 0.1 * random.normal(size=array.shape) for name, array in named(drawn.weights).items()}
    return TemporalFusion(from_named({name: jnp.asarray(a, jnp.float32) for name, a in moved.items()}), drawn.size)


def folder(net: TemporalFusion, samples: int = 4, **changed: Any) -> ModelFolder:
    columns = COLUMNS if net.size.columns == len(COLUMNS) else tuple(f"c{i}" for i in range(net.size.columns))
    arrays = {name: np.asarray(array) for name, array in named(net.weights).items()} | {
        SIZE: np.array(net.size),
        UNIT: np.array([1e-4, 2e-4]),
        DROPOUT: np.array([samples, RATE]),
        CALIBRATION: np.zeros((2, 1)),
    }
    about = {"mean": (0.5,) * len(columns), "scale": (2.0,) * len(columns), "columns": columns}
    made = card(kind="tft", instruments=INSTRUMENTS, identity="0" * 64, **(about | changed))
    return ModelFolder(Path("model"), made, arrays, "")


def model(net: TemporalFusion, samples: int = 4) -> Any:
    return served(folder(net, samples))


def rows(n: int, columns: int = len(COLUMNS), seed: int = 2) -> ModelRows:
    random = np.random.default_rng(seed)
    ts = 1_700_000_000_000_000_000 + np.arange(n) * 100_000_000
    return ModelRows(ts, np.arange(n) * 3, random.normal(size=(n, columns)))
