"""What backtests and paper trading say of settings that they do not follow."""

from dataflows.assembly.trading import tell_of_forecasts
from tests.dataflows.test_latencies import settings_from


def test_a_model_that_is_not_consulted_is_told(capsys):
    tell_of_forecasts(settings_from({}))
    assert capsys.readouterr().err == ""
    tell_of_forecasts(settings_from({"predict.model": "data/model"}))
    said = "tickwax: predict.model: strategies do not see forecasts yet; a replay or a live run writes them\n"
    assert capsys.readouterr().err == said
