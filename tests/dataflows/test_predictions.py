"""A model in the dataflow: its data set is the same for any workers, processes, kills, and live."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from bytewax.errors import BytewaxRuntimeError

from dataflows.settings.model import load_settings
from learning.model_writer import write_model
from operators.config import FeatureConfig
from operators.identity import feature_settings
from operators.models.served import QUANTILES
from sinks.identity import settings_in
from sources.errors import TickwaxError
from sources.model_folder import VERSION, Card, settings_hash
from sources.tape.layout import data_files, instruments
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND
from tests.dataflows.test_live import MODULE as LIVE
from tests.dataflows.test_live import exchange, replayed, wait_until_served  # noqa: F401
from tests.dataflows.test_replay import assert_same, table
from tests.dataflows.test_resumption import VERB, Run

pytestmark = pytest.mark.slow

COLUMNS = ("spread", "depth_imbalance_l5", "ofi_l5", "trade_count")
HORIZONS = ("300ms", "1s")


def model_folder(path: Path, seed: int = 0) -> Path:
    """A linear model of features with default settings, whose intervals are too narrow."""
    random = np.random.default_rng(4)
    told = feature_settings(FeatureConfig())
    card = Card(
        version=VERSION, kind="ridge", columns=COLUMNS, mean=(0.0,) * 4, scale=(1.0,) * 4, horizons=HORIZONS,
        quantiles=QUANTILES, features=told, features_hash=settings_hash(told), trained_from=0,
        trained_until=MIDNIGHT + SECOND, seed=seed,
    )  # fmt: skip
    arrays = {
        "coefficients": 1e-6 * random.normal(size=(2, 4)),
        "intercept": np.zeros(2),
        "offsets": 1e-6 * np.sort(random.normal(size=(2, 5)), axis=1),
        "calibration": 1e-6 * np.sort(random.normal(size=(2, 50)), axis=1),
    }
    write_model(path, card, arrays)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("model") / "m")


@pytest.fixture(scope="module")
def alone(model: Path, synthetic_tape_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features and predictions of a replay that nothing disturbs."""
    root = tmp_path_factory.mktemp("alone")
    paths = {"predict.model": str(model), "predict.path": str(root / "predictions")}
    replayed(synthetic_tape_root, root / "features", **paths)
    return root


def predicted(root: Path) -> dict[str, pa.Table]:
    return {str(i): table(root, i) for i in instruments(root)}


def check(found: Path, expected: Path) -> None:
    ours, theirs = predicted(found), predicted(expected)
    assert ours.keys() == theirs.keys() == set(map(str, INSTRUMENTS))
    for name in ours:
        assert_same(ours[name], theirs[name])


def test_a_row_a_warm_feature_row(alone: Path, model: Path) -> None:
    for instrument in INSTRUMENTS:
        features, rows = table(alone / "features", instrument), table(alone / "predictions", instrument)
        warm = (features["warm"].to_numpy() & 64) != 0
        assert 50 < warm.sum() == rows.num_rows
        for name in ("ts", "receive_ts", "ordinal"):
            assert rows[name].to_pylist() == features[name].filter(pa.array(warm)).to_pylist()
        until = np.datetime64(MIDNIGHT + SECOND, "ns")
        assert rows["in_sample"].to_pylist() == (rows["ts"].to_numpy() < until).tolist()
        assert not rows["q05_300ms"].null_count
        assert np.isnan(rows["epistemic_1s"].to_numpy()).all()
        width = (rows["hi_1s"].to_numpy() - rows["lo_1s"].to_numpy()).round(12)
        assert len(np.unique(width)) > 5, "the intervals do not adapt"
        (identity,) = set(rows["model"].to_pylist())
        file = data_files(alone / "predictions", instrument)[0]
        told = settings_in(file) or {}
        assert told["predict.model"].startswith(identity)
        assert told["features.sampling"] == "100ms"


def test_workers_change_nothing(alone: Path, model: Path, synthetic_tape_root: Path, tmp_path: Path, start) -> None:
    paths = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "f", "predict.path": tmp_path / "p"}
    process = start({**paths, "predict.model": model}, *VERB, "replay", "--processes", 2, "-w", 2)
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert "predictions" in stdout
    check(tmp_path / "p", alone / "predictions")


