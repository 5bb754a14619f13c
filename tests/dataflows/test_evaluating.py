"""`tickwax evaluate` as its users run it, and the trials that it and `tickwax train` keep."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dataflows.command_line.verbs import app
from learning.rows import read_rows
from operators.models.served import CLASSES
from sinks.parquet import CHECKSUMS, seal
from sinks.trials import FOLDER, SCHEMA, read_trials
from sources.errors import TickwaxError
from sources.parquet import read_columns
from sources.tape.schema import SETTINGS
from tests.dataflows.test_training import INSTRUMENTS, market  # noqa: F401

pytestmark = pytest.mark.slow

SUBJECTS = [f"{', '.join(map(str, INSTRUMENTS))}: {horizon}" for horizon in ("500ms", "2s")]


def run(*arguments: object, **more: str):
    around = {"TICKWAX_TRAIN__LEAST_IN_LEAF": "5", "TICKWAX_TRAIN__ROUNDS": "7", "TICKWAX_TRAIN__PENALTY": "0.5"}
    return CliRunner().invoke(app, [str(each) for each in arguments], env={**around, **more})


@pytest.fixture(scope="module")
def models(market: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A folder with a model of each kind that trains in a second."""
    root = tmp_path_factory.mktemp("models")
    for kind in ("ridge", "gbm"):
        done = run("train", kind, "--dataset", market / "dataset", "--out", root / kind)
        assert done.exit_code == 0, done.output
    return root


def trials(root: Path, source: str) -> list[dict[str, object]]:
    tables = [read_columns(path, SCHEMA.names) for path in sorted((root / FOLDER).glob("*.parquet"))]
    rows = [row for table in tables for row in table.to_pylist() if row["source"] == source]
    return [{**row, "configuration": json.loads(row["configuration"])} for row in rows]


