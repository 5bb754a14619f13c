"""`tickwax train` and `tickwax models` as their users run them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import tickwax as tw
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.assembly.training import train_model
from dataflows.command_line.jobs.dataset import dataset
from dataflows.command_line.jobs.replay import run_replay
from dataflows.command_line.verbs import app
from dataflows.settings.model import settings_from
from learning.foretelling import predicted
from learning.rows import read_rows
from learning.stored_inputs import StoredInputs
from operators.models.kinds import served
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import CARD, read_model
from tests.conftest import ROOT
from tests.dataflows.conftest import MIDNIGHT, SECOND, environment

pytestmark = pytest.mark.slow

INSTRUMENTS = [Instrument("binance_futures", "BTCUSDT"), Instrument("bybit_linear", "ETHUSDT")]
FEATURES = {"features.windows": ["1s"], "features.fdi_window": 5, "features.volatility_window": 20}
COLUMNS = ["ofi_l5_1s", "trade_count", "volatility", "mid", "regime"]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape, its features, and a data set of labels."""
    root = tmp_path_factory.mktemp("market")
    write_synthetic_tape(root / "tape", INSTRUMENTS, 40 * SECOND, 3, start_ns=MIDNIGHT)
    tw.replay(root / "tape", to=root / "features", windows=["1s"], fdi_window=5, volatility_window=20)
    flags = {"tape.path": root / "tape", "features.path": root / "features", "dataset.path": root / "dataset"}
    texts = {key: str(path) for key, path in flags.items()}
    dataset({**texts, "dataset.columns": COLUMNS, "horizons": ["500ms", "2s"], "barrier.horizon": "2s"}, 1)
    return root


def settings(market: Path, out: Path, **more: object) -> dict[str, object]:
    own = {key.replace("__", "."): value for key, value in more.items()}
    return {"dataset.path": str(market / "dataset"), "train.path": str(out), "train.least_in_leaf": 5, **own}


def test_a_network_without_jax_is_one_line(market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "learning.tft.training", raising=False)
    wanted = settings_from(settings(market, tmp_path / "m", train__model="tft"))
    with pytest.raises(TickwaxError, match=r"^train.model: 'tft' needs jax, .* pip install 'tickwax\[learn\]'$"):
        train_model(wanted, print)


def test_rows_whose_inputs_are_kept_in_a_file_are_the_same(market: Path, tmp_path: Path) -> None:
    held, kept = read_rows(market / "dataset"), read_rows(market / "dataset", (), tmp_path, 0)
    assert isinstance(kept.inputs, StoredInputs)
    assert kept.inputs[:].tobytes() == held.inputs[:].tobytes()
    assert (np.diff(held.ts) >= 0).all()
    for name in ("ts", "end", "ordinal", "instrument", "group", "returns", "weight", "barrier"):
        assert getattr(kept, name).tobytes() == getattr(held, name).tobytes()


@pytest.mark.parametrize("kind", ["ridge", "gbm"])
def test_what_is_trained_is_served(market: Path, tmp_path: Path, kind: str) -> None:
    """A replay foretells what the model says of the rows of the data set, to the bit."""
    report = train_model(settings_from(settings(market, tmp_path / "m", train__model=kind, train__rounds=5)), print)
    folder = read_model(tmp_path / "m")
    assert report["identity"] == folder.card.identity
    assert folder.card.columns == ("ofi_l5_1s", "trade_count", "volatility")  # neither a price nor a word
    paths = {"tape.path": market / "tape", "features.path": tmp_path / "f", "predict.path": tmp_path / "p"}
    run = {**FEATURES, **{k: str(v) for k, v in paths.items()}, "predict.model": str(tmp_path / "m")}
    run_replay(settings_from(run))
    rows = read_rows(market / "dataset")
    said = predicted(served(folder), rows, np.arange(len(rows)))
    found = pl.scan_parquet(tmp_path / "p/**/*.parquet", hive_partitioning=True).collect()
    for number, instrument in enumerate(INSTRUMENTS):
        mine = found.filter(pl.col("symbol") == instrument.symbol).sort("ordinal", "ts")
        wanted = rows.instrument == number
        keys = pl.DataFrame({"ts": rows.ts[wanted], "row": np.flatnonzero(wanted)})
        joined = keys.join(mine.with_columns(pl.col("ts").dt.timestamp("ns")), on="ts")
        assert len(joined) == wanted.sum() > 100
        for h, horizon in enumerate(rows.horizons):
            for q, level in enumerate(("05", "25", "50", "75", "95")):
                expected = said[joined["row"].to_numpy(), h, q]
                np.testing.assert_array_equal(joined[f"q{level}_{horizon}"].to_numpy(), expected)
        until = joined["ts"].to_numpy() < folder.card.trained_until
        np.testing.assert_array_equal(joined["in_sample"].to_numpy(), until)
        assert until.any()
        assert not until.all()


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(done.exception, TickwaxError):
        return 2, str(done.exception)
    assert done.exception is None or done.exit_code, done.exception
    return done.exit_code, done.output


