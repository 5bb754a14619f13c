"""The choice of fractional orders as its users run it."""

import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bytewax.run import cli_main
from statsmodels.tsa.stattools import adfuller
from typer.testing import CliRunner

from dataflows.assembly.fractional_orders import read_fractional_orders
from dataflows.assembly.optimal_d import prepare_optimal_d
from dataflows.assembly.replay import prepare_replay
from dataflows.command_line.verbs import app
from dataflows.reports.optimal_d import fractional_order_panels
from dataflows.settings.model import load_settings
from operators.fracdiff import find_optimal_d
from operators.fractional_order import FractionalOrder
from operators.optimal_d import Trial
from sinks.tape import TapeWriter
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch, concat
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND
from tests.dataflows.test_replay import cluster, told

BTC, ETH, *_ = INSTRUMENTS
VERB = ("-c", "from dataflows.cli import main; main()", "optimal-d")
MODULE = ("-m", "bytewax.run", "dataflows.optimal_d")
TS = pa.timestamp("ns", tz="UTC")


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch):
    for name in [n for n in os.environ if n.startswith("TICKWAX_")]:
        monkeypatch.delenv(name)


def search(tape: Path, out: Path, workers: int = 1, **flags: object) -> list[dict[str, object]]:
    """In this process; a keyword's double underscore is the dot of the key."""
    flags = {"tape__path": str(tape), "optimal_d__path": str(out), "features__ffd_threshold": 0.001, **flags}
    settings = load_settings({key.replace("__", "."): value for key, value in flags.items()})
    cli_main(prepare_optimal_d(settings).flow, workers_per_process=workers)
    return pq.read_table(out).to_pylist()


@pytest.fixture(scope="module")
def found(synthetic_tape_root, tmp_path_factory):
    """All five instruments, a sample every 10 ms: file and rows."""
    out = tmp_path_factory.mktemp("orders") / "new" / "orders.parquet"
    return out, search(synthetic_tape_root, out, optimal_d__sampling="10ms")


def test_the_file_has_the_columns_of_the_definition(found):
    path, rows = found
    schema = pq.read_schema(path)
    assert [(field.name, field.type) for field in schema] == [
        ("exchange", pa.string()), ("symbol", pa.string()), ("series", pa.string()), ("d", pa.float64()),
        ("adf_stat", pa.float64()), ("adf_pvalue", pa.float64()), ("n", pa.int64()),
        ("memory_retained", pa.float64()), ("is_stationary", pa.bool_()), ("sampling", pa.string()),
        ("from_ts", TS), ("to_ts", TS),
    ]  # fmt: skip
    keys = [(r["exchange"], r["symbol"], r["series"]) for r in rows]
    assert keys == sorted((*i, series) for i in INSTRUMENTS for series in ("price", "volume"))
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_every_row_is_what_the_library_finds_in_the_replays_features(found, synthetic_tape_root, tmp_path):
    _, rows = found
    flags = {"tape.path": str(synthetic_tape_root), "features.path": str(tmp_path / "f"), "symbols": [str(BTC)]}
    replay = prepare_replay(load_settings({**flags, "features.sampling": "10ms"}))
    cli_main(replay.flow)
    replay.commit()
    files = sorted((tmp_path / "f").glob("*/*/*/*.parquet"))
    features = pa.concat_tables([pq.ParquetFile(f).read() for f in files])
    series = {
        "price": np.log(features["mid"].to_numpy()),
        "volume": np.log(1 + features["trade_volume"].to_numpy()),
    }
    for row in rows:
        if (row["exchange"], row["symbol"]) == BTC:
            x = series[row["series"]]
            want = find_optimal_d(x, threshold=0.001)
            assert row["d"] == want.d
            assert row["n"] == len(x) > 500
            assert row["adf_stat"] == pytest.approx(want.adf_stat, rel=1e-9)
            assert row["memory_retained"] == pytest.approx(want.memory_retained, rel=1e-9)
            y = want.series[~np.isnan(want.series)]
            assert (row["adf_stat"], row["adf_pvalue"]) == pytest.approx(adfuller(y)[:2], rel=1e-8)
            assert row["is_stationary"] == (row["adf_pvalue"] < 0.05)
            assert row["sampling"] == "10ms"
            # as_py() of a timestamp keeps microseconds only
            assert (row["from_ts"].value, row["to_ts"].value) == tuple(
                features["ts"].cast(pa.int64()).to_numpy()[[0, -1]]
            )


def test_features_take_the_file(found, synthetic_tape_root, tmp_path):
    path, rows = found
    orders = read_fractional_orders(path)
    assert orders == {i: {r["series"]: r["d"] for r in rows if (r["exchange"], r["symbol"]) == i} for i in INSTRUMENTS}
    replay = prepare_replay(
        load_settings(
            {
                "tape.path": str(synthetic_tape_root),
                "features.path": str(tmp_path / "f"),
                "features.d_file": str(path),
                "features.ffd_threshold": 0.001,
                "features.sampling": "10ms",
            }
        )
    )
    cli_main(replay.flow)
    replay.abort()
    assert {i: e._config.price_d for i, e in replay.engines.items()} == {i: o["price"] for i, o in orders.items()}


