"""`tickwax backtest` as its users run it: files, workers, schedules, strategies of one's own, and what goes wrong."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.commands import tickwax

pytestmark = pytest.mark.slow

BTC, ETH = "binance_futures:BTCUSDT", "bybit_linear:ETHUSDT"
START = 1_767_571_200_000_000_000


@pytest.fixture(scope="module")
def tape(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("backtest") / "tape"
    done = tickwax("synth", "--span", "20s", "--seed", 3, "--symbols", f"{BTC},{ETH}", "--tape", root)
    assert done.returncode == 0, done.stderr
    return root


def rows(out: Path, name: str, by: str = "ts") -> pl.DataFrame:
    table = pl.scan_parquet(out / name / "**/*.parquet", hive_partitioning=True).collect()
    return table.sort("exchange", "symbol", by, maintain_order=True)


def momentum(tape: Path, out: Path, *more: object) -> subprocess.CompletedProcess[str]:
    wanted = ("--strategy", "momentum", "--param", "size=0.1", "--param", "enter=1")
    return tickwax("backtest", "--tape", tape, *wanted, "--out", out, *more)


def test_three_data_sets(tape, tmp_path):
    done = momentum(tape, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "binance_futures:BTCUSDT: tick 0.1, lot 0.001, inferred from the tape" in done.stderr
    fills, equity = rows(tmp_path, "fills"), rows(tmp_path, "equity")
    assert fills.columns[:9] == [
        "ts", "order_id", "side", "price", "size", "fee", "liquidity", "position", "mid",
    ]  # fmt: skip
    assert set(fills["liquidity"]) == {"taker"}
    assert set(equity["symbol"]) == {"BTCUSDT", "ETHUSDT"}
    for symbol, bps in (("BTCUSDT", 5.0), ("ETHUSDT", 5.5)):
        own = fills.filter(pl.col("symbol") == symbol)
        assert own.height > 0
        assert own["fee"].sum() == pytest.approx((own["price"] * own["size"]).sum() * bps / 1e4)


@pytest.mark.parametrize("how", [("--workers", 2), ("--workers", 3), ("--processes", 2)])
def test_workers_and_processes_change_nothing(tape, tmp_path, how):
    assert momentum(tape, tmp_path / "one").returncode == 0
    assert momentum(tape, tmp_path / "many", *how).returncode == 0
    for name in ("orders", "fills", "equity"):
        assert rows(tmp_path / "one", name).equals(rows(tmp_path / "many", name))


def test_the_module_gives_the_same_as_the_verb(tape, tmp_path):
    assert momentum(tape, tmp_path / "verb").returncode == 0
    settings = {
        "TICKWAX_TAPE__PATH": str(tape), "TICKWAX_BACKTEST__PATH": str(tmp_path / "module"),
        "TICKWAX_STRATEGY__NAME": "momentum", "TICKWAX_STRATEGY__SIZE": "0.1", "TICKWAX_STRATEGY__ENTER": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bytewax.run", "dataflows.backtest"],
        env=settings | {"PATH": "", "HOME": str(Path.home())},
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("orders", "fills", "equity"):
        assert rows(tmp_path / "verb", name).equals(rows(tmp_path / "module", name))


def test_results_are_not_replaced_unless_told(tape, tmp_path):
    assert momentum(tape, tmp_path).returncode == 0
    done = momentum(tape, tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr or "holds" in done.stderr
    assert momentum(tape, tmp_path, "--overwrite").returncode == 0


def test_a_range_trades_only_inside_it(tape, tmp_path):
    times = ("--start", "2026-01-05T00:00:10Z", "--end", "2026-01-05T00:00:15Z")
    done = momentum(tape, tmp_path, *times, "--latency", "10ms,5ms")
    assert done.returncode == 0, done.stderr
    equity = rows(tmp_path, "equity")
    first, last = equity["ts"].dt.timestamp("ns").min(), equity["ts"].dt.timestamp("ns").max()
    assert first >= START + 9_900_000_000
    assert last <= START + 15_000_000_000
    assert (rows(tmp_path, "fills")["ts"].dt.timestamp("ns") >= START + 10_000_000_000).all()
    varied = rows(tmp_path, "sensitivity")
    assert set(varied["ts"].dt.timestamp("ns")) == {START + 10_000_000_000}
    assert set(varied["end_ts"].dt.timestamp("ns")) == {START + 15_000_000_000}


def schedule(path: Path, *changes: dict[str, object]) -> Path:
    lines = []
    for n, change in enumerate(changes or ({},)):
        line = {
            "exchange": "binance_futures", "symbol": "BTCUSDT", "local_ts": START + 5_000_000_000 + n, "action": "new",
            "order_id": n + 1, "side": 1, "kind": "market", "tif": None, "price": None, "size": 0.001,
        }  # fmt: skip
        lines.append(line | change)
    schema = pa.schema(
        [
            ("exchange", pa.string()), ("symbol", pa.string()), ("local_ts", pa.timestamp("ns", "UTC")),
            ("action", pa.string()), ("order_id", pa.int64()), ("side", pa.int8()), ("kind", pa.string()),
            ("tif", pa.string()), ("price", pa.float64()), ("size", pa.float64()),
        ]
    )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(lines, schema), path)
    return path


def test_a_schedule(tape, tmp_path):
    orders = schedule(tmp_path / "orders.parquet", {}, {"side": -1, "local_ts": START + 6_000_000_000})
    done = tickwax("backtest", "--tape", tape, "--orders", orders, "--out", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    table = rows(tmp_path / "b", "orders")
    assert table["status"].to_list() == ["accepted", "filled"] * 2
    assert table["ts"].dt.timestamp("ns")[0] == START + 5_010_000_000
    equity = rows(tmp_path / "b", "equity")
    assert equity.filter(pl.col("symbol") == "ETHUSDT")["volume"].max() == 0.0
    others = schedule(tmp_path / "others.parquet", {})
    assert tickwax("backtest", "--tape", tape, "--orders", others, "--out", tmp_path / "c").returncode == 0
    compared = tickwax("backtest", "compare", tmp_path / "b", tmp_path / "c")
    assert "backtest.orders" in compared.stdout


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (({"symbol": "NOPE"},), "row 0: binance_futures:NOPE is not among the instruments of the run"),
        (({}, {"order_id": 1}), "row 1: order_id 1 is there twice"),
        (({"size": float("nan")},), "row 0: size nan is not a finite number"),
        (({"kind": "limit", "tif": "gtc"},), "row 0: price None is not a finite number"),
        (
            ({"local_ts": START - 1_000_000_000_000},),
            "row 0: local_ts lies before the tape, which begins at 2026",
        ),
        (({"action": "buy"},), "row 0: action 'buy' is not one of new, cancel, amend"),
        (({"kind": "stop"},), "row 0: kind 'stop' is not one of limit, market"),
        (({"kind": "limit", "price": 1.0, "tif": "day"},), "row 0: tif 'day' is not one of gtc, gtx, ioc"),
        (({"side": 2},), "row 0: side 2 is neither 1 nor -1"),
    ],
)
def test_a_wrong_schedule_is_refused_in_a_line(tape, tmp_path, changes, says):
    orders = schedule(tmp_path / "orders.parquet", *changes)
    done = tickwax("backtest", "--tape", tape, "--orders", orders, "--out", tmp_path / "b")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert f"--orders: {orders}: {says}" in done.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name a strategy, or a schedule"),
        (
            ("--strategy", "nope"),
            "--strategy: 'nope' is none of hold, momentum, glft, twap, peg, agent, and no module:Class",
        ),
        (("--strategy", "glfft"), "; did you mean glft?"),
        (("--orders", "none.parquet"), "--orders: none.parquet does not exist; a Parquet file is needed"),
        (("--orders", "/"), "--orders: / is a folder; a Parquet file is needed"),
        (("--strategy", "nowhere:It"), "--strategy: 'nowhere:It' cannot be imported"),
        (("--strategy", "hold", "--param", "sise=1"), "strategy.sise: hold has no such parameter; it has: size"),
        (("--strategy", "hold", "--param", "size"), "--param: 'size' is not name=value"),
        (("--strategy", "glft", "--param", "gamma=-1"), "strategy.gamma: -1.0 is not positive"),
        (("--strategy", "hold", "--latency", "soon"), "--latency: 'soon' is not a duration"),
        (("--strategy", "hold", "--queue", "best"), "--queue: "),
        (("--strategy", "hold", "--orders", "x.parquet"), "one of the two"),
    ],
)
def test_bad_input(tape, tmp_path, arguments, says):
    done = tickwax("backtest", "--tape", tape, "--out", tmp_path / "b", *arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "b").exists()


def test_a_model_that_is_none_is_refused_though_the_strategy_would_not_ask(tape, tmp_path):
    done = tickwax("backtest", "--tape", tape, "--strategy", "glft", "--model", "none", "--out", tmp_path / "b")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("tickwax: --model: none is not a folder; a model is one")


def test_a_file_is_no_tape(tmp_path):
    (tmp_path / "file").write_text("")
    done = tickwax("backtest", "--tape", tmp_path / "file", "--strategy", "hold", "--out", tmp_path / "b")
    assert (done.returncode, done.stderr) == (2, f"tickwax: --tape: {tmp_path}/file is a file; a tape is a folder\n")


OWN = """
class Mine:
    columns = ("mid",)

    def __init__(self, size=0.01):
        self.size, self.rows = size, 0

    def decide(self, view, orders):
        self.rows += 1
        if self.rows == 3:
            orders.market(1, self.size)
        if self.rows == 9 and self.size > 1:
            raise ZeroDivisionError("mine")
