"""Starting and stopping: in a thread, by the verb, on a port that is taken; and the text of levels."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.text import level_texts
from simulator.thread import simulator_thread
from simulator.truth import Truth
from sources.errors import TickwaxError
from tests.markets import market
from tests.simulator.clients import ALL


def test_a_thread_of_its_own() -> None:
    with simulator_thread(market(ALL), time.time_ns) as simulator:
        address = simulator.addresses["venues.binance_futures.rest"]
        with urllib.request.urlopen(f"{address}/fapi/v1/depth?symbol=BTCUSDT&limit=5") as reply:
            assert b"lastUpdateId" in reply.read()
        active = simulator.fault("rest_status", venue="binance_futures")
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(f"{address}/fapi/v1/depth?symbol=BTCUSDT&limit=5")
        assert active.applied == 1
        assert simulator.call(lambda s: s.rest["binance_futures"].requests) == 2
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = market(ALL, port=port)
        with (
            pytest.raises(TickwaxError, match=f"{port}: Address already in use"),
            simulator_thread(config, time.time_ns),
        ):
            pass


@pytest.mark.parametrize(
    "fields",
    [
        {"instruments": ()},
        {"speed": -1.0},
        {"instruments": (ALL[0], ALL[0])},
        {"snapshot_levels": 0},
        {"port": 1 << 16},
    ],
)
def test_configurations_that_cannot_be(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        market(**{"instruments": ALL, **fields})  # type: ignore[arg-type]


def test_the_verb_prints_settings_and_ends_on_a_signal() -> None:
    command = ["tickwax", "simulate"]
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    with subprocess.Popen(
        [*command, "--port", "0", "--faults"], stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": path}
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(14)]
        text = "".join(lines)
        root = re.search(r"TICKWAX_VENUES__BYBIT_LINEAR__REST=(http://\S+)", text)
        assert root, text
        assert 'public_ws = "ws://' in text
        with urllib.request.urlopen(f"{root[1]}/control/status") as reply:
            assert reply.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


@given(
    st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**12)), max_size=20),
    st.integers(0, 8),
    st.integers(0, 8),
    st.booleans(),
)
def test_level_texts(levels: list[tuple[int, int]], price_digits: int, size_digits: int, bare_zero: bool) -> None:
    ticks, lots = (np.array([level[k] for level in levels], np.int64) for k in (0, 1))
    texts = level_texts(ticks, lots, price_digits, size_digits, bare_zero)

    def text(units: int, digits: int) -> str:
        return f"{Decimal(units).scaleb(-digits):.{digits}f}"

    assert [t.decode() for t in texts] == [
        f'["{text(tick, price_digits)}","{"0" if bare_zero and lot == 0 else text(lot, size_digits)}"]'
        for tick, lot in levels
    ]


def test_the_truth_forgets_the_oldest() -> None:
    truth = Truth(3)
    for n in range(1, 6):
        truth.add(n, n, 1, np.array([float(n)]), np.array([1.0]))
    assert set(truth.book(4).bids) == {1.0, 2.0, 3.0, 4.0}
    with pytest.raises(KeyError):
        truth.book(1)
    assert truth.id_at(3) == 3
    assert truth.id_at(0) == 2