def test_any_number_of_workers_and_processes_finds_the_same(found, synthetic_tape_root, start, tmp_path):
    path, rows = found
    assert search(synthetic_tape_root, tmp_path / "two", workers=2, optimal_d__sampling="10ms") == rows
    settings = {
        "tape.path": synthetic_tape_root,
        "optimal_d.path": tmp_path / "cluster",
        "optimal_d.sampling": "10ms",
        "features.ffd_threshold": 0.001,
    }
    both = [process.communicate(timeout=120) for process in cluster(start, settings, MODULE)]
    assert sorted(len(told(stderr)) for _, stderr in both) == [0, 0]
    assert sum("written to" in stdout for stdout, _ in both) == 1
    assert (tmp_path / "cluster").read_bytes() == path.read_bytes()


def test_nothing_after_train_until_has_a_say(synthetic_tape_root, tmp_path):
    """A tape whose later rows are others gives the same file."""
    until = MIDNIGHT + 2 * SECOND
    whole = concat(list(TapeReader(synthetic_tape_root, BTC).batches()))
    late = int(np.argmax(whole.receive_ts >= until))
    other = TapeBatch(*(column.copy() for column in whole))
    other.price[late:] *= np.where(np.arange(whole.rows - late) % 2, 1.5, 0.5)
    for name, batch in (("cut", whole.slice(0, late)), ("other", other)):
        with TapeWriter(tmp_path / name, "t") as writer:
            writer.write(BTC, batch)
    flags = {"symbols": [str(BTC)], "optimal_d__sampling": "10ms", "optimal_d__train_until": "2026-01-05T00:00:02Z"}
    rows = [search(tape, tmp_path / f"{n}.parquet", **flags)
            for n, tape in enumerate((synthetic_tape_root, tmp_path / "cut", tmp_path / "other"))]  # fmt: skip
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][0]["to_ts"].value <= until
    whole_row = search(synthetic_tape_root, tmp_path / "all.parquet", **{**flags, "optimal_d__train_until": None})[0]
    assert whole_row["n"] > rows[0][0]["n"]
    later = {**flags, "optimal_d__start": "2026-01-05T00:00:01Z"}
    assert search(synthetic_tape_root, tmp_path / "later.parquet", **later)[0]["from_ts"].value >= MIDNIGHT + SECOND


def test_a_series_that_cannot_be_tested_keeps_its_row(synthetic_tape_root, tmp_path, capsys):
    flags = {"symbols": [str(BTC)], "optimal_d__sampling": "1s", "features__price_d": 0.35}
    price, volume = search(synthetic_tape_root, tmp_path / "o.parquet", **flags)
    for row, d in ((price, 0.35), (volume, 0.5)):
        assert (row["d"], row["is_stationary"], row["n"]) == (d, False, 10 if row["from_ts"] else 0)
        assert np.isnan([row["adf_stat"], row["adf_pvalue"], row["memory_retained"]]).all()
    assert "10 values; a test needs 100; d is the default" in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert read_fractional_orders(tmp_path / "o.parquet") == {BTC: {"price": 0.35, "volume": 0.5}}


def test_trade_prices_on_request(synthetic_tape_root, tmp_path):
    flags = {"symbols": [str(BTC)], "optimal_d__sampling": "10ms"}
    mid = search(synthetic_tape_root, tmp_path / "mid.parquet", **flags)
    trade = search(synthetic_tape_root, tmp_path / "trade.parquet", **flags, optimal_d__price="trade")
    assert trade[0]["adf_stat"] != mid[0]["adf_stat"]
    assert 0 < trade[0]["n"] <= mid[0]["n"]


