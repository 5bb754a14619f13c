"""Paper trading on forecasts, killed once and gone on with: a backtest of its tape gives it, bit for bit."""

import pyarrow.compute as pc
import pytest

from sinks.compaction import recover
from sources.tape.layout import instruments
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_forecasts_traded import MOMENTUM
from tests.dataflows.test_live import replayed
from tests.dataflows.test_paper import (  # noqa: F401
    _compiled,
    assert_replay_is_paper,
    end_kill_end,
    exchange,
    settings,
)
from tests.dataflows.test_predictions import model_folder
from tests.dataflows.test_replay import assert_same, table

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
    again = {"predict.model": str(tmp_path / "model"), "predict.path": str(tmp_path / "predicted")}
    replayed(tmp_path / "tape", tmp_path / "features_again", **again)
    for instrument in INSTRUMENTS:
        found, wanted = (table(tmp_path / name, instrument) for name in ("predictions", "predicted"))
        assert found.num_rows > 10
        # A kill may lose the newest rows of the run that it ends.
        assert_same(found, wanted.filter(pc.is_in(wanted["ordinal"], found["ordinal"])))
