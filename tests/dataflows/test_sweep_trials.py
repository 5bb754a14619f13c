import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tickwax as tw
from dataflows.command_line.verbs import app
from sinks.trials import read_trials


@pytest.mark.slow
def test_a_sweep_keeps_its_trials_whatever_becomes_of_it(tmp_path):
    tape = str(tw.synthetic_tape(tmp_path / "tape", span="40s"))
    run, out = CliRunner(), str(tmp_path / "out" / "sweep")
    for place, overwrite in (("0.5, 1.0", []), ("1.0, 2.0", ["--overwrite"])):
        (tmp_path / "grid.toml").write_text(f'[strategy]\nname = "momentum"\nsize = [{place}]\n')
        flags = ["--tape", tape, "--sweep", str(tmp_path / "grid.toml"), "--out", out, *overwrite]
        done = run.invoke(app, ["backtest", *flags], catch_exceptions=False)
        assert "PBO" in done.output
    (found,) = read_trials(tmp_path / "out" / "trials")
    assert len(found.configurations) == 3
    assert found.returns.shape == (39, 3)
    assert {json.loads(text)["strategy.size"] for text in found.configurations} == {0.5, 1.0, 2.0}
    assert pq.read_schema(next((tmp_path / "out" / "trials").iterdir())).names[:2] == ["tried_at", "source"]
