"""`tickwax paper` as its users run it, against simulated exchanges over real sockets: its fills are a replay's."""

import contextlib
import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dataflows.runtime.kernels import ready_features, ready_trading
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.feature_engine import FEW_ROWS
from simulator.thread import SimulatorThread, simulator_thread
from sinks.compaction import recover
from sources.instrument import Instrument
from sources.tape.layout import instruments
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_live import BINANCE, BYBIT, VERB, wait_until_served
from tests.dataflows.test_replay import assert_same, cluster, table, told
from tests.markets import market
from tests.ports import free_ports

pytestmark = pytest.mark.slow

MODULE = ("-m", "bytewax.run", "dataflows.paper")
SETS = [schema.name for schema in (ORDERS, FILLS, EQUITY)]


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """A run that had to compile would need longer than the tests wait for it."""
    ready_features(gil_rows=FEW_ROWS)
    ready_trading()


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatorThread]:
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as running:
        yield running


@pytest.fixture
def settings(exchange, tmp_path) -> dict[str, object]:
    paths = {name: tmp_path / name.partition(".")[0] for name in ("tape.path", "features.path", "paper.path")}
    quotes = {"strategy.name": "glft", "strategy.size": 0.01, "strategy.max_position": 0.05}
    return {**exchange.addresses, **paths, **quotes, "symbols": '["binance_futures:*","bybit_linear:*"]'}


def assert_replay_is_paper(settings, start, tmp_path: Path, expected: set[Instrument]) -> None:
    """A backtest of the tape gives orders, fills and equity of the run, every bit."""
    again = tmp_path / "again"
    process = start(
        {k: v for k, v in settings.items() if k not in ("symbols", "duration", "paper.path")}
        | {"backtest.path": again, "execution.grid_file": tmp_path / "paper" / "grids.toml"},
        *VERB, "backtest",
    )  # fmt: skip
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    filled = 0
    for name in SETS:
        recover(tmp_path / "paper" / name)
        for instrument in expected:
            there = [root for root in (tmp_path / "paper", again) if instrument in set(instruments(root / name))]
            assert len(there) in (0, 2), (name, instrument, there)
            if there:
                found = table(tmp_path / "paper" / name, instrument)
                assert_same(found, table(again / name, instrument))
                filled += found.num_rows if name == "fills" else 0
    assert filled > 0
    assert set(instruments(again / "equity")) == expected


def end_kill_end(exchange, settings, start) -> str:
    """Three runs of an account, ended, killed and ended again; what the last one said."""
    for how in ("end", "kill", "end"):
        while exchange.call(lambda simulator: len(simulator.connections)):  # those of the run before
            time.sleep(0.05)
        process = start(settings, *MODULE)
        wait_until_served(exchange, 3)
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == (-9 if how == "kill" else 0), stderr
    return stderr


def test_a_replay_gives_the_fills_of_a_run_with_faults(exchange, settings, start, tmp_path):
    process = start({**settings, "duration": "7s"}, *VERB, "paper")
    wait_until_served(exchange, 3)
    exchange.fault("drop", symbol=BINANCE.symbol, stream="*@depth*")
    exchange.fault("drop", symbol=BYBIT.symbol, stream="orderbook*")
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert "fills are simulated" in stdout
    assert_replay_is_paper(settings, start, tmp_path, set(INSTRUMENTS))
    reasons = pa.concat_tables([table(tmp_path / "paper" / "orders", i) for i in (BINANCE, BYBIT)])["reason"]
    assert "reset" in reasons.to_pylist()


def test_an_account_goes_on_where_it_was_left(exchange, settings, start, tmp_path):
    """Ended in order, killed, and ended again: one replay of the tape gives all three runs."""
    assert "going on with the account" in end_kill_end(exchange, settings, start)
    states = sorted((tmp_path / "paper" / "states").rglob("symbol=*"))
    assert len(states) == len(INSTRUMENTS)
    # A state that cannot be read costs the time of a whole replay, and nothing else.
    states[0].write_bytes(states[0].read_bytes()[:100])
    process = start({**settings, "duration": "3s"}, *MODULE)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "its state cannot be read, so all of its tape is: not a state of the simulated exchange" in stderr
    assert_replay_is_paper(settings, start, tmp_path, set(INSTRUMENTS))


