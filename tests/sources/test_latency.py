"""The distribution of receive less exchange time: right within its error, and the same however it is fed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.reports.summary import latency_lines
from sources.instrument import Instrument
from sources.latency import DENSE_ROWS, EVERY, MEDIAN_ERROR, Latencies, Latency
from sources.tape.batch import DELTA, RESET, TRADE, InstrumentBatch, TapeBatch, tape_batch

BTC = Instrument("binance_futures", "BTCUSDT")


def tape(differences: np.ndarray, begin: int = 0, last: np.ndarray | None = None) -> TapeBatch:
    n = len(differences)
    exchange_ts = np.full(n, 1_700_000_000_000_000_000)
    return tape_batch(
        ordinal=np.arange(begin, begin + n), exchange_ts=exchange_ts, receive_ts=exchange_ts + differences,
        sequence=np.zeros(n), kind=np.full(n, DELTA), side=np.ones(n), price=np.ones(n), size=np.ones(n),
        last=np.ones(n, bool) if last is None else last,
    )  # fmt: skip


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=200))
def test_range_is_exact_and_median_within_its_error(values: list[int]) -> None:
    latency = Latency()
    latency.add(np.array(values))
    spread = latency.spread()
    assert spread is not None
    assert (spread.lowest, spread.highest, spread.messages) == (min(values), max(values), len(values))
    median = sorted(values)[(len(values) - 1) // 2]
    assert abs(spread.median - median) <= abs(median) * MEDIAN_ERROR + 1


@given(st.lists(st.integers(-(2**40), 2**40), max_size=50), st.lists(st.integers(-(2**40), 2**40), max_size=50))
def test_parts_of_several_workers_add_up(left: list[int], right: list[int]) -> None:
    whole, a, b = Latency(), Latency(), Latency()
    whole.add(np.array(left + right, np.int64))
    a.add(np.array(left, np.int64))
    b.add(np.array(right, np.int64))
    a.merge(Latency.restored(b.state()))
    assert a.spread() == whole.spread()


def test_any_split_of_a_tape_gives_the_same() -> None:
    rng = np.random.default_rng(7)
    rows = DENSE_ROWS + 5000
    batch = tape(rng.integers(-(10**9), 10**9, rows), 1000, rng.random(rows) < 0.3)
    found = set()
    for size in (rows, 1, 63, 64, 65, 4097):
        latencies = Latencies()
        for at in range(0, rows, size):
            latencies.add_tape(InstrumentBatch(BTC, batch.slice(at, min(at + size, rows))))
        found.add(latencies[BTC.venue].spread())
    assert len(found) == 1
    counted = batch.last & ((np.arange(rows) < DENSE_ROWS) | (batch.ordinal % EVERY == 0))
    assert found.pop().messages == int(counted.sum())  # type: ignore[union-attr]


def test_ordinals_with_holes_and_resets() -> None:
    batch = tape(np.array([5, 6, 7, 8]))
    batch = batch._replace(
        ordinal=np.array([0, 1, DENSE_ROWS + 1, DENSE_ROWS + EVERY]),
        kind=np.array([TRADE, RESET, TRADE, DELTA], np.int8),
    )
    latency = Latency()
    latency.add_tape(batch, 0)
    assert latency.spread() == (5, 5, 8, 2)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (
            -1_270_000_000,
            "median −1.27 s, range −1.27 s to −1.27 s; no frame comes before it is sent: the local clock is",
        ),
        (12_300_000, "median 12.3 ms, range 12.3 ms to 12.3 ms"),
        (7_200_000_000_000, "median 7200 s, range 7200 s to 7200 s; the local clock is ahead of the exchange's"),
    ],
)
def test_the_line_says_what_cannot_be(ns: int, text: str) -> None:
    latencies = Latencies()
    latencies.add_tape(InstrumentBatch(BTC, tape(np.full(10, ns))))
    (line,) = latency_lines(latencies)
    assert line.startswith(f"latency (receive − exchange) of binance_futures: {text}")
    assert (";" in line) == (";" in text)
