"""`tickwax backtest --sweep` as its users run it: the rows, processes, failures, interruptions and folders."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.commands import TICKWAX, launch, tickwax

pytestmark = pytest.mark.slow

BTC, ETH = "binance_futures:BTCUSDT", "bybit_linear:ETHUSDT"
GRID = """
[strategy]
name = "momentum"
size = [0.1, 0.25]
enter = [1.0, 2.0]
[execution]
latency_entry = ["0s", "10ms"]
"""
GLFT = 'symbols = ["bybit_linear:ETHUSDT"]\n[strategy]\nname = "glft"\nsize = [0.5]\ngamma = [0.01, 0.05]\n'
OWN = """
import time

class Mine:
    columns = ("mid",)

    def __init__(self, size=0.01, rows=1_000_000, wait=0.0):
        self.size, self.rows, self.wait = size, rows, wait

    def decide(self, view, orders):
        time.sleep(self.wait)
        self.rows -= 1
        if self.rows == 0:
            raise ZeroDivisionError("mine")
"""


@pytest.fixture(scope="module")
def tape(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sweep") / "tape"
    done = tickwax("synth", "--span", "20s", "--seed", 3, "--symbols", f"{BTC},{ETH}", "--tape", root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def swept(tape, tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(grid: str, *more: object) -> subprocess.CompletedProcess[str]:
        (tmp_path / "grid.toml").write_text(grid)
        return tickwax("backtest", "--sweep", "grid.toml", "--tape", tape, *more, cwd=tmp_path)

    return run


def rows(out: Path) -> pl.DataFrame:
    return pl.scan_parquet(out / "**/*.parquet", hive_partitioning=True).collect().sort("exchange", "symbol", "run")


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """But for the time that the runs took."""
    return one.drop("seconds").equals(other.drop("seconds"))


def test_a_row_is_what_a_backtest_of_its_settings_comes_to(tape, tmp_path, swept):
    done = swept(GRID, "--out", "out", "--processes", 2)
    assert done.returncode == 0, done.stderr
    assert "16 runs in" in done.stdout
    found = rows(tmp_path / "out")
    assert found.height == 16
    assert found["error"].null_count() == 16
    for symbol in ("BTCUSDT", "ETHUSDT"):
        own = found.filter(pl.col("symbol") == symbol)
        assert own["run"].to_list() == list(range(8))
        settings = own.select("strategy.size", "strategy.enter", "execution.latency_entry").rows()
        assert settings == [(s, e, d) for s in (0.1, 0.25) for e in (1.0, 2.0) for d in ("0s", "10ms")]
    for run, size, enter, latency in ((0, 0.1, 1.0, "0s"), (5, 0.25, 1.0, "10ms")):
        (tmp_path / "one.toml").write_text(f'[execution]\nlatency_entry = "{latency}"\n')
        one = tickwax(
            "backtest", "--config", tmp_path / "one.toml", "--tape", tape, "--strategy", "momentum", "--param",
            f"size={size}", "--param", f"enter={enter}", "--out", tmp_path / str(run),
        )  # fmt: skip
        assert one.returncode == 0, one.stderr
        for exchange, symbol in (("binance_futures", "BTCUSDT"), ("bybit_linear", "ETHUSDT")):
            orders, fills, equity = (
                pl.read_parquet(tmp_path / str(run) / name / f"exchange={exchange}/symbol={symbol}/**/*.parquet")
                for name in ("orders", "fills", "equity")
            )
            (row,) = found.filter((pl.col("symbol") == symbol) & (pl.col("run") == run)).rows(named=True)
            assert row["net_pnl"] == equity["equity"][-1]
            assert row["fees"] == equity["fees"][-1] == pytest.approx(fills["fee"].sum())
            assert row["turnover"] == equity["volume"][-1]
            below = equity["equity"] - pl.Series([max(0.0, m) for m in equity["equity"].cum_max()])
            assert row["max_drawdown"] == below.min() < 0
            assert (row["position_min"], row["position_max"]) == (
                min(0.0, fills["position"].min()),
                max(0.0, fills["position"].max()),
            )
            new = orders.filter(pl.col("kind").is_in(["limit", "market"]))
            assert (row["orders"], row["fills"]) == (new["order_id"].n_unique(), fills.height)
            assert row["rejects"] == (new["status"] == "rejected").sum()
            assert row["fill_ratio"] == fills["order_id"].n_unique() / row["orders"]
            changes = equity["equity"].diff().drop_nulls()
            years = (equity["ts"][-1] - equity["ts"][0]).total_seconds() / (equity.height - 1) / (365 * 86400)
            assert row["sharpe"] == pytest.approx(changes.mean() / changes.std() / years**0.5)
            assert abs((row["ts"] - equity["ts"][0]).total_seconds()) < 1  # receive time, and exchange time
            assert abs((row["end_ts"] - equity["ts"][-1]).total_seconds()) < 1


def test_the_table_of_a_backtest_shows_the_same(tape, tmp_path, swept):
    assert swept(GLFT, "--out", "out").returncode == 0
    one = tickwax(
        "backtest", "--tape", tape, "--symbols", ETH, "--strategy", "glft", "--param", "size=0.5", "--param",
        "gamma=0.05", "--out", tmp_path / "one",
    )  # fmt: skip
    line = next(line for line in one.stdout.splitlines() if line.startswith(ETH))
    (row,) = rows(tmp_path / "out").filter(pl.col("run") == 1).rows(named=True)
    assert row["markout_maker_1s"] is not None
    for text in (
        f" {row['net_pnl']:,.2f} ", f" {row['fees']:,.2f} ", f" {row['max_drawdown']:,.2f} ",
        f" {row['sharpe']:,.1f} ± {row['sharpe_error']:,.1f} ",
        f" {row['markout_maker_1s']:,.2f} ± {row['markout_maker_1s_error']:,.2f} ",
    ):  # fmt: skip
        assert text in line


def test_processes_change_nothing(tmp_path, swept):
    for processes in (1, 2, 3):
        done = swept(GRID, "--out", f"out{processes}", "--processes", processes)
        assert done.returncode == 0, done.stderr
    assert same(rows(tmp_path / "out1"), rows(tmp_path / "out2"))
    assert same(rows(tmp_path / "out1"), rows(tmp_path / "out3"))


def test_instruments_and_a_range(tmp_path, swept):
    done = swept(GLFT, "--out", "out", "--start", "2026-01-05T00:00:05Z", "--end", "2026-01-05T00:00:15Z")
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out")
    assert found["symbol"].to_list() == ["ETHUSDT"] * 2
    assert found["ts"].dt.timestamp("ms").to_list() == [1_767_571_205_000] * 2
    assert found["end_ts"].dt.timestamp("ms").to_list() == [1_767_571_215_000] * 2


def test_a_run_that_fails_is_a_row_that_says_why(tmp_path, swept):
    (tmp_path / "mine.py").write_text(OWN)
    done = swept('[strategy]\nname = "mine:Mine"\nrows = [5, 1_000_000]\n', "--out", "out", "--processes", 2)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == "tickwax: 2 of 4 runs failed; the column error says why"
    error = "Mine failed at the feature row of 2026-01-05T00:00:00."
    assert f"tickwax: {BTC}: run 0 (strategy.name = mine:Mine, strategy.rows = 5): {error}" in done.stderr
    assert "Traceback" not in done.stderr
    found = rows(tmp_path / "out")
    assert found["error"].is_null().to_list() == [False, True] * 2
    assert found["error"][0].startswith(error)
    assert found["error"][0].endswith("ZeroDivisionError: mine")
    assert found["net_pnl"].is_null().to_list() == [True, False] * 2


def test_nothing_is_written_where_every_run_fails(tmp_path, swept):
    (tmp_path / "mine.py").write_text(OWN)
    done = swept('[strategy]\nname = "mine:Mine"\nrows = [5, 6]\n', "--out", "out")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "tickwax: every run failed; nothing was written"
    assert not (tmp_path / "out").exists()


def test_a_damaged_tape_stops_the_sweep(tape, tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    subprocess.run(["cp", "-r", tape, tmp_path / "tape"], check=True)
    file = next((tmp_path / "tape" / "exchange=bybit_linear").rglob("*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x10
    file.write_bytes(data)
    config = tmp_path / "grids.toml"  # else the damage is met before
    names = "\n".join(f'"{name}" = {{tick = 0.01, lot = 0.001}}' for name in (BTC, ETH))
    config.write_text(f"[execution.grids]\n{names}\n")
    for processes in (1, 2):
        done = tickwax("backtest", "--sweep", "grid.toml", "--config", config, "--tape", "tape", "--out", "out",
                       "--processes", processes, cwd=tmp_path)  # fmt: skip
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert ": damaged: " in done.stderr
        assert not (tmp_path / "out").exists()


def test_results_are_not_replaced_unless_told(tmp_path, swept):
    assert swept(GRID, "--out", "out").returncode == 0
    before = rows(tmp_path / "out")
    done = swept(GLFT, "--out", "out")
    assert done.returncode == 2
    assert f"holds a sweep of {ETH} already" in done.stderr
    done = swept(GLFT, "--out", "out", "--overwrite")  # of another instrument, rows of other settings stay
    assert done.returncode == 2
    assert "was written with other settings" in done.stderr
    assert rows(tmp_path / "out").equals(before)
    done = swept(GRID, "--out", "out", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert same(rows(tmp_path / "out"), before)


def test_a_folder_is_of_one_kind(tape, tmp_path, swept):
    hold = ("backtest", "--strategy", "hold", "--tape", tape)
    assert tickwax(*hold, "--out", tmp_path / "one").returncode == 0
    for out, says in (("one", "one holds the data set one/"), ("one/fills", "one/fills holds fills, not a sweep")):
        done = swept(GRID, "--out", out)
        assert done.returncode == 2
        assert says in done.stderr
    assert swept(GRID, "--out", "out").returncode == 0
    done = tickwax(*hold, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "lies inside the data set" in done.stderr
    done = tickwax("replay", "--tape", tape, "--features", tmp_path / "out", "--overwrite")
    assert done.returncode == 2
    assert "holds a sweep, not features" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sweep", "grid.toml", "--report", "x.html"), "--report: not with --sweep"),
        (("--sweep", "grid.toml", "--workers", 2), "--workers: not with --sweep"),
        (("--sweep", "grid.toml", "--latency", "1ms,2ms"), "several of --latency: not with --sweep"),
        (("--sweep", "nowhere.toml"), "--sweep: cannot read nowhere.toml"),
        (("--sweep", "grid.toml", "--param", "size=1"), "strategy.size: it is given on the command line, too"),
    ],
)
def test_bad_input(tape, tmp_path, arguments, says):
    (tmp_path / "grid.toml").write_text(GRID)
    done = tickwax("backtest", "--tape", tape, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"grid.toml"}


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def within(seconds: float, what: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.05)
    return what()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(params=[1, 2])
def sleeping(request, tape, tmp_path):
    """A sweep that would take minutes, once it has begun, and its processes."""
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "grid.toml").write_text('[strategy]\nname = "mine:Mine"\nwait = 0.1\nsize = [1, 2, 3]\n')
    processes = request.param
    process = launch(
        [TICKWAX, "backtest", "--sweep", "grid.toml", "--tape", tape, "--out", "out", "--processes", str(processes)],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    if processes == 1:
        assert within(240, (tmp_path / "out").exists)
        time.sleep(1)
        forks = []
    else:
        assert within(240, lambda: len(children(process)) == processes)
        time.sleep(1)
        forks = children(process)
    yield process, forks
    process.kill()
    process.communicate()


@pytest.mark.parametrize("everywhere", [False, True], ids=["one process", "terminal"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(sleeping, tmp_path, number, everywhere):
    process, forks = sleeping
    (os.killpg if everywhere else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert said.splitlines()[-1] == "tickwax: interrupted; nothing was written"
    assert "Traceback" not in said
    assert within(5, lambda: not any(map(alive, forks)))
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"grid.toml", "mine.py"}


@pytest.mark.parametrize("sleeping", [2], indirect=True)
def test_processes_end_with_the_first(sleeping):
    process, forks = sleeping
    process.kill()
    process.wait()
    assert within(5, lambda: not any(map(alive, forks)))


@pytest.mark.parametrize("sleeping", [2], indirect=True)
def test_a_process_that_is_killed_ends_the_sweep(sleeping, tmp_path):
    process, forks = sleeping
    os.kill(forks[0], signal.SIGKILL)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said.splitlines()[-1] == "tickwax: a process was killed, perhaps for want of memory; nothing was written"
    assert "Traceback" not in said
    assert within(5, lambda: not any(map(alive, forks)))
    assert not (tmp_path / "out").exists()
