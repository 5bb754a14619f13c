"""Models to test with."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from learning.model_writer import write_model
from operators.models.served import QUANTILES
from sources.model_folder import VERSION, Card, settings_hash

FEATURES = {"features.sampling": "100ms"}


def card(**changed: Any) -> Card:
    made = Card(
        version=VERSION,
        kind="ridge",
        columns=("mid", "spread"),
        mean=(1.5, 0.1),
        scale=(2.0, 0.3),
        horizons=("1s", "5s"),
        quantiles=QUANTILES,
        features=FEATURES,
        features_hash=settings_hash(FEATURES),
        trained_from=0,
        trained_until=1_000,
    )
    return msgspec.structs.replace(made, **changed)


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {"coefficients": random.normal(size=(2, 2)), "offsets": random.normal(size=(2, 5))}


def folder(path: Path, **changed: Any) -> Path:
    write_model(path, card(**changed), arrays(), "tree\n", {"rows": 3})
    return path
