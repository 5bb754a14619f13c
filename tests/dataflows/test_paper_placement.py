"""Paper trading with placement: a backtest of its tape gives every decision again."""

import pytest

from sinks.compaction import recover
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

pytestmark = [pytest.mark.slow, pytest.mark.soak]


def test_an_account_with_parents_goes_on_and_is_its_replay(exchange, settings, start, tmp_path):  # noqa: F811
    more = {key: value for key, value in settings.items() if not key.startswith("strategy.")}
    more |= {"strategy.name": "twap", "strategy.size": 0.5, "strategy.slices": 3, "strategy.seconds": 9}
    more |= {"placement.method": "peg", "placement.deadline": "2s"}
    for _ in range(2):
        process = start({**more, "duration": "5s"}, *MODULE)
        wait_until_served(exchange, 3)
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    assert "going on with the account" in stderr
    assert_replay_is_paper(more, start, tmp_path, set(INSTRUMENTS))
    recover(tmp_path / "paper" / "placements")
    held = set(instruments(tmp_path / "paper" / "placements"))
    assert held
    for instrument in held:
        found = table(tmp_path / "paper" / "placements", instrument)
        assert_same(found, table(tmp_path / "again" / "placements", instrument))
