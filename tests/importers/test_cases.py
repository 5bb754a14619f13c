"""Small captures that went wrong elsewhere, through the importer, with the right rows and counts of each."""

from functools import partial
from pathlib import Path

import pytest

from sources.importers import hftbacktest
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import KINDS, TapeBatch
from tests.importers.captures import BTC, check_invariants, kinds, rows_of, run

SPOT = Instrument("binance_spot", "BTCUSDT")
BYBIT = Instrument("bybit_linear", "BTCUSDT")
QUARTERLY = Instrument("binance_futures", "BTCUSDT_260327")

Row = tuple[str, int, int, float, float]  # kind, sequence, side, price, size
SNAPSHOT: list[Row] = [
    ("snapshot", 9, 1, 100, 1), ("snapshot", 9, 1, 99, 2), ("snapshot", 9, -1, 101, 1), ("snapshot", 9, -1, 102, 2),
]  # fmt: skip
FIRST: Row = ("delta", 9, 1, 100, 1)  # `u` is that of the snapshot: still applied
BID: Row = ("delta", 12, 1, 100, 3)
ASK: Row = ("delta", 15, -1, 101, 0)
PRINT: Row = ("trade", 7, 1, 101, 0.5)


def imported(path: Path, instrument: Instrument = BTC) -> tuple[list[Row], ImportStats, TapeBatch]:
    """The rows of an import, what it counted, and the columns."""
    stats = ImportStats()
    batch = rows_of(partial(hftbacktest.read, instrument=instrument), [path], stats)[instrument]
    check_invariants(batch)
    columns = (batch.sequence, batch.side, batch.price, batch.size)
    names = [KINDS[kind] for kind in batch.kind]
    return list(zip(names, *(column.tolist() for column in columns), strict=True)), stats, batch


@pytest.mark.parametrize(("name", "rows", "ignored"), [
    ("r01_control", [*SNAPSHOT, FIRST, BID, PRINT, ASK], {}),
    ("r01_rest_without_T", [*SNAPSHOT, FIRST, BID, PRINT, ASK], {}),
    ("r02_no_envelope", [*SNAPSHOT, FIRST, BID, PRINT, ASK], {}),
    ("r04_server_shutdown", [*SNAPSHOT, FIRST, BID, ASK], {"serverShutdown": 1}),
    ("r04_server_shutdown_event", [*SNAPSHOT, FIRST, BID, ASK], {"serverShutdown": 1}),
    ("r11_shutdown_combined", [*SNAPSHOT, FIRST, BID, ASK], {"serverShutdown": 1}),
    ("r05_two_members", [*SNAPSHOT, FIRST, BID, ASK], {}),
    ("r05_zero_padded", [*SNAPSHOT, FIRST, BID], {}),
])  # fmt: skip
def test_futures_captures(cases: Path, name: str, rows: list[Row], ignored: dict[str, int]) -> None:
    got, stats, batch = imported(cases / f"{name}.gz")
    assert got == rows
    assert stats.ignored == ignored
    of = stats.instruments[BTC]
    assert (of.snapshots, of.gaps, of.resets, of.bad, of.dropped) == (1, 0, 0, 0, 0)
    # A REST book that has no `T` was read when it was received.
    (snapshot_ts,) = set(batch.exchange_ts[batch.sequence == 9][:4].tolist())
    received = int(batch.receive_ts[0])
    assert snapshot_ts == (received if "without_T" in name else received - 1_000_000)


def test_a_book_of_a_market_that_has_not_begun_is_no_snapshot(cases: Path) -> None:
    got, stats, _ = imported(cases / "r03_new_listing.gz")
    snapshot = [("snapshot", 3, 1, 100, 1), ("snapshot", 3, 1, 99, 2), ("snapshot", 3, -1, 101, 1)]
    assert got[:3] == snapshot
    assert got[3] == ("delta", 3, 1, 99, 2)
    assert [row[0] for row in got[4:]] == ["delta"]
    assert stats.ignored == {"REST book of a market that has not begun": 1}
    of = stats.instruments[BTC]
    assert (of.snapshots, of.gaps, of.resets, of.bad, of.dropped) == (1, 0, 0, 0, 2)


def test_bybit_takes_the_deepest_topic_and_the_prints(cases: Path) -> None:
    got, stats, _ = imported(cases / "r06_bybit_collector.gz", BYBIT)
    assert got == [
        ("snapshot", 70, 1, 100, 1), ("snapshot", 70, 1, 99, 2), ("snapshot", 70, -1, 101, 1),
        ("snapshot", 70, -1, 102, 2), ("delta", 71, 1, 100, 3), ("trade", 1_700_000_000_030, 1, 101, 0.5),
    ]  # fmt: skip
    assert stats.ignored == {"orderbook.1 beside orderbook.50": 1}


def test_a_symbol_with_an_underscore(cases: Path) -> None:
    got, _, _ = imported(cases / "r07_quarterly.gz", QUARTERLY)
    assert got == [*SNAPSHOT, FIRST, BID]


def test_spot_times_in_microseconds(cases: Path) -> None:
    got, stats, batch = imported(cases / "r08_spot_microseconds.gz", SPOT)
    assert got == [*SNAPSHOT, BID, PRINT]
    assert batch.exchange_ts[-2:].tolist() == [1_700_000_000_100_123_000, 1_700_000_000_149_077_000]
    assert stats.instruments[SPOT].bad == 0


def test_partial_books_alone_are_snapshots(cases: Path) -> None:
    got, stats, batch = imported(cases / "r09_partial_books.gz")
    assert kinds(batch) == ["snapshot"] * 5
    assert [row[1] for row in got[::4]] == [9, 10, 11, 12, 13]
    assert [row[2:] for row in got[:4]] == [row[2:] for row in SNAPSHOT]
    of = stats.instruments[BTC]
    assert (of.frames, of.snapshots, of.resets, of.bad) == (5, 5, 0, 0)


def test_of_two_diff_streams_one_chain_is_kept(cases: Path) -> None:
    got, stats, batch = imported(cases / "r10_two_diff_streams.gz")
    assert stats.ignored == {"depth@100ms beside depth@0ms": 4}
    of = stats.instruments[BTC]
    assert (of.frames, of.snapshots, of.gaps, of.resets, of.bad) == (14, 1, 0, 0, 0)
    assert kinds(batch) == ["snapshot"] + ["delta"] * 13
    assert [row[1] for row in got[4:]] == sorted({row[1] for row in got[4:]})  # every update once


@pytest.mark.parametrize(("name", "venue", "hint"), [
    ("r08_spot_microseconds", "binance_futures", "binance_spot"),
    ("r01_control", "binance_spot", "binance_futures"),
    ("r06_bybit_collector", "binance_futures", "bybit_linear"),
    ("r01_control", "bybit_linear", "binance_futures"),
])  # fmt: skip
def test_frames_of_another_venue_are_refused_with_its_name(
    cases: Path, tmp_path: Path, name: str, venue: str, hint: str
) -> None:
    instrument = Instrument(venue, "BTCUSDT")
    with pytest.raises(Exception, match=f"--venue {hint}$"):
        run(tmp_path / "tape", [cases / f"{name}.gz"], partial(hftbacktest.read, instrument=instrument), instrument)
