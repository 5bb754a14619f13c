"""The events are those of hftbacktest's own converter, and its books are the tape's."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from dataflows.assembly.export_hftbacktest import export_hftbacktest
from operators.hft_events import DEPTH_EVENT, EVENT
from operators.known_levels import KnownLevels
from sinks.tape import TapeWriter
from sources.instrument import Instrument
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, concat, tape_batch
from sources.tape.reader import TapeReader
from tests.exports.conftest import CAPTURES, Run

# Validates an export, prints how many events it has, and converts captures: each compiles some seconds for it.
CONVERT = """
import sys
import numpy as np
import hftbacktest
from hftbacktest.data import validate_event_order
from hftbacktest.data.utils.binancefutures import convert
exported, *pairs = sys.argv[1:]
events = np.load(exported)["data"]
validate_event_order(events)
assert events.dtype == hftbacktest.types.event_dtype
print(len(events))
for capture, converted in zip(pairs[::2], pairs[1::2], strict=True):
    np.save(converted, convert(capture, buffer_size=1_000_000))
"""
# Prints, for each moment of local time, every level that hftbacktest's book of the trader has.
BOOKS = """
import sys
import hftbacktest
import numpy as np
file, tick, low, high, *moments = sys.argv[1:]
asset = (
    hftbacktest.BacktestAsset().data(file).linear_asset(1.0).constant_order_latency(0, 0).risk_adverse_queue_model()
    .no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0).tick_size(float(tick)).lot_size(0.001)
)
backtest = hftbacktest.HashMapMarketDepthBacktest([asset])
backtest.elapse(0)
for moment in map(int, moments):
    backtest.elapse(moment - backtest.current_timestamp)
    depth = backtest.depth(0)
    for side, size in ((1, depth.bid_qty_at_tick), (-1, depth.ask_qty_at_tick)):
        for t in range(int(low), int(high)):
            if size(t) > 0:
                print(moment, side, t, size(t))
