"""A backtest whose strategy looks at forecasts: for any workers and kills the same; what is refused."""

from pathlib import Path

import polars as pl
import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.run import cli_main

from dataflows.assembly.backtest import prepare_backtest
from dataflows.assembly.sweep import prepare_sweep
from dataflows.settings.model import load_settings
from dataflows.settings.sweep_grid import read_grid
from operators.rules.rule import parse_rule
from sinks.rule_store import ADOPTED, RuleStore, StoredRule, with_rules
from sources.errors import TickwaxError
from tests.dataflows.test_backtest_resumption import Run, read
from tests.dataflows.test_predictions import model_folder

pytestmark = pytest.mark.slow

MOMENTUM = {"strategy.name": "momentum", "strategy.size": "0.01", "strategy.column": "forecast_q50_1s",
            "strategy.enter": "2e-6", "strategy.leave": "1e-6"}  # fmt: skip
IN_SAMPLE = {"predict.in_sample": "true"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("model") / "m")


def backtest(tape: Path, out: Path, model: Path, workers: int = 1, **more: object):
    paths = {"tape.path": str(tape), "backtest.path": str(out), "predict.model": str(model)}
    run = prepare_backtest(load_settings({**paths, **MOMENTUM, **more}))
    cli_main(run.flow, workers_per_process=workers)
    run.commit()
    return read(out)


@pytest.fixture(scope="module")
def alone(synthetic_tape_root, model, tmp_path_factory):
    return backtest(synthetic_tape_root, tmp_path_factory.mktemp("alone"), model, **IN_SAMPLE)


def test_workers_change_nothing(alone, synthetic_tape_root, model, tmp_path):
    assert len(alone["fills"]) > 20
    found = backtest(synthetic_tape_root, tmp_path, model, 3, **IN_SAMPLE)
    for name, table in alone.items():
        assert found[name].equals(table, null_equal=True)


def test_broken_off_and_gone_on(alone, synthetic_tape_root, model, tmp_path):
    run = Run(tmp_path, synthetic_tape_root, **{**MOMENTUM, **IN_SAMPLE, "predict.model": str(model)})
    for workers, after in ((1, 2), (3, 1)):
        with pytest.raises(BytewaxRuntimeError):
            run.start(workers, after)
    run.start(2)
    found = read(run.out)
    for name, table in alone.items():
        assert found[name].equals(table, null_equal=True)
    run.settings["predict.model"] = str(model_folder(tmp_path / "other", seed=1))
    with pytest.raises(TickwaxError, match=r"another run: predict\.model was"):
        run.start()


def test_rows_that_the_model_was_trained_on_are_refused(synthetic_tape_root, model, tmp_path):
    line = (
        r"predict.model: .* was trained on what happened before 2026-01-05T00:00:01.0+Z, and binance_futures:\w+ would"
    )
    with pytest.raises(TickwaxError, match=line) as told:
        backtest(synthetic_tape_root, tmp_path, model)
    start = str(told.value).split("replay.start = '")[1].split("'")[0]
    # A replay of a part: what the model is shown before begins with the snapshot before it.
    one = {"replay.start": start, "symbols": ["binance_futures:BTCUSDT"]}
    rows = backtest(synthetic_tape_root, tmp_path, model, **one)
    assert 40 < len(rows["equity"]) < 60
    end = {"replay.end": "2026-01-05T00:00:00Z"}
    with pytest.raises(TickwaxError, match="no row of the tape is later"):
        backtest(synthetic_tape_root, tmp_path / "b", model, **end)


def test_a_model_that_nobody_asks(synthetic_tape_root, model, tmp_path, capfd):
    rows = backtest(synthetic_tape_root, tmp_path, model, **{"strategy.column": "ofi_z_l0_1s"})
    assert "is not consulted, since momentum looks at no column" in capfd.readouterr().err
    assert len(rows["equity"]) > 300


def test_rules_on_forecasts(alone, synthetic_tape_root, model, tmp_path):
    """A rule may compare what a strategy may see; episodes keep it."""
    when = [{"column": "forecast_hi_1s", "op": ">", "value": -1.0}]
    rule = parse_rule({"when": when, "action": "scale", "scale": 0.5})
    vectors = {"names": ("volatility",), "mean": (0.0,), "spread": (1.0,)}
    store = RuleStore(tmp_path / "rules")
    store.change(lambda now: with_rules(now, [StoredRule(1, rule, ADOPTED, (0.0,))], **vectors))
    rules = {"rules.store": str(tmp_path / "rules"), **IN_SAMPLE}
    found = backtest(synthetic_tape_root, tmp_path / "out", model, **rules)
    assert found["fills"]["size"].sum() < 0.8 * alone["fills"]["size"].sum()
    episodes = pl.scan_parquet(tmp_path / "out/episodes/**/*.parquet").collect()
    assert len(episodes) > 10
    assert not episodes["entry_forecast_hi_1s"].is_nan().any()
    with pytest.raises(TickwaxError, match="'forecast_hi_1s', which is no column of these features"):
        backtest(synthetic_tape_root, tmp_path / "b", "", **rules, **{"strategy.column": "ofi_z_l0_1s"})


def test_a_sweep_asks_the_model(alone, synthetic_tape_root, model, tmp_path):
    grid = tmp_path / "grid.toml"
    grid.write_text('[strategy]\nname = "momentum"\nenter = [2e-6, 4e-6]\n')
    flags = {**MOMENTUM, **IN_SAMPLE, "tape.path": str(synthetic_tape_root), "backtest.path": str(tmp_path / "s")}
    del flags["strategy.name"], flags["strategy.enter"]
    sweep = prepare_sweep({**flags, "predict.model": str(model)}, read_grid(grid))
    sweep.run(1)
    volume = {i: row[0]["turnover"] for i, row in sweep.rows.items()}
    assert sweep.failures == []
    last = alone["equity"].group_by("exchange", "symbol", maintain_order=True).last()
    assert sum(volume.values()) == pytest.approx(last["volume"].sum(), rel=1e-12)
