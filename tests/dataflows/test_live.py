"""The live dataflow as a user runs it, against a simulated exchange over real sockets."""

import contextlib
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from bytewax.run import cli_main

from dataflows.assembly.replay import prepare_replay
from dataflows.settings.model import load_settings
from simulator.thread import SimulatorThread, simulator_thread
from sinks.compaction import recover
from sinks.lock import DataSetLock
from sinks.tape import TapeWriter
from sources.instrument import Instrument
from sources.tape.batch import FUNDING, MARK, OPEN_INTEREST, RESET, TRADE, concat, tape_batch
from sources.tape.layout import data_files, instruments
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_replay import assert_same, cluster, table, told
from tests.importers.captures import check_invariants
from tests.markets import market
from tests.ports import free_ports

pytestmark = pytest.mark.slow

MODULE = ("-m", "bytewax.run", "dataflows.live")
VERB = ("-c", "from dataflows.cli import main; main()")
BINANCE, BYBIT = INSTRUMENTS[0], INSTRUMENTS[-1]


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatorThread]:
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as running:
        yield running


@pytest.fixture
def settings(exchange, tmp_path) -> dict[str, object]:
    paths = {"tape.path": tmp_path / "tape", "features.path": tmp_path / "features"}
    return {**exchange.addresses, **paths, "symbols": '["binance_futures:*","bybit_linear:*"]'}


def replayed(tape: Path, folder: Path, **more: object) -> Path:
    replay = prepare_replay(load_settings({"tape.path": str(tape), "features.path": str(folder)} | more))
    cli_main(replay.flow)
    replay.commit()
    return folder


def assert_replay_is_live(tmp_path: Path, expected: set[Instrument], **more: object) -> None:
    """Replaying the tape gives the features of the run, every bit; the tape keeps its rules."""
    again = replayed(tmp_path / "tape", tmp_path / "again", **more)
    assert set(instruments(tmp_path / "features")) == set(instruments(again)) == expected
    for instrument in expected:
        found = table(tmp_path / "features", instrument)
        assert found.num_rows > 10
        assert_same(found, table(again, instrument))
        check_invariants(concat(list(TapeReader(tmp_path / "tape", instrument).batches())))


def wait_until_served(exchange: SimulatorThread, connections: int) -> None:
    """Wait until frames flow on so many connections, so that the books are known; importing alone takes seconds."""
    deadline = time.monotonic() + 60
    while exchange.call(lambda simulator: sum(c.sent > 20 for c in simulator.connections)) < connections:
        assert time.monotonic() < deadline, "the run does not connect"
        time.sleep(0.05)
    time.sleep(1.5)


def test_replaying_a_run_with_faults_gives_its_features(exchange, settings, start, tmp_path):
    process = start({**settings, "duration": "7s"}, *MODULE)
    wait_until_served(exchange, 3)
    exchange.fault("drop", symbol=BINANCE.symbol, stream="*@depth*")
    exchange.fault("drop", symbol=BYBIT.symbol, stream="orderbook*")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, ""), stderr
    assert_replay_is_live(tmp_path, set(INSTRUMENTS))
    kinds = [concat(list(TapeReader(tmp_path / "tape", i).batches())).kind for i in (BINANCE, BYBIT)]
    assert [int((k == RESET).sum()) for k in kinds] == [1, 1], stderr


def test_replaying_a_run_with_faults_gives_its_derivatives(exchange, settings, start, tmp_path):
    on = {"features.derivatives": True}
    process = start({**settings, **on, "duration": "9s"}, *MODULE)
    wait_until_served(exchange, 5)
    exchange.fault("drop", symbol=BINANCE.symbol, stream="*@depth*")
    exchange.fault("garbage", symbol=BINANCE.symbol, stream="*@markPrice*", count=2)
    exchange.fault("truncate", symbol=BYBIT.symbol, stream="tickers*", count=2)
    exchange.fault("reset", symbol=BYBIT.symbol, stream="tickers*")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, ""), stderr
    assert_replay_is_live(tmp_path, set(INSTRUMENTS), **on)
    without = replayed(tmp_path / "tape", tmp_path / "without")
    for instrument in INSTRUMENTS:
        tape = concat(list(TapeReader(tmp_path / "tape", instrument).batches()))
        assert {MARK, FUNDING, OPEN_INTEREST} <= set(tape.kind.tolist())
        assert int((tape.kind == RESET).sum()) == (instrument == BINANCE), stderr
        found, less = table(tmp_path / "features", instrument), table(without, instrument)
        assert not np.isnan(found["mark_price"].to_numpy()[-1])
        assert not np.isnan(found["open_interest"].to_numpy()).all()  # after the reset it waits for the next poll
        assert set(found.column_names) - set(less.column_names) > {"mark_price", "funding_in", "liquidation_1s"}
        assert_same(found.select(less.column_names), less)


def test_two_processes_share_the_instruments(exchange, settings, start, tmp_path):
    both = cluster(start, {**settings, "duration": "6s"}, MODULE)
    wait_until_served(exchange, 6)
    for kind in ("drop", "reset"):
        exchange.fault(kind, symbol=BINANCE.symbol)
    ended = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert_replay_is_live(tmp_path, set(INSTRUMENTS))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_in_order(exchange, settings, start, tmp_path, number):
    process = start(settings, *MODULE)
    wait_until_served(exchange, 3)
    process.send_signal(number)
    before = time.monotonic()
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - before < 5.0
    assert (process.returncode, stdout) == (0, ""), stderr
    for name in ("tape", "features"):
        recover(tmp_path / name)  # a machine that is busy elsewhere may have left no time for files
    assert_replay_is_live(tmp_path, set(INSTRUMENTS))


