"""`tickwax backtest compare` as its users run it: figures, settings, files, and what is refused."""

import json
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.commands import tickwax

pytestmark = pytest.mark.slow

BTC, ETH = "binance_futures:BTCUSDT", "bybit_linear:ETHUSDT"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Tapes of two seeds, and backtests in folders: ``a`` and ``b`` differ in a parameter and a queue."""
    root = tmp_path_factory.mktemp("compare")
    for seed in (3, 4):
        done = tickwax(
            "synth", "--span", "20s", "--seed", seed, "--symbols", f"{BTC},{ETH}", "--tape", root / f"t{seed}"
        )
        assert done.returncode == 0, done.stderr
    (root / "least.toml").write_text(f'[execution.grids."{BTC}"]\ntick = 0.1\nlot = 0.001\nmin = 0.002\n')
    glft = ("--strategy", "glft", "--param", "size=0.1")
    for name, tape, more in (
        ("a", "t3", (*glft, "--param", "gamma=0.01")),
        ("b", "t3", (*glft, "--param", "gamma=0.05", "--queue", "risk_averse")),
        ("slow", "t3", (*glft, "--sampling", "500ms")),
        ("other", "t4", glft),
        ("half", "t3", (*glft, "--start", "2026-01-05T00:00:10Z")),
        ("one", "t3", (*glft, "--symbols", ETH)),
        ("btc", "t3", (*glft, "--symbols", BTC)),
        ("least", "t3", (*glft, "--param", "gamma=0.01", "--config", root / "least.toml")),
    ):
        done = tickwax("backtest", "--tape", root / tape, *more, "--out", root / name)
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def compare(folder):
    return lambda *arguments: tickwax("backtest", "compare", *arguments, cwd=folder)


def equity(root: Path, name: str, symbol: str) -> pl.DataFrame:
    rows = pl.scan_parquet(root / name / "equity/**/*.parquet", hive_partitioning=True)
    return rows.filter(symbol=symbol).collect().sort("ts")


def test_figures_of_each_run_and_instrument(folder, compare):
    done = compare("a", "b", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["folder"], row["symbol"]) for row in rows] == [
        ("a", "BTCUSDT"), ("b", "BTCUSDT"), ("a", "ETHUSDT"), ("b", "ETHUSDT"),
    ]  # fmt: skip
    for row in rows:
        one = equity(folder, row["folder"], row["symbol"])
        assert (row["net_pnl"], row["fees"]) == (one["equity"][-1], one["fees"][-1])
        assert row["fills"] >= row["orders"] * row["fill_ratio"] > 0
        first = equity(folder, "a", row["symbol"])
        assert first["ts"].equals(one["ts"])
        changes = (one["equity"] - first["equity"]).diff()
        if row["folder"] == "a":
            assert row["net_pnl_less_first"] is None
        else:
            assert row["net_pnl_less_first"] == pytest.approx(one["equity"][-1] - first["equity"][-1])
            error = changes.fill_null(0.0).std() * len(changes) ** 0.5
            assert row["net_pnl_less_first_error"] == pytest.approx(error)
        assert row["strategy.gamma"] == {"a": "0.01", "b": "0.05"}[row["folder"]]
        assert row["execution.queue"] == {"a": "power", "b": "risk_averse"}[row["folder"]]
        assert not any(key.startswith("features.") or key == "strategy.size" for key in row)


def test_the_table_and_the_settings_that_differ(compare):
    done = compare("a", "b")
    assert done.returncode == 0, done.stderr
    runs, luck, settings = done.stdout.split("\n\n")
    assert [line.split()[:2] for line in luck.splitlines()[1:3]] == [[BTC, "2"], [ETH, "2"]]
    assert [line.split()[:2] for line in runs.splitlines()[1:]] == [[BTC, "a"], [BTC, "b"], [ETH, "a"], [ETH, "b"]]
    assert [line.split() for line in settings.splitlines()[:3]] == [
        ["setting", "a", "b"], ["execution.queue", "power", "risk_averse"], ["strategy.gamma", "0.01", "0.05"],
    ]  # fmt: skip


def test_no_setting_differs(folder, compare, tmp_path):
    subprocess.run(["cp", "-r", folder / "a", tmp_path / "again"], check=True)
    done = compare("a", tmp_path / "again")
    assert "No setting differs." in done.stdout
    assert "0.00 ± 0.00" in done.stdout


def test_a_setting_of_one_instrument_is_named_with_it(compare):
    rows = [json.loads(line) for line in compare("a", "least", "--json").stdout.splitlines()]
    (key,) = [key for key in rows[0] if key.startswith(("execution.", "strategy.", "features."))]
    assert key == f"execution.grid of {BTC}"
    assert rows[0][key] != rows[1][key]


def test_files(folder, compare, tmp_path):
    page, table = tmp_path / "page.html", tmp_path / "rows.parquet"
    done = compare("a", "b", "slow", "--html", page, "--parquet", table)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert not [part for part in text.split('src="')[1:] if part.startswith("http")]
    for name in ("a", "b", "slow"):
        assert text.count(f'"name":"{name}"') == (2 if name == "a" else 4)  # the first is not less itself
    for title in (f"{BTC}: equity", f"{ETH}: equity", "less that of a"):
        assert title in text
    rows = pl.read_parquet(table)
    told = [json.loads(line) for line in compare("a", "b", "slow", "--json").stdout.splitlines()]
    assert rows.rows(named=True) == told
    assert rows["strategy.gamma"].to_list() == ["0.01", "0.05", ""] * 2
    assert rows["features.sampling"].to_list() == ["100ms", "100ms", "500ms"] * 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (("a", "other"), f"RUNS: {BTC}: the mid at 2026-01-05T00:00:0"),
        (("a", "half"), f"RUNS: {BTC} goes from 2026-01-05T00:00:00"),
        (("a", "one"), f"RUNS: one has no {BTC}, and a has; --any-tape compares them all the same"),
        (("one", "a"), f"RUNS: one has no {BTC}, and a has; --any-tape compares them all the same"),
        (("a",), "RUNS: one is nothing to compare"),
        (("a", "./a"), "RUNS: a stands twice"),
        (("a", "t3"), "RUNS: t3 holds no backtest"),
        (("one", "btc", "--any-tape"), "RUNS: they have no instrument in common"),
        (("a", "b", "--html", "page.png"), "--html: 'page.png' does not end with .html"),
        (("a", "b", "--html", "a/fills/page.html"), "--html: a/fills/page.html lies inside the data set"),
        (("a", "b", "--parquet", "rows"), "--parquet: 'rows' is not a file that ends with .parquet"),
    ],
)
def test_refusals(folder, compare, runs, says):
    before = sorted(folder.rglob("*"))
    done = compare(*runs)
    assert done.returncode == 2
    assert done.stderr.startswith(f"tickwax: {says}")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert sorted(folder.rglob("*")) == before


def test_another_sampling_is_the_same_tape(compare):
    assert compare("a", "slow").returncode == 0


@pytest.mark.parametrize(("runs", "lines"), [(("a", "other"), 4), (("a", "half"), 4), (("a", "one"), 2)])
def test_any_tape_compares_what_all_have(compare, runs, lines):
    done = compare(*runs, "--any-tape", "--json")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == lines