def test_the_verbs(market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    common = ("--dataset", market / "dataset", "--columns", "ofi_l5_1s,volatility")
    code, said = run("train", "ridge", *common, "--out", "models/a")
    assert (code, "pinball skill" in said, "judged by holdout, 1 fold" in said) == (0, True, True)
    assert run("train", "ridge", *common, "--out", "models/a")[1].startswith(
        "train.path: models/a holds a model already"
    )
    code, said = run("train", "ridge", *common, "--out", "models/b", "--validate", "cpcv", "--seed", 4)
    assert (code, "judged by cpcv, 15 folds" in said) == (0, True)
    (tmp_path / "models" / "c").mkdir()
    (tmp_path / "models" / "c" / CARD).write_text("{}")
    code, said = run("models", "list", "models")
    assert (code, said.count("ridge"), "not a model's card" in said) == (0, 2, True)
    assert "columns: ofi_l5_1s, volatility\n" in run("models", "show", "models/a")[1]
    code, said = run("models", "compare", "models/a", "models/b")
    assert (code, "validate" in said, "seed" in said, "cpcv" in said) == (0, True, True, True)


def test_the_module_trains_the_same(market: Path, tmp_path: Path) -> None:
    identity = train_model(settings_from(settings(market, tmp_path / "m")), print)["identity"]
    command = [sys.executable, "-m", "bytewax.run", "dataflows.train", "-w", "2"]
    around = environment(settings(market, tmp_path / "again"))
    done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert f"model {identity[:12]}, trained on" in done.stderr
    assert read_model(tmp_path / "again").card.identity == identity
    done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tickwax: train.path: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"train.model": "oracle"}, r"train\.model: 'oracle' is not one of ridge, gbm, tft, qrdqn, placement"),
        ({"train.columns": ["ofi_l5"]}, r"train\.columns: 'ofi_l5' is no number in .*; did you mean ofi_l5_1s\?"),
        ({"train.columns": ["regime"]}, r"train\.columns: 'regime' is no number"),
        ({"dataset.path": "{market}/features"}, r"dataset\.path: .*: features, and no data set of labels"),
        ({"dataset.path": "{market}/nothing"}, r"dataset\.path: .*nothing holds no data set"),
        ({"train.path": "{market}/tape"}, r"train\.path: .*tape is there and holds something else"),
        ({"train.calibration": 0.999}, r"dataset\.path: \d+ rows are left for training"),
    ],
)
def test_what_cannot_be_trained(market: Path, tmp_path: Path, more: dict[str, object], line: str) -> None:
    named = {k: v.format(market=market) if isinstance(v, str) else v for k, v in more.items()}
    with pytest.raises(TickwaxError, match=line):
        train_model(settings_from(settings(market, tmp_path / "m") | named), print)


def test_without_the_libraries(market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("learning", "lightgbm")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(TickwaxError, match=r"^train\.model: 'gbm' needs lightgbm, .*pip install 'tickwax\[learn\]'$"):
        train_model(settings_from(settings(market, tmp_path / "m", train__model="gbm")), print)