@pytest.mark.soak
def test_two_processes_share_the_accounts(exchange, settings, start, tmp_path):
    both = cluster(start, {**settings, "duration": "6s"}, MODULE)
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    process = start({**settings, "duration": "4s"}, *VERB, "paper", "--processes", "2")
    assert process.wait(120) == 0, process.stderr.read()
    assert_replay_is_paper(settings, start, tmp_path, set(INSTRUMENTS))


def test_metrics_tell_of_the_account(settings, start, tmp_path):
    (port,) = free_ports(1)
    served = {"BYTEWAX_DATAFLOW_API_ENABLED": "1", "BYTEWAX_DATAFLOW_API_PORT": str(port)}
    code = f"import os, runpy, sys; os.chdir({str(tmp_path)!r}); os.environ.update({served}); "
    code += "sys.argv = ['run', 'dataflows.paper']; runpy.run_module('bytewax.run', run_name='__main__')"
    process = start({**settings, "duration": "10s"}, "-c", code)
    wanted = [f'tickwax_paper_{name}{{instrument="{BINANCE}"}}' for name in ("equity", "position", "open_orders")]
    deadline, text = time.monotonic() + 60, ""
    while not all(name in text for name in wanted):
        assert time.monotonic() < deadline, text[-2000:]
        with contextlib.suppress(OSError):
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2).read().decode()
        time.sleep(0.2)
    assert process.wait(60) == 0


class TestRefusals:
    def one_line(self, start, settings: dict[str, object]) -> str:
        process = start(settings, *VERB, "paper")
        _, stderr = process.communicate(timeout=60)
        (line,) = told(stderr)
        assert process.returncode == 2
        return line

    def test_without_a_strategy(self, settings, start):
        assert "strategy.name: empty" in self.one_line(start, settings | {"strategy.name": ""})

    def test_without_the_tape_of_an_account(self, settings, start, tmp_path):
        process = start({**settings, "duration": "3s"}, *VERB, "paper")
        assert process.wait(60) == 0
        for path, text in (("", "tape.path is empty"), (tmp_path / "other", "is another tape")):
            process = start(settings | {"tape.path": path}, *VERB, "paper")
            _, stderr = process.communicate(timeout=60)
            assert process.returncode == 2
            assert text in stderr.splitlines()[-1]
        line = self.one_line(start, settings | {"execution.maker": 1.0})
        assert "execution.maker was 2.0 and is 1.0" in line

    def test_an_exchange_that_tells_no_lot(self, settings, start, tmp_path):
        grids = tmp_path / "grids.toml"
        grids.write_text(f'"{BINANCE}" = {{ tick = "zero", lot = 1 }}\n')
        assert "tick: 'zero' is not a number" in self.one_line(start, settings | {"execution.grid_file": grids})
        grids.write_text("tick = \n")
        assert "not a TOML file" in self.one_line(start, settings | {"execution.grid_file": grids})


def test_a_strategy_that_raises_ends_the_run(settings, start, tmp_path):
    (tmp_path / "broken.py").write_text(
        "class Broken:\n    columns = ()\n    def decide(self, view, orders):\n        raise KeyError('nothing')\n"
    )
    mine = {key: value for key, value in settings.items() if not key.startswith("strategy.")}
    process = start(mine | {"strategy.name": "broken:Broken"}, *VERB, "paper", PYTHONPATH=str(tmp_path))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "KeyError: 'nothing'" in stderr
    assert "Broken failed at the feature row of" in stderr


def test_nothing_but_market_data_is_asked_for(exchange, settings, start):
    """There is no key and no code path to send an order: every request of a run is a GET."""
    process = start({**settings, "duration": "3s"}, *VERB, "paper")
    assert process.wait(60) == 0
    asked = exchange.call(lambda simulator: list(simulator.requests))
    assert asked
    assert {method for method, _ in asked} == {"GET"}
    assert not any("order" in path or "account" in path for _, path in asked), json.dumps(asked)
