"""`tickwax train qrdqn`, and what it writes in a backtest, as their users run them."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dataflows.assembly.agent_paths import AgentPaths
from dataflows.assembly.backtest_in_memory import backtest_in_memory
from dataflows.assembly.engines import own_config
from dataflows.assembly.forecasting import forecasting_of
from dataflows.assembly.grids import grids_of
from dataflows.assembly.paper import PaperTrading
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.assembly.tapes import open_tape
from dataflows.assembly.trade_engines import TradeEngines
from dataflows.assembly.trading import execution_config, strategy_factory, trading_identity
from dataflows.assembly.training import train_model
from dataflows.command_line.verbs import app
from dataflows.settings.model import settings_from
from learning.environment.recording import record
from operators.execution.columns import chosen_rows
from operators.models.agent import read_agent
from operators.strategies.agent import Agent
from operators.trade_engine import TradeEngine
from sinks.trials import read_trials
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.telemetry import Telemetry
from sources.model_folder import CARD, read_model
from tests.dataflows.conftest import MIDNIGHT, SECOND
from tests.dataflows.test_predictions import model_folder

pytestmark = pytest.mark.slow

A = Instrument("okx_swap", "A-USDT-SWAP")
TINY = {
    "train.model": "qrdqn", "train.columns": ["ofi_l5_1s", "trade_imbalance_1s"], "train.blocks": 3,
    "train.test_blocks": 1, "agent.step": "200ms", "agent.steps": 300, "agent.members": 2, "agent.hidden": [8],
    "agent.quantiles": 5, "agent.size": 2.0, "agent.cvar": 1.0, "execution.taker": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape, one that comes later, and an agent of the first."""
    root = tmp_path_factory.mktemp("market")
    for name, start in (("tape", MIDNIGHT), ("later", MIDNIGHT + 600 * SECOND)):
        write_synthetic_tape(root / name, [A], 50 * SECOND, 3, start_ns=start, edge=0.8)
    return root


def settings(market: Path, out: Path, **more: object) -> dict[str, object]:
    named = {key.replace("__", "."): value for key, value in more.items()}
    return {**TINY, "tape.path": str(market / "tape"), "train.path": str(out), **named}


@pytest.fixture(scope="module")
def agent(market: Path) -> Path:
    train_model(settings_from(settings(market, market / "models/agent")), print)
    return market / "models/agent"


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(done.exception, TickwaxError):
        return 2, str(done.exception)
    assert done.exception is None or done.exit_code, done.exception
    return done.exit_code, done.output


