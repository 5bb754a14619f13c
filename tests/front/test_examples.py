"""Every script of `examples/` runs anywhere and prints what it is about."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "examples"
PRINTS = {
    "features_from_a_tape.py": r"240 rows of 68 columns\n(.*\n)*volatility is known in 40 rows",
    "fitted_q.py": r"3,596 random steps seen; [1-9]\d\d basis points in 299 steps of another tape\n",
    "honest_learning.py": r"planted +1s .*: beats(.*\n){2}null +1s .*: (does not beat|cannot be)(.*\n){2}",
    "operators_online.py": r"301 updates, the same bits as the replay\n",
    "optimal_d.py": r"(.*\n)*d = 0\.\d+ is stationary\n\d+ values on a stream",
    "order_flow_regression.py": r"ofi_l0 +slope +0\.\d+ a BTC  R² +[2-9]\d\.\d% of the same second, +[01]\.\d+% of the",
    "own_strategy.py": r"shape: \(2, 4\)\n(.*\n)*│ -1 +┆ maker(.*\n)*│ 1 +┆ maker",
    "plot_flow.py": r"600 rows drawn: flow\.html\n",
    "query_with_duckdb.py": r"(.*\n)*.*BTCUSDT.*\n(.*\n)*120 rows of one venue\n",
    "regimes.py": r"(.*\n)*.*ranging.*\n.*trending.*\n(.*\n)*\d+ stretches, the longest \d+ s of",
    "resampling.py": r"shape: \(10, 10\)\n",
    "spread_from_books.py": r"spread of 1 ticks: +\d+\.\d%\n(.*\n)*more bids than asks: \d+\.\d% of 601 books\n",
}

MARKS = {"fitted_q.py": [pytest.mark.slow], "honest_learning.py": [pytest.mark.slow]}


def test_all_are_listed_and_short():
    assert sorted(PRINTS) == sorted(path.name for path in FOLDER.glob("*.py"))
    listed = re.findall(r"^\| `([^/`]*)` \|", (FOLDER / "README.md").read_text(), re.M)
    assert sorted(listed) == sorted(PRINTS)
    assert {path.name: n for path in FOLDER.glob("*.py") if (n := len(path.read_text().splitlines())) > 40} == {}


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, [])) for name in PRINTS])
def test_it_runs(name, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(FOLDER / name), run_name="__main__")
    out, err = capsys.readouterr()
    assert re.match(PRINTS[name], out), out
    assert err == ""
    assert [path.name for path in tmp_path.iterdir()] == (["flow.html"] if name == "plot_flow.py" else [])