def test_broken_off_and_gone_on(alone: Path, model: Path, synthetic_tape_root: Path, tmp_path: Path) -> None:
    run = Run(tmp_path, synthetic_tape_root, **{"predict.model": str(model), "predict.path": str(tmp_path / "p")})
    for workers, after in ((1, 2), (3, 1)):
        with pytest.raises(BytewaxRuntimeError):
            run.start(workers, after)
        assert not list(instruments(tmp_path / "p"))
    run.start(2)
    check(tmp_path / "p", alone / "predictions")


def test_another_model_does_not_go_on(model: Path, synthetic_tape_root: Path, tmp_path: Path) -> None:
    run = Run(tmp_path, synthetic_tape_root, **{"predict.model": str(model), "predict.path": str(tmp_path / "p")})
    with pytest.raises(BytewaxRuntimeError):
        run.start(1, 2)
    run.settings["predict.model"] = str(model_folder(tmp_path / "other", seed=1))
    with pytest.raises(TickwaxError, match=r"the state is of another run: predict.model was SHA-256"):
        run.start(1)


def test_a_range_is_part_of_the_whole(alone: Path, model: Path, synthetic_tape_root: Path, tmp_path: Path) -> None:
    limits = {"replay.start": "2026-01-04T23:59:59Z", "replay.end": "2026-01-05T00:00:03Z"}
    paths = {"predict.model": str(model), "predict.path": str(tmp_path / "p")}
    replayed(synthetic_tape_root, tmp_path / "f", **limits, **paths)
    for instrument in INSTRUMENTS:
        part, whole = table(tmp_path / "p", instrument), table(alone / "predictions", instrument)
        ordinals = whole["ordinal"].to_numpy()
        inside = (ordinals >= part["ordinal"][0].as_py()) & (ordinals <= part["ordinal"][-1].as_py())
        assert 20 < part.num_rows < whole.num_rows
        assert_same(part, whole.filter(pa.array(inside)))


def test_replaying_a_live_run_gives_its_predictions(exchange, model, start, tmp_path) -> None:  # noqa: F811
    settings = {
        **exchange.addresses, "tape.path": tmp_path / "tape", "features.path": tmp_path / "features",
        "symbols": '["binance_futures:*","bybit_linear:*"]', "predict.model": model,
        "predict.path": tmp_path / "predictions", "duration": "7s",
    }  # fmt: skip
    for _ in range(2):  # the second run goes on where the first one ended
        process = start(settings, *LIVE)
        wait_until_served(exchange, 3)
        exchange.fault("drop", symbol=INSTRUMENTS[0].symbol, stream="*@depth*")
        stdout, stderr = process.communicate(timeout=90)
        assert (process.returncode, stdout) == (0, ""), stderr
    again = {"predict.model": str(model), "predict.path": str(tmp_path / "again")}
    replayed(tmp_path / "tape", tmp_path / "f", **again)
    check(tmp_path / "predictions", tmp_path / "again")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            {"features.windows": ["1s"]},
            "predict.model: .* was trained on other features: features.windows was 100ms, 1s, ",
        ),
        ({"features.max_hold": "50s"}, "features.max_hold was 1m, and is 50s"),
        ({"predict.path": "{features}"}, "predict.path: '.*' is also features.path"),
        ({"predict.model": "{features}"}, "predict.model: .* is not a folder"),
        (
            {"kafka.bootstrap": "b:1", "predict.topic": "x", "kafka.topic": "x"},
            "predict.topic: 'x' is also kafka.topic",
        ),
    ],
)
def test_what_does_not_fit(model: Path, synthetic_tape_root: Path, tmp_path: Path, more, line: str) -> None:
    paths = {"predict.model": str(model), "predict.path": str(tmp_path / "p")}
    named = {k: v.format(features=tmp_path / "f") if isinstance(v, str) else v for k, v in more.items()}
    with pytest.raises(TickwaxError, match=line):
        replayed(synthetic_tape_root, tmp_path / "f", **paths | named)


def test_no_model_is_no_prediction() -> None:
    assert load_settings({}).predict.model is None