def test_the_verb_trains_judges_and_remembers(
    market: Path, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = {**TINY, "agent.hidden": "[8]", "train.columns": '["ofi_l5_1s", "trade_imbalance_1s"]'}
    for key, value in values.items():
        monkeypatch.setenv("TICKWAX_" + key.upper().replace(".", "__"), str(value))
    code, said = run("train", "qrdqn", "--tape", market / "tape", "--out", "m/agent", "--report", "pictures/a.png")
    assert (code, "judged by backtests over 1 path of 3 splits" in said, "PLANTED" in said) == (0, True, True)
    assert [line.split()[0] for line in said.splitlines() if line.startswith(("path", "hold", "flat"))] == [
        "path", "hold", "flat",
    ]  # fmt: skip
    assert "network 1 of" not in said or "left" in said
    assert (tmp_path / "pictures/a.png").stat().st_size > 1000
    assert not list(tmp_path.glob("m/.*"))
    again, first = read_model(tmp_path / "m/agent"), read_model(agent)
    assert again.card.identity == first.card.identity
    assert again.card.planted
    (trials,) = read_trials(tmp_path / "m/trials")
    assert (trials.source, trials.subject, len(trials.configurations)) == ("train", str(A), 1)
    assert len(trials.returns) > 30
    assert run("models", "list", "m")[1].count("qrdqn") == 1
    assert "horizons" not in run("models", "show", "m/agent")[1]
    assert run("train", "qrdqn", "--tape", market / "tape", "--out", "m/agent")[1].startswith("train.path: ")


@pytest.fixture(scope="module")
def foretold(market: Path) -> dict[str, object]:
    """Settings of an agent whose doubt is that of a forecast, of which it sees another column, too."""
    model = model_folder(market / "models/ridge")
    return {
        "predict__model": str(model), "predict__in_sample": True, "agent__doubt": "forecast_hi_1s", "agent__members": 1,
        "agent__steps": 100, "agent__max_epistemic": 0.5, "train__columns": ["ofi_l5_1s", "forecast_q50_1s"],
    }  # fmt: skip


def test_a_forecast_closes_the_gate(market: Path, foretold: dict[str, object], tmp_path: Path) -> None:
    told: list[str] = []
    trained = train_model(settings_from(settings(market, tmp_path / "agent", **foretold)), told.append)
    model = read_agent(tmp_path / "agent", "strategy.path")
    assert model.doubt == "forecast_hi_1s"
    assert model.columns == ("ofi_l5_1s", "forecast_q50_1s")
    assert model.most_doubt == trained["most_doubt"]
    run_settings = {
        "strategy.name": "agent",
        "strategy.path": str(tmp_path / "agent"),
        "tape.path": str(market / "later"),
    }
    given = settings_from({**run_settings, "predict.model": foretold["predict__model"]})
    _, readers = open_tape(given)
    config, grid = given.feature_config(), grids_of(given, readers)[A]
    own, forecasting = own_config(given, config), forecasting_of(given, config)
    assert forecasting is not None
    recording = record(
        readers[0].cut_batches(), config, execution_config(given, A.venue), grid, model.columns, full_depth=True,
        forecasts=forecasting.make(A), doubt=model.doubt,
    )  # fmt: skip
    engine = TradeEngines(given, own).make(A, grid)
    parts = [part for batch, cut in readers[0].cut_batches() for part in engine.trade(batch, cut)]
    rows = np.concatenate([part.features.value for part in parts], axis=1)[:, recording.row]
    places = chosen_rows((*model.columns, model.doubt), config, forecasting.columns)
    assert recording.doubt is not None
    np.testing.assert_array_equal([*recording.features.T, recording.doubt], rows[places])  # as in a backtest
    assert 0.05 < (recording.doubt > model.most_doubt).mean() < 1
    with pytest.raises(TickwaxError, match=r"^strategy.name: agent: .* and no model foretells"):
        TradeEngines(settings_from(run_settings), own)
    other = model_folder(tmp_path / "other", seed=1)
    with pytest.raises(TickwaxError, match=r"^predict.model: .*; the agent was trained with the forecasts of"):
        TradeEngines(settings_from({**run_settings, "predict.model": str(other)}), own)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"predict__model": ""}, r"agent.doubt: 'forecast_hi_1s', and no model foretells: name one with predict.model"),
        (
            {"agent__doubt": "forecast_hi_9s"},
            r"agent.doubt: 'forecast_hi_9s' is no column of the forecasts; forecast_ep",
        ),
        (
            {"agent__doubt": "forecast_epistemic_1s"},
            r"agent.doubt: 'forecast_epistemic_1s' is not known at any decision",
        ),
        ({"predict__in_sample": False}, r"predict.model: .* was trained on what happened before"),
    ],
)
def test_a_gate_that_cannot_be_is_refused(
    market: Path, foretold: dict[str, object], tmp_path: Path, change: dict[str, object], says: str
) -> None:
    with pytest.raises(TickwaxError, match=f"^{says}"):
        train_model(settings_from(settings(market, tmp_path / "agent", **{**foretold, **change})), print)