"""

# By symbol: diffs that the tape has not, because they are older than the snapshot they came before, and their levels.
STALE = {"BTCUSDT": (4, 259), "ETHUSDT": (5, 251)}


def exported(tape: Path, symbol: str, out: Path, wait: bool = False) -> Path:
    reader = TapeReader(tape, Instrument("binance_futures", symbol))
    done = export_hftbacktest(
        [reader], out, overwrite=False, compress=False, wait=wait, progress=lambda instrument, rows: None
    )
    assert done.files == [out / f"binance_futures-{symbol}.npz"]
    return done.files[0]


def rows_of(tape: Path, symbol: str) -> TapeBatch:
    return concat(list(TapeReader(tape, Instrument("binance_futures", symbol)).batches()))


def shift_of(rows: TapeBatch) -> int:
    """What `correct_local_timestamp` adds."""
    return max(0, -int((rows.receive_ts - rows.exchange_ts).min()))


def stale_lines(lines: list[bytes]) -> set[int]:
    """Lines of diffs that end before the number of the capture's snapshot."""
    frames = [json.loads(line[20:]) for line in lines]
    (snapshot,) = (frame["lastUpdateId"] for frame in frames if "lastUpdateId" in frame)
    return {n for n, frame in enumerate(frames) if frame.get("data", {}).get("u", snapshot) < snapshot
            and frame["data"]["e"] == "depthUpdate"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("symbol", CAPTURES)
def test_events_are_those_of_the_converter(
    real_tape: Path, market_data: Path, tmp_path: Path, run_hftbacktest: Run, symbol: str
) -> None:
    """Event for event and bit for bit, but for the one rule of the page: stale diffs are not on the tape."""
    file = exported(real_tape, symbol, tmp_path / "out")
    ours = np.load(file)["data"]
    capture = market_data / "binance_usdm" / CAPTURES[symbol]
    lines = gzip.decompress(capture.read_bytes()).splitlines(keepends=True)
    stale = stale_lines(lines)
    diffs, levels = STALE[symbol]
    assert len(stale) == diffs

    # The capture without those lines: everything is equal.
    without = tmp_path / "without.gz"
    without.write_bytes(gzip.compress(b"".join(line for n, line in enumerate(lines) if n not in stale), 1))
    pairs = (without, tmp_path / "without.npy", capture, tmp_path / "all.npy")
    told = run_hftbacktest(CONVERT, str(file), *map(str, pairs))
    assert len(ours) == int(next(line for line in told.splitlines() if line.isdigit()))
    theirs = np.load(tmp_path / "without.npy")
    assert ours.dtype == theirs.dtype == EVENT
    assert ours.tobytes() == theirs.tobytes()

    # The capture as it is: theirs has the levels of those diffs in addition, and nothing else differs.
    everything = np.load(tmp_path / "all.npy")
    shift = shift_of(rows_of(real_tape, symbol))
    arrived = np.array([int(lines[n][:19]) + shift for n in stale])
    extra = np.isin(everything["local_ts"], arrived) & (everything["ev"] & 0xFF == DEPTH_EVENT)
    assert int(extra.sum()) == levels
    assert everything[~extra].tobytes() == ours.tobytes()


def levels_at(rows: TapeBatch, local_ts: np.ndarray, moment: int, tick: float) -> set[tuple[int, int, float]]:
    """What the rows that were known at a moment leave in the book: side, tick, size."""
    known = KnownLevels()
    known.apply(TapeBatch._make(column[local_ts <= moment] for column in rows))
    book = known.snapshot(0, 0, 0)
    ticks = np.rint(book.price / tick).astype(int)
    return set(zip(book.side.tolist(), ticks.tolist(), book.size.tolist(), strict=True))


def books_of(run: Run, file: Path, tick: float, low: int, high: int, moments: list[int]) -> dict[int, set]:
    found: dict[int, set[tuple[int, int, float]]] = {moment: set() for moment in moments}
    for line in run(BOOKS, str(file), str(tick), str(low), str(high), *map(str, moments)).splitlines():
        moment, side, at, size = line.split()
        found[int(moment)].add((int(side), int(at), float(size)))
    return found


@pytest.mark.slow
def test_the_local_book_is_the_tapes(real_tape: Path, tmp_path: Path, run_hftbacktest: Run) -> None:
    """Where waiting diffs are known with their snapshot; at their own arrival the snapshot undoes them."""
    rows = rows_of(real_tape, "BTCUSDT")
    known_at = np.maximum.accumulate(rows.receive_ts) + shift_of(rows)  # waiting diffs: with the snapshot
    snapshot = int(known_at[rows.kind == 0].max())
    moments = [snapshot, snapshot + 1_000_000_000, int(known_at[-1])]
    low, high = 590_000, 640_000  # ticks: a part of the levels, for each is asked of
    expected = {}
    for moment in moments:
        levels = levels_at(rows, known_at, moment, 0.1)
        expected[moment] = {level for level in levels if low <= level[1] < high}
        assert len(expected[moment]) > 1000
    files = {wait: exported(real_tape, "BTCUSDT", tmp_path / str(wait), wait) for wait in (True, False)}
    found = {wait: books_of(run_hftbacktest, file, 0.1, low, high, moments) for wait, file in files.items()}
    assert found[True] == expected
    assert found[False][snapshot] != expected[snapshot]


@pytest.mark.slow
def test_a_lost_and_a_replaced_book_are_so_in_hftbacktest(tmp_path: Path, run_hftbacktest: Run) -> None:
    """A clear of neither side empties the whole book, levels beyond the next snapshot's reach included."""
    start, second = 1_700_000_000_000_000_000, 1_000_000_000
    messages = [
        (SNAPSHOT, [(1, 90.0), (1, 100.0), (-1, 101.0), (-1, 120.0)]),
        (DELTA, [(1, 95.0)]),
        (RESET, [(0, 0.0)]),
        (TRADE, [(1, 101.0)]),
        (SNAPSHOT, [(1, 100.0), (-1, 102.0)]),  # as narrow as that: 90 and 120 would stay
        (DELTA, [(1, 80.0), (-1, 130.0)]),
        (SNAPSHOT, [(1, 99.0), (-1, 103.0)]),  # over a known book
        (DELTA, [(-1, 104.0)]),
    ]
    rows = [(n, kind, side, price, level == len(levels) - 1) for n, (kind, levels) in enumerate(messages)
            for level, (side, price) in enumerate(levels)]  # fmt: skip
    n, kind, side, price, last = zip(*rows, strict=True)
    ts = start + second * np.array(n)
    batch = tape_batch(ordinal=range(len(rows)), exchange_ts=ts, receive_ts=ts + 5, sequence=n, kind=kind, side=side,
                       price=price, size=[float(k != RESET) for k in kind], last=last)  # fmt: skip
    with TapeWriter(tmp_path / "tape", "t") as writer:
        writer.write(Instrument("binance_futures", "BTCUSDT"), batch)
    file = exported(tmp_path / "tape", "BTCUSDT", tmp_path / "out")
    moments = [int(start + second * n + second // 2) for n in range(len(messages))]
    found = books_of(run_hftbacktest, file, 1.0, 50, 150, moments)
    assert found == {moment: levels_at(batch, batch.receive_ts, moment, 1.0) for moment in moments}
    assert [len(found[moment]) for moment in moments] == [4, 5, 0, 0, 2, 4, 2, 3]