def test_pictures(synthetic_tape_root, tmp_path):
    for name in ("o.html", "o.png", "o.svg"):
        flags = {"optimal_d__plot": str(tmp_path / "pictures" / name), "optimal_d__step": 0.25}
        search(synthetic_tape_root, tmp_path / "o.parquet", symbols=[str(BTC)], optimal_d__sampling="10ms", **flags)
    page = (tmp_path / "pictures" / "o.html").read_text()
    for title in ("binance_futures:BTCUSDT price: ", "price: ADF statistic", "volume: p-value", "correlation with the"):
        assert json.dumps(title)[1:-1] in page
    assert '"type":"log"' in page
    assert page.count('"type":"scatter"') >= 2 * 5
    assert all(f'"text":"{level}"' in page for level in ("1%", "5%", "10%"))
    image = (tmp_path / "pictures" / "o.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    width, height = (int.from_bytes(image[at : at + 4]) for at in (16, 20))
    assert width > 1000 < 3 * height
    drawing = (tmp_path / "pictures" / "o.svg").read_text()
    assert drawing.count(": ADF statistic -->") == 2


def test_a_picture_leads_no_line_across_orders_that_were_not_tested():
    trials = (Trial(0.0, 3.0, 1.0, 1.0), Trial(0.8, -4.0, 1e-22, 0.5), Trial(0.85, -5.0, 0.0, 0.4))
    found = FractionalOrder("v", "S", "price", 400, 0, 1, 0.8, "", is_stationary=True, trials=trials)
    (row,) = fractional_order_panels([found], step=0.05, pvalue=0.01)
    for panel in row[1:]:
        ((_, d, y),) = panel.curves
        assert np.isnan(d).tolist() == np.isnan(y).tolist() == [False, True, False, False]
        assert panel.dotted
        assert panel.marks == [("d = 0.8", 0.8)]
    assert row[2].log
    assert row[2].levels == [("p = 0.01", 0.01)]
    assert row[2].curves[0][2][2:].tolist() == [1e-6, 1e-6]  # a logarithm of 0 would be nowhere
    (every,) = fractional_order_panels([found], step=0.8, pvalue=0.01)
    assert not np.isnan(every[1].curves[0][1]).any()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"optimal_d.path": "."}, r"optimal_d.path: \. is a folder"),
        ({"optimal_d.path": __file__}, "optimal_d.path: .* is there and holds something else"),
        ({"optimal_d.path": f"{__file__}/d/d.parquet"}, "optimal_d.path: .* is no folder"),
        ({"optimal_d.path": "d.csv"}, "optimal_d.path: d.csv: what is written is Parquet"),
        ({"optimal_d.plot": "a.jpg"}, "optimal_d.plot: 'a.jpg' does not end with one of .html, .png, .svg"),
        ({"optimal_d.pvalue": 1.0}, "optimal_d.pvalue: 1.0 is not between 0 and 1"),
        ({"optimal_d.step": 0.0}, "optimal_d.step: 0.0 is not above 0 and up to 1"),
        ({"symbols": ["bybit_linear:NONE"]}, "symbols: bybit_linear:NONE is not on the tape"),
        ({"optimal_d.price": "vwap"}, "optimal_d.price: 'vwap' is not one of mid, trade"),
        ({"optimal_d.step": 1e-9}, "optimal_d.step: 1e-09 makes 1e.09 orders; at most 10000"),
        (
            {"optimal_d.sampling": "1us"},
            "optimal_d.sampling: a hole as long as features.max_hold, 60s, makes 60,000,000",
        ),
        ({"optimal_d.path": ""}, "optimal_d.path: '' is not the path of a file"),
        ({"optimal_d.train_until": "soon"}, "optimal_d.train_until: 'soon' is not an ISO 8601 time"),
        (
            {"optimal_d.start": "2026-01-02", "optimal_d.train_until": "2026-01-01"},
            "optimal_d.start: '2026-01-02' is not before optimal_d.train_until",
        ),
    ],
)
def test_what_cannot_be_is_one_line(synthetic_tape_root, flags, says):
    with pytest.raises(TickwaxError, match=says) as caught:
        prepare_optimal_d(load_settings({"tape.path": str(synthetic_tape_root), **flags}))
    assert "\n" not in str(caught.value)


def test_the_verb_tells_what_it_found(found, synthetic_tape_root, start, tmp_path):
    out = tmp_path / "o.parquet"
    flags = ["--tape", synthetic_tape_root, "--out", out, "--symbols", str(BTC), "--sampling", "10ms", "-w", 2]
    process = start({"features.ffd_threshold": 0.001}, *VERB, *flags)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, told(stderr)) == (0, [])
    row = found[1][0]
    assert re.search(rf"binance_futures:BTCUSDT +price +{row['d']:.4g} ", stdout)
    assert f"features.d_file={out}" in stdout
    assert "--train-until" in CliRunner().invoke(app, ["optimal-d", "--help"], env={"COLUMNS": "200"}).output


def listens(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def test_an_interruption_leaves_nothing(synthetic_tape_root, start, tmp_path):
    settings = {
        "tape.path": synthetic_tape_root,
        "optimal_d.path": tmp_path / "o" / "o.parquet",
        "optimal_d.sampling": "10ms",
        "optimal_d.step": 0.0001,  # minutes of work
    }
    process = start(settings, *MODULE)
    while not listens(process.pid, signal.SIGTERM):  # until then Python's own handlers are in force
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 130
    assert told(stderr)[-1] == "tickwax: interrupted; nothing was written"
    assert not (tmp_path / "o").exists()


def test_an_unreadable_tape_ends_it_with_one_line(synthetic_tape_root, start, tmp_path):
    batch = concat(list(TapeReader(synthetic_tape_root, ETH).batches()))
    with TapeWriter(tmp_path / "tape", "t") as writer:
        writer.write(Instrument("bybit_linear", "X"), TapeBatch(*(c[np.r_[0:50, 90 : batch.rows]] for c in batch)))
    process = start({"tape.path": tmp_path / "tape", "optimal_d.path": tmp_path / "o.parquet"}, *MODULE)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, len(told(stderr))) == (1, 1)
    assert "row 50: ordinal 90 does not follow 49" in stderr
    assert not (tmp_path / "o.parquet").exists()