def test_it_trades_what_comes_later(market: Path, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWAX_EXECUTION__TAKER", "0")
    chosen = ("--strategy", "agent", "--param", f"path={agent}", "--out", tmp_path / "b")
    code, said = run("backtest", "--tape", market / "tape", *chosen)
    assert (code, said.startswith("strategy.path: was trained on the time until 2026-01-05T00:00:49.8")) == (2, True)
    code, said = run("backtest", "--tape", market / "later", *chosen)
    assert (code, str(A) in said) == (0, True)
    found = pl.read_parquet(tmp_path / "b/equity/**/*.parquet", hive_partitioning=False)
    np.testing.assert_array_equal(found["equity"].to_numpy(), equity(market, agent, "later")["equity"])


def equity(market: Path, agent: Path, tape: str, **limits: object) -> dict[str, np.ndarray]:
    found = settings_from({"tape.path": str(market / tape), "execution.taker": 0.0, **limits})
    _, (reader,) = open_tape(found)
    grid = grids_of(found, [reader], lambda line: None)[A]
    strategy = Agent(str(agent), in_sample=1)
    engine = TradeEngine(found.feature_config(), execution_config(found, A.venue), grid, strategy=strategy)
    return backtest_in_memory(reader, engine, found.feature_config().sampling_ns).equity


def test_risk_limits_hold_below_it(market: Path, agent: Path) -> None:
    free = equity(market, agent, "later")
    assert np.abs(free["position"]).max() == 2.0
    assert np.abs(equity(market, agent, "later", **{"execution.max_position": 1.0})["position"]).max() == 0.0
    held = equity(market, agent, "later", **{"execution.max_order": 2.0})["position"]  # a turn takes 4
    assert np.abs(np.diff(held)).max() == 2.0


def test_a_path_is_the_backtest_of_its_agents(market: Path, agent: Path) -> None:
    found = settings_from(settings(market, market / "x"))
    _, (reader,) = open_tape(found)
    config = own_config(found, found.feature_config())(A)
    ts = np.arange(MIDNIGHT, MIDNIGHT + 50 * SECOND, SECOND // 5)
    paths = AgentPaths(found, reader, config, grids_of(found, [reader], print)[A], ts, 2.0)
    model = read_agent(agent, "path")
    same, hold, flat = paths.judge([model, model], np.arange(len(ts))[None] % 2)
    assert same.net == equity(market, agent, "tape")["equity"][-1] != 0.0
    assert (hold.in_position, flat.net, flat.in_position) == (pytest.approx(1.0, abs=0.05), 0.0, 0.0)
    assert np.isnan(hold.tail)
    report = json.loads((agent / "report.json").read_text())
    assert [one["name"] for one in report["judged"]] == ["path 1", "hold", "flat"]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            {"train.columns": ["ofi_5"]},
            r"train\.columns: 'ofi_5' is no number among the features; did you mean ofi_",
        ),
        ({"train.validate_by": "holdout"}, r"train\.validate_by: 'holdout'; an agent is judged by cpcv"),
        ({"train.blocks": 15}, r"tape\.path: \d+ decisions are left for test.*at least 20"),
        ({"agent.step": "10s"}, r"(tape\.path|train\.blocks): "),
        ({"agent.step": "250ms"}, r"agent\.step: '250ms' is no multiple of features\.sampling"),
        ({"agent.size": 0.00001}, r"agent\.size: "),
        ({"train.path": "{market}/tape"}, r"train\.path: .*tape is there and holds something else"),
        ({"replay.end": "2026-01-05T00:00:03Z"}, r"tape\.path: \d+ decisions are left"),
    ],
)
def test_what_cannot_be_trained(market: Path, tmp_path: Path, more: dict[str, object], line: str) -> None:
    named = {k: v.format(market=market) if isinstance(v, str) else v for k, v in more.items()}
    with pytest.raises(TickwaxError, match=rf"^{line}"):
        train_model(settings_from(settings(market, tmp_path / "m") | named), print)


def test_features_must_be_those_of_the_training(market: Path, agent: Path) -> None:
    named = {"strategy.name": "agent", "strategy.path": str(agent)}
    assert strategy_factory(settings_from(named))()
    with pytest.raises(TickwaxError, match=r"^strategy\.path: was trained on other features: features\.max_hold"):
        strategy_factory(settings_from({**named, "features.max_hold": "30s"}))


def test_it_trades_what_it_was_trained_on_and_nothing_else(agent: Path, tmp_path: Path) -> None:
    other = Instrument("binance_futures", "BTCUSDT")
    write_synthetic_tape(tmp_path / "tape", [other], 2 * SECOND, 1, start_ns=MIDNIGHT + 600 * SECOND)
    named = ("--strategy", "agent", "--param", f"path={agent}")
    line = f"strategy.path: was trained on {A}, and not on {other}; choose with symbols"
    assert run("backtest", "--tape", tmp_path / "tape", *named) == (2, line)
    paper = {"strategy.name": "agent", "strategy.path": str(agent), "symbols": [str(other)]}
    with pytest.raises(TickwaxError, match=f"^{re.escape(line)}$"):
        PaperTrading(settings_from(paper), Telemetry(), lambda instrument: True)


def test_what_an_agent_is_decides_and_not_where_it_lies(agent: Path, tmp_path: Path) -> None:
    def told(path: Path) -> str:
        found = settings_from({"strategy.name": "agent", "strategy.path": str(path)})
        return trading_identity("fills", found, found.feature_config(), {}).settings["strategy.path"]

    shutil.copytree(agent, tmp_path / "moved")
    assert told(tmp_path / "moved") == told(agent) != ""
    (tmp_path / "moved" / CARD).write_text("another")
    assert told(tmp_path / "moved") != told(agent)


def test_without_the_libraries(market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("learning", "jax")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(TickwaxError, match=r"^train\.model: 'qrdqn' needs jax, .*pip install 'tickwax\[learn\]'$"):
        train_model(settings_from(settings(market, tmp_path / "m")), print)
