"""What is refused, and that the refusal tells its cause: how many, the first bad line, the field, what is wrong."""

import re
from functools import partial
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import hftbacktest, tardis
from sources.importers.stats import ImportStats
from tests.importers.captures import BTC, Capture, kinds, rows_of, run

read_btc = partial(hftbacktest.read, instrument=BTC)


@pytest.fixture
def capture() -> Capture:
    return Capture()


def refusal(tmp_path: Path, capture: Capture) -> str:
    with pytest.raises(TickwaxError) as caught:
        run(tmp_path / "tape", [capture.write(tmp_path / "a.gz")], read_btc, BTC)
    return str(caught.value)


def test_books_are_judged_apart_from_prints(tmp_path: Path, capture: Capture) -> None:
    for _ in range(14):
        capture.delta(U="x")
    for _ in range(26):
        capture.trade()
    text = refusal(tmp_path, capture)
    assert "14 of 14 book frames of binance_futures:BTCUSDT are bad, the first: " in text
    assert re.search(r"a\.gz:1: Expected `int`, got `str` - at `\$\.data\.U`", text)


def test_prints_are_judged_apart_from_books(tmp_path: Path, capture: Capture) -> None:
    capture.delta()
    capture.snapshot()
    for _ in range(30):
        capture.delta()
    for _ in range(3):
        capture.trade(p="dear")
    capture.trade()
    text = refusal(tmp_path, capture)
    assert "3 of 4 prints of binance_futures:BTCUSDT are bad, the first: " in text
    assert "a.gz:33: " in text
    assert "`$.data.p`" in text


def test_a_snapshot_that_is_there_and_bad_is_named(tmp_path: Path, capture: Capture) -> None:
    capture.delta()
    capture.line({"lastUpdateId": capture.final, "T": capture.ms, "bids": [["free", "1"]], "asks": []})
    for _ in range(5):
        capture.delta()
    text = refusal(tmp_path, capture)
    assert (
        "6 book messages of binance_futures:BTCUSDT and no snapshot that they join; bad: 1 book frames, the first: "
        in text
    )
    assert "a.gz:2: " in text
    assert "name all files" not in text


def test_a_snapshot_too_old_to_join_is_named(tmp_path: Path, capture: Capture) -> None:
    capture.snapshot()
    capture.lines.clear()
    capture.delta()
    capture.line({"lastUpdateId": 5, "T": capture.ms, "bids": [["99", "1"]], "asks": [["101", "1"]]})
    capture.delta()
    assert refusal(tmp_path, capture).endswith("no snapshot that they join; too old to join: 1 snapshots")


def test_without_any_snapshot_all_files_are_asked_for(tmp_path: Path, capture: Capture) -> None:
    capture.delta()
    capture.delta()
    assert refusal(tmp_path, capture).endswith("from the one with the snapshot on, in one command")


def test_frames_of_coin_m_are_no_usd_m(tmp_path: Path, capture: Capture) -> None:
    """Sizes of COIN-M are contracts."""
    capture.delta(st=2)
    capture.snapshot()
    capture.delta(st=2)
    assert "a frame of COIN-M futures (`st` 2)" in refusal(tmp_path, capture)
    marked = Capture()
    marked.delta(st=1)
    marked.snapshot()
    marked.delta(st=1)
    marked.trade(st=1)
    assert kinds(rows_of(read_btc, [marked.write(tmp_path / "b.gz")])[BTC]) == ["snapshot", "delta", "delta", "trade"]


def test_the_second_diff_stream_of_a_symbol_is_counted(tmp_path: Path, capture: Capture) -> None:
    """Two chains are numbered alike and cut otherwise: taken for one they break at every frame."""
    capture.delta()
    capture.snapshot()
    for _ in range(6):
        capture.delta()
        final = capture.final
        data = {"e": "depthUpdate", "E": capture.ms, "T": capture.ms, "s": "BTCUSDT", "U": final - 1, "u": final,
                "pu": final - 2, "b": [], "a": []}  # fmt: skip
        capture.line({"stream": "btcusdt@depth@500ms", "data": data})
        capture.line({"stream": "btcusdt@depth5@100ms", "data": data})
    stats = ImportStats()
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.gz")], stats)[BTC]
    assert stats.ignored == {"depth@500ms beside depth@0ms": 6, "depth5@100ms": 6}
    assert (stats.instruments[BTC].gaps, kinds(batch)) == (0, ["snapshot"] + ["delta"] * 7)


def test_of_partial_books_the_deepest_are_taken(tmp_path: Path, capture: Capture) -> None:
    for n in range(3):
        for depth in (5, 20, 10):
            data = {"e": "depthUpdate", "E": capture.ms, "T": capture.ms, "s": "BTCUSDT", "U": n, "u": 10 * depth + n,
                    "pu": n, "b": [["99", "1"]], "a": [["101", "1"]]}  # fmt: skip
            capture.line({"stream": f"btcusdt@depth{depth}@100ms", "data": data})
        capture.trade()
    stats = ImportStats()
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.gz")], stats)[BTC]
    assert kinds(batch) == ["snapshot", "trade"] * 3
    assert sorted(set(batch.sequence[batch.kind == batch.kind[0]].tolist())) == [200, 201, 202]
    assert stats.ignored == {"depth5@100ms": 3, "depth10@100ms": 3}


def test_a_capture_that_is_imported_is_still_no_file_of_another_kind(tmp_path: Path, capture: Capture) -> None:
    capture.delta()
    capture.snapshot()
    path = capture.write(tmp_path / "a.gz")
    run(tmp_path / "tape", [path], read_btc, BTC, kind="hftbacktest")
    assert run(tmp_path / "tape", [path], read_btc, BTC, kind="hftbacktest").skipped == [path]
    with pytest.raises(TickwaxError, match="expected exchange,symbol,timestamp"):
        run(tmp_path / "tape", [path], tardis.read, kind="tardis")
