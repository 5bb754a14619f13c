"""Paper trading with rules, ended, killed and gone on with: a backtest of its tape gives it, bit for bit."""

import signal
import time
from pathlib import Path

import pytest

from operators.rules.rule import parse_rule
from sinks.compaction import recover
from sinks.rule_store import ADOPTED, RuleStore, StoredRule, with_rules
from sources.tape.layout import instruments
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_live import wait_until_served
from tests.dataflows.test_paper import (  # noqa: F401
    MODULE,
    _compiled,
    assert_replay_is_paper,
    exchange,
    settings,
)
from tests.dataflows.test_replay import assert_same, table

pytestmark = pytest.mark.slow


def store_of(folder: Path) -> str:
    """A store whose newest version disables what the one before has adopted; the hash of that one."""
    rule = parse_rule({"when": [{"column": "ofi_momentum", "op": ">", "value": 0}], "action": "scale", "scale": 0.5})
    store = RuleStore(folder)
    vectors = {"names": ("volatility",), "mean": (0.0,), "spread": (1.0,)}
    adopted = store.change(lambda now: with_rules(now, [StoredRule(1, rule, ADOPTED, (0.0,))], **vectors))
    store.change(lambda now: with_rules(now, [StoredRule(1, rule, "disabled", (0.0,))]))
    return adopted.hash


def test_a_replay_with_rules_is_paper_with_rules(exchange, settings, start, tmp_path):  # noqa: F811
    settings |= {"rules.store": tmp_path / "rules", "rules.version": store_of(tmp_path / "rules")}
    for how in ("end", "kill", "end"):  # the state that the first one leaves serves both others
        while exchange.call(lambda simulator: len(simulator.connections)):  # those of the run before
            time.sleep(0.05)
        process = start(settings, *MODULE)
        wait_until_served(exchange, 3)
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == (-9 if how == "kill" else 0), stderr
    assert_replay_is_paper(settings, start, tmp_path, set(INSTRUMENTS))
    recover(tmp_path / "paper" / "applied")
    held = set(instruments(tmp_path / "paper" / "applied"))
    assert held
    for instrument in held:
        assert_same(
            table(tmp_path / "paper" / "applied", instrument), table(tmp_path / "again" / "applied", instrument)
        )