"""


def test_a_strategy_of_ones_own(tape, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    done = tickwax("backtest", "--tape", tape, "--strategy", "mine:Mine", "--out", "b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bought = rows(tmp_path / "b", "fills").group_by("symbol").agg(pl.col("size").sum())
    assert sorted(bought["size"].to_list()) == pytest.approx([0.01, 0.01])


def test_a_strategy_that_raises_leaves_nothing(tape, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    done = tickwax(
        "backtest", "--tape", tape, "--strategy", "mine:Mine", "--param", "size=2", "--out", "b", cwd=tmp_path
    )
    assert done.returncode == 1
    assert 'mine.py", line 13, in decide' in done.stderr
    assert "ZeroDivisionError: mine" in done.stderr
    assert "--strategy: Mine failed at the feature row of 2026-01-05T00:00:0" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.rglob("*.parquet"))


def test_settings_of_a_backtest_can_be_saved_and_read_again(tmp_path):
    saved = tmp_path / "saved.toml"
    environment = {
        "TICKWAX_STRATEGY__NAME": "hold", "TICKWAX_STRATEGY__SIZE": "2", "HOME": str(Path.home()),
        "TICKWAX_EXECUTION__GRIDS": '{"binance_futures:BTCUSDT": {"tick": 0.1, "lot": "0.001"}}',
        "TICKWAX_EXECUTION__FEES": '{"binance_futures": {"maker": -0.5, "taker": 1.7}}',
    }  # fmt: skip
    first = tickwax("settings", environment=environment, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    saved.write_text(first.stdout)
    again = tickwax("settings", "--config", saved, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.replace("# file", "# environment") == first.stdout
    assert 'size = "2"' in first.stdout


def test_what_it_came_to(tape, tmp_path):
    page, image = tmp_path / "report.html", tmp_path / "report.png"
    done = momentum(tape, tmp_path / "b", "--report", page)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    title = next(n for n, line in enumerate(lines) if line.startswith("instrument"))
    assert lines[title + 1].startswith(BTC)
    assert "±" in lines[title + 1]
    text = page.read_text()
    assert "markouts" in text
    assert not [part for part in text.split('src="')[1:] if part.startswith("http")]
    assert momentum(tape, tmp_path / "b", "--overwrite", "--report", image).returncode == 0
    assert image.read_bytes().startswith(b"\x89PNG")


def test_a_report_that_cannot_be_drawn_is_refused_first(tape, tmp_path):
    done = momentum(tape, tmp_path / "b", "--report", tmp_path / "report.pdf")
    assert done.returncode == 2
    assert "does not end with one of .html, .png, .svg" in done.stderr
    assert not (tmp_path / "b").exists()


def test_a_report_compares_queues_and_latencies(tape, tmp_path):
    out, page = tmp_path / "out", tmp_path / "r.html"
    wanted = ("--strategy", "glft", "--param", "size=0.1", "--latency", "10ms,0ms,300ms", "--report", page)
    done = tickwax("backtest", "--tape", tape, *wanted, "--out", out, "--workers", 2)
    assert done.returncode == 0, done.stderr
    table = pl.scan_parquet(out / "sensitivity/**/*.parquet", hive_partitioning=True).collect()
    assert table.height == 2 * 5
    own = table.filter(pl.col("symbol") == "BTCUSDT").sort("run")
    assert own["execution.queue"].to_list() == ["power", "risk_averse", "optimistic", "power", "power"]
    assert own["execution.latency_entry"].to_list() == ["10ms"] * 3 + ["0ms", "300ms"]
    # The first row is the run itself, and a row of its own settings is what a backtest of them comes to.
    equity = rows(out, "equity").filter(pl.col("symbol") == "BTCUSDT")
    assert own["net_pnl"][0] == equity["equity"][-1]
    again = tickwax("backtest", "--tape", tape, *wanted[:4], "--latency", "300ms", "--out", tmp_path / "slow")
    assert again.returncode == 0
    slow = rows(tmp_path / "slow", "equity").filter(pl.col("symbol") == "BTCUSDT")
    assert own["net_pnl"][4] == slow["equity"][-1]
    assert own["net_pnl"].n_unique() > 1
    assert "With another place in the queue, or another latency" in done.stdout
    assert "queue bracket" in page.read_text()


def test_measured_latencies_decide(tape, tmp_path):
    sent = [START, START + 10**10]
    file = tmp_path / "latency.parquet"
    columns = {"local_ts": sent, "exchange_ts": [t + 10**7 for t in sent], "response_ts": [t + 2 * 10**7 for t in sent]}
    pq.write_table(pa.table(columns), file)
    config = tmp_path / "tickwax.toml"
    config.write_text(f'[execution]\nlatency_file = "{file}"\n')
    assert momentum(tape, tmp_path / "constant").returncode == 0
    assert momentum(tape, tmp_path / "measured", "--config", config).returncode == 0
    for name in ("orders", "fills", "equity"):  # 10 ms each way, as the default
        assert rows(tmp_path / "measured", name).equals(rows(tmp_path / "constant", name))
    columns["exchange_ts"][1] += 5 * 10**8
    columns["response_ts"][1] += 5 * 10**8
    pq.write_table(pa.table(columns), file)
    refused = momentum(tape, tmp_path / "measured", "--config", config)
    assert refused.returncode == 2  # of the same name, and of other content
    assert momentum(tape, tmp_path / "later", "--config", config).returncode == 0
    late, soon = rows(tmp_path / "later", "fills"), rows(tmp_path / "constant", "fills")
    assert not late.equals(soon)
    half = START + 10**10
    assert late.filter(pl.col("ts").dt.epoch("ns") < half).equals(soon.filter(pl.col("ts").dt.epoch("ns") < half))
