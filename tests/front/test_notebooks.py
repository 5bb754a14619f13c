"""The notebooks of `examples/notebooks` run from top to bottom and show what their text says."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import tickwax as tw
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
FOLDER = ROOT / "examples" / "notebooks"
NAMES = ["books_and_order_flow", "choosing_d", "from_forecast_to_backtest"]


def run(name: str) -> tuple[list[str], dict[str, Any]]:
    """What the cells show, as text, and what they define; raises what a cell raises."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    notebook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notebook)
    shown, defined = notebook.app.run()
    return [str(getattr(each, "text", "")) for each in shown], dict(defined)


def test_all_are_listed_and_as_marimo_writes_them():
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == NAMES
    listed = re.findall(r"^\| `notebooks/(\w+)\.py` \|", (ROOT / "examples" / "README.md").read_text(), re.M)
    assert listed == NAMES
    done = subprocess.run([sys.executable, "-m", "marimo", "check", "--strict", FOLDER], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_books_and_order_flow():
    shown, defined = run("books_and_order_flow")
    assert "The market is <strong>synthetic</strong>" in " ".join(shown)
    assert all(share["same second"] > 0.2 > share["next second"] for share in defined["shares"])
    assert isinstance(defined["depth"], Figure)
    assert isinstance(defined["scatter"], Figure)


def test_a_recording_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tape = tw.synthetic_tape(tmp_path / "tape", span="20s", symbols=["bybit_linear:BTCUSDT", "bybit_linear:ETHUSDT"])
    monkeypatch.setattr(sys, "argv", ["notebook", "--tape", str(tape), "--symbol", "bybit_linear:ETHUSDT"])
    shown, defined = run("books_and_order_flow")
    assert f"The market is that of <code>{tape}</code>" in " ".join(shown)
    assert defined["frame"]["symbol"].unique().to_pylist() == ["ETHUSDT"]


def test_choosing_d():
    shown, defined = run("choosing_d")
    best = defined["best"]
    assert best.is_stationary
    assert f"<strong>d = {best.d:.3g}</strong> is stationary" in " ".join(shown)
    assert 0.2 < best.d < 0.8
    assert best.memory_retained > 0.5 > abs(best.trials[-1].memory_retained)  # what the text promises of the order


def test_from_forecast_to_backtest():
    shown, defined = run("from_forecast_to_backtest")
    assert defined["before"] > 0 > defined["profit"]  # the point of its last paragraph
    assert len(defined["fills"]) > 20
    assert "R² against no change" in " ".join(shown)
