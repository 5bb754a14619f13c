"""Paper trading on forecasts, killed once and gone on with: a backtest of its tape gives it, bit for bit."""

import pytest

from sinks.compaction import recover
from sources.tape.layout import instruments
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_forecasts_traded import MOMENTUM
from tests.dataflows.test_paper import (  # noqa: F401
    _compiled,
    assert_replay_is_paper,
    end_kill_end,
    exchange,
    settings,
)
from tests.dataflows.test_predictions import model_folder

pytestmark = pytest.mark.slow


def test_a_replay_with_forecasts_is_paper_with_forecasts(exchange, settings, start, tmp_path):  # noqa: F811
    del settings["strategy.max_position"]
    settings |= {**MOMENTUM, "predict.model": model_folder(tmp_path / "model")}
    settings |= {"predict.path": tmp_path / "predictions"}
    stderr = end_kill_end(exchange, settings, start)
    assert "its state cannot be read" not in stderr
    assert_replay_is_paper(settings, start, tmp_path, set(INSTRUMENTS))
    recover(tmp_path / "predictions")
    assert set(instruments(tmp_path / "predictions")) == set(INSTRUMENTS)
