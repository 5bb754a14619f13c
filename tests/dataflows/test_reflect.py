"""`tickwax reflect` and `tickwax rules` from end to end: episodes of a backtest, a store, a backtest with its rules."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataflows.assembly.finished_episodes import made_episodes, read_table
from sources.instrument import Instrument
from sources.tape.layout import data_files
from tests import commands
from tests.rules.endpoint import ScriptedEndpoint, rules

INSTRUMENT = Instrument("binance_futures", "BTCUSDT")
TRADING = ("--strategy", "momentum", "--param", "size=0.1", "--param", "enter=1", "--param", "leave=0.3")


def tickwax(*arguments, code=0, **environment):
    env = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "COLUMNS": "200", **environment}
    done = commands.tickwax(*arguments, environment=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("reflect")
    tickwax("synth", "--span", "90s", "--symbols", str(INSTRUMENT), "--tape", root / "tape")
    tickwax("backtest", "--tape", root / "tape", *TRADING, "--out", root / "run")
    return root


def same(one, other):
    assert one.keys() == other.keys()
    for name, column in one.items():
        assert [repr(x) for x in column.tolist()] == [repr(x) for x in other[name].tolist()], name


@pytest.mark.slow
def test_episodes_of_the_stream_are_those_of_the_finished_run(run):
    tickwax("replay", "--tape", run / "tape", "--features", run / "features")
    streamed = read_table(data_files(run / "run" / "episodes", INSTRUMENT))
    rows, schema = made_episodes(run / "run", run / "features", INSTRUMENT)
    assert rows.rows == len(streamed["ts"]) > 20
    for column in schema.columns:
        values = getattr(rows, column.array)[column.row].tolist()
        if column.words:
            values = [column.words[code] if code >= 0 else None for code in values]
        assert [repr(x) for x in values] == [repr(x) for x in streamed[column.name].tolist()], column.name


@pytest.mark.slow
def test_reflect_and_rules(run):
    store, run_folder = run / "rules", run / "run"
    told = tickwax("reflect", "--backtest", run_folder, "--rules", store, "--html", run / "losses.html", "--parquet",
                   run / "losses.parquet")  # fmt: skip
    assert "Where money was lost" in told
    assert "learned from" in told
    buckets = pq.read_table(run / "losses.parquet").to_pylist()
    assert {"regime", "hour", "spread, bp", "liquidity"} <= {b["by"] for b in buckets}
    nets = {by: sum(b["net"] for b in buckets if b["by"] == by) for by in ("side", "liquidity", "seconds held")}
    assert nets["liquidity"] == pytest.approx(nets["side"]) == pytest.approx(nets["seconds held"])
    assert "plotly" in (run / "losses.html").read_text()

    proposal = {"when": [{"column": "spread", "op": ">=", "value": 0.0}], "action": "veto", "rationale": "always"}
    (run / "own.json").write_text(json.dumps([proposal]))
    assert "1 of 1 rules are new" in tickwax("rules", "import", run / "own.json", "--rules", store)
    everything = tickwax("rules", "list", "--rules", store, "--all")
    assert "proposed" in everything
    number = json.loads(tickwax("rules", "show", _number(store), "--rules", store))["number"]
    assert "import" in tickwax("rules", "why", number, "--rules", store)
    tickwax("reflect", "--backtest", run_folder, "--rules", store)
    assert json.loads(tickwax("rules", "show", number, "--rules", store))["status"] == "refused"
    exported = json.loads(tickwax("rules", "export", number, "--rules", store))
    assert exported[0]["when"] == proposal["when"]
    tickwax("rules", "disable", number, "--rules", store)
    assert "RULE: 999: there is no such rule" in tickwax("rules", "show", 999, "--rules", store, code=2)
    (run / "bad.json").write_text('[{"when": [], "action": "buy"}]')
    assert "rule 1" in tickwax("rules", "import", run / "bad.json", "--rules", store, code=2)


def _number(store):
    from sinks.rule_store import RuleStore

    return RuleStore(store).read().rules[-1].number


@pytest.mark.slow
def test_a_backtest_consults_a_version(run):
    from operators.rules.rule import parse_rule
    from sinks.rule_store import ADOPTED, RuleStore, StoredRule, with_rules

    rule = parse_rule({"when": [{"column": "ofi_momentum", "op": ">", "value": 0}], "action": "veto"})
    store = RuleStore(run / "adopted")
    stored = StoredRule(1, rule, ADOPTED, (0.0,))
    first = store.change(lambda now: with_rules(now, [stored], names=("volatility",), mean=(0.0,), spread=(1.0,)))
    asked = ("backtest", "--tape", run / "tape", *TRADING)
    rules = {"TICKWAX_RULES__STORE": str(run / "adopted")}
    tickwax(*asked, "--out", run / "held", **rules)
    held = read_table(data_files(run / "held" / "fills", INSTRUMENT))
    applied = read_table(data_files(run / "held" / "applied", INSTRUMENT))
    assert len(applied["ts"]) > 5
    assert set(applied["rule"].tolist()) == {1}
    assert len(held["ts"]) < len(read_table(data_files(run / "run" / "fills", INSTRUMENT))["ts"])
    # The store changes; the pinned version gives the same, with two processes, too.
    store.change(lambda now: with_rules(now, [StoredRule(1, rule, "disabled", (0.0,))]))
    pinned = {**rules, "TICKWAX_RULES__VERSION": first.hash[:16]}
    tickwax(*asked, "--out", run / "pinned", **pinned)
    for name in ("fills", "applied", "episodes"):
        same(*(read_table(data_files(run / folder / name, INSTRUMENT)) for folder in ("held", "pinned")))
    tickwax(*asked, "--out", run / "free", **rules)
    same(*(read_table(data_files(run / folder / "fills", INSTRUMENT)) for folder in ("free", "run")))
    wrong = {**rules, "TICKWAX_RULES__VERSION": "ffff"}
    assert "rules.version: 'ffff': there is no such version" in tickwax(*asked, "--out", run / "no", code=2, **wrong)


@pytest.mark.slow
def test_the_key_is_shown_nowhere(run):
    key = "sk-secret-of-this-test"
    planted = {"when": [{"column": "spread", "op": ">", "value": 0.0}], "action": "veto", "rationale": key}
    with ScriptedEndpoint(lambda request: rules(planted)) as endpoint:
        environment = {
            "TICKWAX_RULES__LLM__BASE_URL": endpoint.url,
            "TICKWAX_RULES__LLM__MODEL": "scripted",
            "TICKWAX_RULES__LLM__KEY": key,
        }
        told = tickwax(
            "reflect", "--backtest", run / "run", "--rules", run / "asked", "--reflector", "llm", **environment
        )
        assert endpoint.keys == [f"Bearer {key}"]
    assert "reply with 1 rules" in told
    assert key not in told
    again = tickwax("reflect", "--backtest", run / "run", "--rules", run / "asked", "--reflector", "llm", **environment)
    assert "from the record, nobody was asked" in again
    for path in (run / "asked").rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes()
