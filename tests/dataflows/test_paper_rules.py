"""Paper trading with rules, ended, killed and gone on with: a backtest of its tape gives it, bit for bit."""

from pathlib import Path

import pytest

from operators.rules.rule import parse_rule
from sinks.compaction import recover
from sinks.rule_store import ADOPTED, RuleStore, StoredRule, with_rules
from sources.tape.layout import instruments
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_paper import (  # noqa: F401
    _compiled,
    assert_replay_is_paper,
    end_kill_end,
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
    end_kill_end(exchange, settings, start)  # the state that the first run leaves serves both others
    assert_replay_is_paper(settings, start, tmp_path, set(INSTRUMENTS))
    recover(tmp_path / "paper" / "applied")
    held = set(instruments(tmp_path / "paper" / "applied"))
    assert held
    for instrument in held:
        assert_same(
            table(tmp_path / "paper" / "applied", instrument), table(tmp_path / "again" / "applied", instrument)
        )
