"""A tap with rows, and a server on it; a simulated exchange, and processes that end with their test."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from operators.config import FeatureConfig
from operators.row_batch import RowBatch
from operators.schema import SINCE_RESTART, array_rows, column_row
from simulator.thread import SimulatorThread, simulator_thread
from sources.instrument import Instrument
from sources.tape.batch import RESET, TRADE, InstrumentBatch, tape_batch
from tests.dataflows.conftest import Start, processes
from tests.markets import market
from window.server import WindowServer
from window.tap import FEATURES, Tap

CONFIG = FeatureConfig()
NOW = 1_767_571_200_000_000_000
BTC = "binance_futures:BTCUSDT"
MS = 1_000_000

Rows = Callable[..., RowBatch]


def rows(first: int, count: int, *, restart: bool = False, mid: float = 100.0) -> RowBatch:
    """Feature rows number ``first`` and on, 100 ms apart, with books beside them."""
    integers, codes, values = array_rows(CONFIG)
    integer = np.zeros((integers, count), np.int64)
    integer[0] = integer[1] = NOW + (first + np.arange(count)) * 100 * MS
    integer[2] = 10 * (first + np.arange(count))
    integer[SINCE_RESTART] = np.arange(count) + (0 if restart else 1000)
    code = np.zeros((codes, count), np.int8)
    code[column_row(CONFIG, "warm")] = 127
    value = np.zeros((values, count))
    prices = {"bid_price": mid - 0.5, "ask_price": mid + 0.5, "mid": mid, "spread": 1.0}
    for name, at in prices.items():
        value[column_row(CONFIG, name)] = at
    levels = np.arange(20)[:, None]
    size = np.full((20, count), 2.0)
    book = np.concatenate([mid - 0.5 - levels + 0 * size, size, mid + 0.5 + levels + 0 * size, size])
    return RowBatch(integer, code, value, book)


def events(first: int, kinds: list[int]) -> InstrumentBatch:
    """Tape rows of an instrument from the time of the row ``first`` on."""
    n = len(kinds)
    side = [0 if kind == RESET else 1 for kind in kinds]
    size = [0.25 if kind == TRADE else 0.0 for kind in kinds]
    times = NOW + (first + np.arange(n)) * 100 * MS
    columns = {"ordinal": range(n), "sequence": [0] * n, "last": [True] * n, "price": [100.5] * n}
    batch = tape_batch(exchange_ts=times, receive_ts=times, kind=kinds, side=side, size=size, **columns)
    return InstrumentBatch(Instrument.parse(BTC), batch)


@pytest.fixture
def tap() -> Tap:
    made = Tap(CONFIG, lambda: NOW + 60_000 * MS, {"run": "1", "mode": "live", "speed": 1})
    made.put(FEATURES, BTC, rows(0, 50, restart=True))
    return made


@pytest.fixture
def server(tap: Tap) -> Iterator[WindowServer]:
    running = WindowServer(tap, "127.0.0.1", 0)
    yield running
    running.close()


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatorThread]:
    """One instrument in real time."""
    with simulator_thread(market(instruments=(Instrument.parse(BTC),)), time.time_ns) as running:
        yield running


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts commands."""
    with processes() as starter:
        yield starter
