import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tickwax as tw
from dataflows.command_line.verbs import app
from sources.instrument import Instrument
from sources.tape.layout import data_files
from synthetic.skill import attainable
from tests.sources.test_planted import HERE, HORIZONS, SECOND, planted


def told(root, instrument=HERE):
    metadata = pq.read_schema(data_files(root, instrument)[0]).metadata
    return json.loads(metadata[b"tickwax.settings"])


@pytest.mark.slow
def test_what_is_computed_from_a_synthetic_tape_says_so(tmp_path):
    tape, run = str(tmp_path / "tape"), CliRunner()
    other = "bybit_linear:XUSDT"
    made = run.invoke(
        app, ["synth", "--tape", tape, "--symbols", str(HERE), "--span", "70s", "--edge", "0.3"], catch_exceptions=False
    )
    assert "PLANTED: binance_futures:XUSDT is a synthetic market with an edge of 0.3" in " ".join(made.output.split())
    run.invoke(app, ["synth", "--tape", tape, "--symbols", other, "--span", "70s"], catch_exceptions=False)
    skills = json.loads(told(tape)["synthetic.attainable"])
    assert skills["1s"]["expected_r2"] == attainable(HERE, 7, 70 * SECOND, HORIZONS, planted(0.3))["1s"].expected_r2
    tw.replay(tape, to=tmp_path / "features")
    flags = ["--tape", tape, "--strategy", "hold", "--out", str(tmp_path / "backtest")]
    tested = run.invoke(app, ["backtest", *flags], catch_exceptions=False)
    assert "PLANTED: binance_futures:XUSDT" in tested.output
    flags = ["--tape", tape, "--features", str(tmp_path / "features"), "--out", str(tmp_path / "dataset")]
    labelled = run.invoke(app, ["dataset", *flags, "--columns", "mid,spread,volatility"], catch_exceptions=False)
    assert "PLANTED: bybit_linear:XUSDT" in labelled.output
    for folder in ("features", "dataset", "backtest/equity"):
        assert told(tmp_path / folder)["synthetic.edge"] == "0.3"
        assert told(tmp_path / folder, Instrument.parse(other))["synthetic.edge"] == "unmeasured"