def test_metrics_are_served(settings, start, tmp_path):
    (port,) = free_ports(1)
    served = {"BYTEWAX_DATAFLOW_API_ENABLED": "1", "BYTEWAX_DATAFLOW_API_PORT": str(port)}
    # Bytewax leaves a drawing of the dataflow, dataflow.json, where it is started with its endpoint on.
    code = f"import os, runpy, sys; os.chdir({str(tmp_path)!r}); os.environ.update({served}); "
    code += "sys.argv = ['run', 'dataflows.live']; "
    process = start({**settings, "duration": "8s"}, "-c", code + "runpy.run_module('bytewax.run', run_name='__main__')")
    wanted = (
        "tickwax_frames_total",
        "tickwax_books_known",
        "tickwax_wire_to_feature_seconds_bucket",
        "tickwax_rows_total",
    )
    deadline = time.monotonic() + 40
    text = ""
    while not all(name in text for name in wanted):
        assert time.monotonic() < deadline, text[-2000:]
        with contextlib.suppress(OSError):
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2).read().decode()
        time.sleep(0.2)
    assert process.wait(60) == 0


def test_an_unknown_symbol_is_one_line(settings, start, tmp_path):
    process = start({**settings, "symbols": '["bybit_linear:NOPE"]'}, *MODULE)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, len(told(stderr))) == (2, 1)
    assert "'bybit_linear:NOPE' is unknown or not trading" in stderr
    assert list(instruments(tmp_path / "tape")) == []


def test_an_exchange_that_is_not_there_is_one_line(settings, start):
    nowhere = {"symbols": '["bybit_linear:X"]', "venues.bybit_linear.rest": "http://127.0.0.1:9"}
    process = start({**settings, **nowhere}, *MODULE)
    stdout, stderr = process.communicate(timeout=60)
    waiting, line = told(stderr)  # what it waits for, and why it gave up
    assert (process.returncode, stdout) == (2, "")
    assert "waiting" in waiting
    assert line.startswith("tickwax: venues.bybit_linear.rest: http://127.0.0.1:9")


def test_record_writes_the_tape_alone(settings, start, tmp_path):
    process = start(settings, *VERB, "record", "--duration", "3s")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "tape" in stdout
    assert set(instruments(tmp_path / "tape")) == set(INSTRUMENTS)
    assert not (tmp_path / "features").exists()


def test_features_shows_a_table_and_writes_nothing(settings, start, tmp_path):
    process = start(settings, *VERB, "features", "--duration", "3s")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert str(BINANCE) in stdout
    assert list(tmp_path.iterdir()) == []


def test_symbols_lists_what_trades(settings, start):
    process = start(settings, *VERB, "symbols", "bybit_linear")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert ["bybit_linear:BTCUSDT", "0.1"] in [line.split() for line in stdout.splitlines()]
    assert "binance" not in stdout


def test_a_second_run_appends_after_a_reset(settings, start, tmp_path):
    for _ in range(2):
        process = start({**settings, "symbols": f'["{BINANCE}"]', "duration": "2s"}, *MODULE)
        assert process.wait(60) == 0
    tape = concat(list(TapeReader(tmp_path / "tape", BINANCE).batches()))
    check_invariants(tape)
    assert int((tape.kind == RESET).sum()) == 1
    assert len(data_files(tmp_path / "tape", BINANCE)) == 2
    assert {pq.read_schema(f).names[0] for f in data_files(tmp_path / "tape", BINANCE)} == {"ordinal"}


def test_trades_before_the_first_book_of_an_earlier_run_count(exchange, settings, start, tmp_path):
    """No reset parts them from the new rows, so a replay of the whole tape has them in its first feature row."""
    now = time.time_ns()
    columns = {"ordinal": [0, 1], "exchange_ts": [now, now], "receive_ts": [now, now], "sequence": [1, 2]}
    trades = tape_batch(**columns, kind=[TRADE] * 2, side=[1, -1], price=[100.0] * 2, size=[7.0, 5.0], last=[True] * 2)
    with TapeWriter(tmp_path / "tape", "earlier") as writer:
        writer.write(BINANCE, trades)
    process = start({**settings, "symbols": f'["{BINANCE}"]', "duration": "3s"}, *MODULE)
    assert process.wait(60) == 0, process.stderr.read()
    assert_replay_is_live(tmp_path, {BINANCE})
    assert table(tmp_path / "features", BINANCE)["trade_volume"][0].as_py() >= 12.0
    assert RESET not in concat(list(TapeReader(tmp_path / "tape", BINANCE).batches())).kind


def test_a_live_run_is_not_resumed(settings, start, tmp_path):
    process = start(settings, *MODULE, "-r", tmp_path, "-s", 1, "-b", 1)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, len(told(stderr))) == (2, 1)
    assert "-r: a live run has no past to return to" in stderr


def test_a_second_writer_and_a_folder_that_cannot_be_written_to_are_one_line(settings, start, tmp_path):
    with DataSetLock(tmp_path / "tape"):
        process = start(settings, *MODULE)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, len(told(stderr))) == (2, 1)
    assert f"{tmp_path / 'tape'}: another process is writing to it; wait for its end" in stderr
    process = start({**settings, "tape.path": "/proc/tickwax"}, *MODULE)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, len(told(stderr))) == (2, 1)
    assert "tickwax: cannot write to /proc/tickwax: " in stderr
