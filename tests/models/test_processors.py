"""A processor without wide vectors foretells the same bits: each kind of model, intervals and drift too."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning.model_writer import write_model
from learning.training import Plan, train
from operators.models.kinds import CALIBRATION
from tests.conftest import ROOT
from tests.models.tft_models import folder, network
from tests.models.training import training_rows

COLUMNS = ("ofi_l0", "trade_count", "spread", "volatility", "microprice")
PARAMETERS = {
    "ridge": {"penalty": 0.01},
    "gbm": {"rounds": 10, "num_leaves": 7, "learning_rate": 0.2, "min_data_in_leaf": 20, "classes": True},
}
_FORETELL = """
import hashlib, sys
from pathlib import Path
from operators.models.kinds import served
from operators.models.predictions import Predictor
from sources.instrument import Instrument
from sources.model_folder import read_model
from tests.models.test_predictions import CONFIG, feature_rows
predictor = Predictor(served(read_model(Path(sys.argv[1]))), CONFIG, Instrument("okx_swap", "A"))
told = predictor.process(feature_rows(3, 600, True))
assert told.rows > 300
print(hashlib.sha256(told.value.tobytes() + predictor.snapshot()).hexdigest())
"""


def written(path: Path, kind: str) -> Path:
    if kind == "tft":
        net = network()
        made = folder(net, columns=COLUMNS, horizons=("3ns", "10ns"))
        scores = np.sort(np.random.default_rng(0).normal(size=(2, 50)) * 1e-4, axis=1)
        write_model(path, made.card, {**made.arrays, CALIBRATION: scores})
        return path
    rows = replace(training_rows(2000, columns=len(COLUMNS)), columns=COLUMNS)
    barrier = np.sign(np.round(rows.returns[:, 0] / 1.5e-4)).astype(np.int64)
    train(replace(rows, barrier=barrier), Plan(kind=kind, parameters=PARAMETERS[kind]), path)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("ridge", marks=pytest.mark.soak),
        pytest.param("gbm", marks=pytest.mark.soak),
        pytest.param("tft", marks=pytest.mark.soak),
    ],
)
def test_a_plain_processor_gives_the_same_bits(tmp_path: Path, kind: str) -> None:
    model = written(tmp_path / "m", kind)
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    said = [
        subprocess.run(
            [sys.executable, "-c", _FORETELL, str(model)],
            env=os.environ | changed,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        for changed in ({}, plain)
    ]
    assert [one.returncode for one in said] == [0, 0], said
    assert said[0].stdout == said[1].stdout
    assert len(said[0].stdout) == 65