def test_a_training_is_a_trial(models: Path, market: Path) -> None:  # noqa: F811
    """A row a horizon: the settings, and the returns on the side of the forecasts of the rows held back."""
    found = trials(models, "train")
    assert [row["subject"] for row in found] == SUBJECTS * 2
    rows = read_rows(market / "dataset")
    for row in found:
        plan = row["configuration"]
        assert plan["columns"] == ["ofi_l5_1s", "trade_count", "volatility"]
        assert plan["parameters"] == (
            {"penalty": 0.5}
            if plan["kind"] == "ridge"
            else {"rounds": 7, "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 5}
        )
        first = row["first_ts"].value
        assert rows.ts[0] < first <= row["last_ts"].value <= rows.end[-1]
        h, step = (0, 5 * 10**8) if row["subject"].endswith("500ms") else (1, 2 * 10**9)
        tested = rows.ts >= first
        size = np.abs(np.array(row["returns"]))
        assert np.isin(size, [0.0, *np.abs(rows.returns[tested, h])]).all()
        periods = 2 * (rows.ts[-1] - first) / step  # of two instruments, none of which overlap
        assert 0.5 * periods < len(size) < periods + 4


@pytest.mark.parametrize("kind", ["ridge", "gbm"])
def test_the_verb(models: Path, market: Path, tmp_path: Path, kind: str) -> None:  # noqa: F811
    html, parquet = tmp_path / "r.html", tmp_path / "r.parquet"
    before = len(trials(models, "evaluate"))
    blocks = ("--blocks", 4, "--test-blocks", 1)
    done = run(
        "evaluate", models / kind, "--dataset", market / "dataset", *blocks, "--html", html, "--parquet", parquet
    )
    assert done.exit_code == 0, done.output
    assert "1 path of 4 splits" in done.output
    others = {"ridge", "gbm"} - {kind}
    judged = pl.read_parquet(parquet)
    assert set(judged["model"]) == {kind, *others, "last imbalance", "no change"}
    assert set(judged["instrument"]) == {"all", *map(str, INSTRUMENTS)}
    own = judged.filter(model=kind, instrument="all")
    assert own["verdict"].null_count() == 0
    assert judged.filter(model="no change")["skill"].to_list() == [0.0] * 6
    assert ((judged["coverage"] > 0.6) & (judged["coverage"] <= 1.0)).all()
    for verdict in own["verdict"]:
        assert verdict in done.output.replace("\n", " ")
        assert verdict in html.read_text()
    assert "PLANTED" in done.output
    for said in ("missed of late", "PSI", "ofi_l5_1s"):
        assert said in done.output
    assert "Drift" in html.read_text()
    found = trials(models, "evaluate")[before:]
    assert [row["subject"] for row in found] == [s for s in SUBJECTS for _ in range(4 - 1)]
    told = {row["configuration"]["kind"]: row["configuration"]["parameters"] for row in found}
    defaults = {"ridge": {"penalty": 0.01},
                "gbm": {"rounds": 40, "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 100}}  # fmt: skip
    for other in others:
        assert told[other] == defaults[other], "a baseline is told by its own parameters"
    assert told["last imbalance"] == {"column": "ofi_l5_1s"}
    assert told[kind] == (
        {"penalty": 0.5} if kind == "ridge" else {**defaults["gbm"], "rounds": 7, "min_data_in_leaf": 5}
    )
    (first, *_) = (one for one in read_trials(models / FOLDER) if one.source == "evaluate")
    assert len(first.configurations) >= 3


def test_chances_of_the_barrier(market: Path, tmp_path: Path) -> None:  # noqa: F811
    """A model of classes is judged as well by its chances; those of another barrier are refused."""
    html, parquet, data = tmp_path / "r.html", tmp_path / "r.parquet", market / "dataset"
    done = run("train", "gbm", "--dataset", data, "--out", tmp_path / "m", TICKWAX_TRAIN__CLASSES="true")
    assert done.exit_code == 0, done.output
    blocks = ("--blocks", 4, "--test-blocks", 1)
    done = run("evaluate", tmp_path / "m", "--dataset", data, *blocks, "--html", html, "--parquet", parquet)
    assert done.exit_code == 0, done.output
    every = pl.read_parquet(parquet)
    assert set(every["horizon"]) == {"500ms", "2s", "barrier"}
    judged = every.filter(horizon="barrier")
    assert set(judged["model"]) == {"gbm", "logistic", "logistic, last imbalance", "class shares"}
    assert set(judged["instrument"]) == {"all", *map(str, INSTRUMENTS)}
    assert judged["pinball"].null_count() == len(judged)
    assert judged.filter(model="class shares")["log_loss_skill"].to_list() == [0.0] * 3
    assert judged["accuracy"].is_between(0, 1).all()
    for name in CLASSES:
        assert judged[f"reliability_{name}_rows"].list.sum().to_list() == judged["rows"].to_list()
    for verdict in judged.filter(model="gbm")["verdict"]:
        assert f"gbm {verdict}" in done.output.replace("\n", " ")
        assert verdict in html.read_text()
    assert "<h2>Barrier</h2>" in html.read_text()
    other = tmp_path / "other"
    shutil.copytree(data, other)
    for file in other.rglob("*.parquet"):
        table = pq.read_table(file, partitioning=None)
        told = table.schema.metadata
        barrier = json.dumps({**json.loads(told[SETTINGS.encode()]), "barrier.horizon": "1s"})
        pq.write_table(table.replace_schema_metadata({**told, SETTINGS.encode(): barrier}), file, **CHECKSUMS)
        seal(file)
    refused = run("evaluate", tmp_path / "m", "--dataset", other)
    with pytest.raises(TickwaxError, match=r"^MODEL: .* another barrier: barrier.horizon was 2s, and of .* it is 1s"):
        raise refused.exception


def test_what_cannot_be_judged(models: Path, market: Path, tmp_path: Path) -> None:  # noqa: F811
    for arguments, line in (
        ((tmp_path / "none", "--dataset", market / "dataset"), "MODEL: .*none"),
        ((models / "ridge", "--dataset", tmp_path), "holds no data set"),
        ((models / "ridge", "--dataset", market / "dataset", "--blocks", 3, "--test-blocks", 3), "blocks"),
    ):
        done = run("evaluate", *arguments)
        assert done.exit_code != 0
        said = str(done.exception) if done.exception else done.output
        assert pl.Series([said]).str.contains(line).item(), said


def test_a_data_set_without_an_input_of_the_model(models: Path, market: Path, tmp_path: Path) -> None:  # noqa: F811
    root = tmp_path / "dataset"
    shutil.copytree(market / "dataset", root)
    for file in root.rglob("*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None).drop(["trade_count"]), file, **CHECKSUMS)
        seal(file)
    done = run("evaluate", models / "ridge", "--dataset", root)
    with pytest.raises(TickwaxError, match=r"^MODEL: .*ridge: 'trade_count' is no number in "):
        raise done.exception


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        (lambda y: np.where(np.arange(len(y)) == 7, np.nan, y), "ret_500ms is no finite number in 2 rows; labels must"),
        (lambda y: np.zeros(len(y)), r"ret_500ms is 0 in all \d+ rows; nothing to foretell"),
    ],
)
def test_targets_that_teach_nothing(market: Path, tmp_path: Path, targets, line: str) -> None:  # noqa: F811
    root = tmp_path / "dataset"
    shutil.copytree(market / "dataset", root)
    for file in root.rglob("*.parquet"):
        table = pq.read_table(file, partitioning=None)
        at = table.column_names.index("ret_500ms")
        table = table.set_column(at, table.field(at), pa.array(targets(table["ret_500ms"].to_numpy())))
        pq.write_table(table, file, **CHECKSUMS)
        seal(file)
    done = run("train", "ridge", "--dataset", root, "--out", tmp_path / "m")
    with pytest.raises(TickwaxError, match=line):
        raise done.exception
