"""Starts of a live run that do not succeed, as a user meets them."""

import signal
import time
from collections.abc import Iterator

import pytest

from simulator.thread import SimulatorThread, simulator_thread
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_replay import told
from tests.live.proxy import HOST, running
from tests.markets import market

MODULE = ("-m", "bytewax.run", "dataflows.live")
VERB = ("-c", "from dataflows.cli import main; main()", "live")
FOREVER = {"seconds": 600.0}

pytestmark = pytest.mark.slow


@pytest.fixture
def exchange() -> Iterator[SimulatorThread]:
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as running:
        yield running


@pytest.fixture
def settings(exchange, tmp_path) -> dict[str, object]:
    return {**exchange.addresses, "tape.path": tmp_path / "tape", "features.path": tmp_path / "features",
            "symbols": '["binance_futures:*","bybit_linear:*"]'}  # fmt: skip


@pytest.mark.parametrize("command", [MODULE, VERB, (*VERB, "--processes", "2")], ids=["module", "verb", "processes"])
def test_a_page_that_blocks_is_one_line(exchange, settings, start, command, tmp_path):
    exchange.fault("rest_status", status=403, page=True, **FOREVER)
    process = start(settings, *command)
    stdout, stderr = process.communicate(timeout=60)
    lines = [line for line in told(stderr) if line.startswith("tickwax: ")]
    assert (process.returncode, stdout) == (2, ""), stderr
    assert len(set(lines)) == 1
    assert "HTTP 403" in lines[0]
    assert "configured to block access from your country" in lines[0]
    assert "Traceback" not in stderr
    assert "<" not in stderr
    if "--processes" not in command:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [MODULE, VERB, (*VERB, "--processes", "2")], ids=["module", "verb", "processes"])
def test_a_signal_while_the_start_waits_is_a_stop_in_order(exchange, settings, start, command, number):
    exchange.fault("rest_status", status=503, **FOREVER)
    process = start(settings, *command)
    lines = []
    for line in process.stderr:  # one line tells that it waits, and for what
        lines.append(line)
        if "waiting" in line:
            break
    assert "HTTP 503" in lines[-1]
    process.send_signal(number)
    begin = time.monotonic()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0, "".join(lines) + stderr
    assert time.monotonic() - begin < 5.0
    assert "Traceback" not in stderr


@pytest.mark.soak
def test_the_environment_names_a_proxy_and_the_setting_wins(exchange, settings, start, tmp_path):
    secret = "hunter2"
    with running("me", secret) as proxy:
        far = {k: str(v).replace("127.0.0.1", HOST) for k, v in settings.items() if k.startswith("venues")}
        address = f"http://me:{secret}@127.0.0.1:{proxy.http}"
        around = {**settings, **far, "symbols": '["bybit_linear:BTCUSDT"]', "duration": "2s"}
        process = start(around, *VERB, HTTP_PROXY=address)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        assert secret not in stderr
        assert proxy.tunnels
        process = start({**around, "network.proxy": "direct"}, *VERB, http_proxy=address)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 2
        assert secret not in stdout + stderr
        process = start({**around, "network.proxy": address, "tape.path": tmp_path / "other"}, *VERB, NO_PROXY="*")
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        assert secret not in stderr


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "TICKWAX_NETWORK__PROXY"])
def test_a_proxy_that_is_none_is_one_line(settings, start, name):
    process = start(settings, *VERB, **{name: "ftp://me:hunter2@host"})
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    (line,) = told(stderr)
    assert line.startswith(f"tickwax: {'network.proxy' if name.startswith('TICKWAX') else name}: ")
    assert "hunter2" not in line
    assert "http://host:port" in line
