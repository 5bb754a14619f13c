"""Archives and Tardis files that went wrong elsewhere, with the right rows and counts of each."""

import gzip
import zipfile
from functools import partial
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import bybit_archive, tardis, tardis_raw
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import KINDS, TapeBatch
from tests.importers.captures import BTC, START, check_invariants, kinds, rows_of, run

BYBIT = Instrument("bybit_linear", "BTCUSDT")
BEGIN = [("snapshot", 100, 1, 100, 1), ("snapshot", 100, 1, 99, 2), ("snapshot", 100, -1, 101, 1),
         ("snapshot", 100, -1, 102, 2)]  # fmt: skip
FIVE = [("delta", 100 + n, 1, 100, 1 + n) for n in range(1, 6)]


def imported(reader, *paths: Path, of: Instrument = BYBIT) -> tuple[list[tuple], ImportStats, TapeBatch]:
    """Rows, counts and columns of an import."""
    stats = ImportStats()
    batch = rows_of(reader, paths, stats)[of]
    check_invariants(batch)
    columns = (batch.sequence, batch.side, batch.price, batch.size)
    names = [KINDS[kind] for kind in batch.kind]
    return list(zip(names, *(column.tolist() for column in columns), strict=True)), stats, batch


@pytest.mark.parametrize(("name", "rows", "ignored"), [
    ("b02_missing_side.data.zip", [*BEGIN, ("delta", 101, 1, 100, 3), ("delta", 102, -1, 101, 0),
                                   ("delta", 103, 1, 99, 5)], {}),
    ("b02_null_side.data.zip", [*BEGIN, ("delta", 101, 1, 100, 3), ("delta", 102, 1, 99, 5)], {}),
    ("b03_macosx.data.zip", [*BEGIN, *FIVE], {"zip members without frames": 1}),
    ("b03_readme.data.zip", [*BEGIN, *FIVE], {"zip members without frames": 1}),
    ("b08_2024-12-01_BTCUSDT_ob500.data", [*BEGIN, *FIVE], {}),
    ("b09_blanks.data.zip", [*BEGIN, *FIVE], {}),
])  # fmt: skip
def test_bybit_archives(cases: Path, name: str, rows: list[tuple], ignored: dict[str, int]) -> None:
    got, stats, _ = imported(bybit_archive.read, cases / name)
    assert got == rows
    assert stats.ignored == ignored
    of = stats.instruments[BYBIT]
    assert (of.snapshots, of.gaps, of.resets, of.bad, of.dropped) == (1, 0, 0, 0, 0)


def test_consecutive_days_have_no_hole_between(cases: Path) -> None:
    got, stats, batch = imported(bybit_archive.read, *sorted(cases.glob("b01_*.zip")))
    assert kinds(batch) == ["snapshot", *["delta"] * 5, "snapshot", "snapshot", *["delta"] * 3]
    assert [row[1] for row in got][-3:] == [107, 108, 109]
    of = stats.instruments[BYBIT]
    assert (of.snapshots, of.gaps, of.resets, of.bad) == (3, 0, 0, 0)


def test_a_snapshot_with_a_smaller_number_replaces_the_book(cases: Path) -> None:
    got, stats, batch = imported(bybit_archive.read, cases / "b06_snapshot_smaller_u.data.zip")
    assert kinds(batch) == ["snapshot", *["delta"] * 5, "snapshot", "delta"]
    assert [row[1] for row in got[-5:]] == [7, 7, 7, 7, 8]
    assert stats.instruments[BYBIT].resets == 0


def test_an_archive_that_may_be_of_spot_wants_the_category(cases: Path, tmp_path: Path) -> None:
    path = cases / "b05_spot_ob200.data.zip"
    with pytest.raises(TickwaxError, match=r"archives of spot and of linear contracts; say --category linear$"):
        run(tmp_path, [path], bybit_archive.read)
    with pytest.raises(TickwaxError, match=r"^--category: 'spot' is not imported, only linear is$"):
        run(tmp_path, [path], partial(bybit_archive.read, category="spot"))
    with pytest.raises(TickwaxError, match=r"; the categories are linear, spot$"):
        run(tmp_path, [path], partial(bybit_archive.read, category="inverse"))
    assert len(imported(partial(bybit_archive.read, category="linear"), path)[0]) == 5


def test_frames_of_spot_are_refused_whatever_is_said(tmp_path: Path) -> None:
    """Spot frames have ``ts`` before ``type``."""
    path = tmp_path / "2024-12-01_BTCUSDT_ob200.data"
    path.write_text('{"topic":"orderbook.200.BTCUSDT","ts":1,"type":"snapshot","data":{"s":"BTCUSDT","b":[["1","1"]],'
                    '"a":[["2","1"]],"u":1,"seq":1},"cts":1}\n')  # fmt: skip
    for category in (None, "linear"):
        with pytest.raises(TickwaxError, match=r"frames of Bybit's spot market"):
            run(tmp_path / "tape", [path], partial(bybit_archive.read, category=category))


def zipped(path: Path, method: int, members: int = 2) -> tuple[Path, bytearray]:
    frames = [
        f'{{"topic":"orderbook.500.BTCUSDT","type":"{"delta" if n else "snapshot"}","ts":{START + n},'
        f'"data":{{"s":"BTCUSDT","b":[["100","{n * 7919 % 1000 + 1}"]],"a":[["101","1"]],"u":{100 + n},"seq":{n}}},'
        f'"cts":{START + n}}}\n'
        for n in range(4000)
    ]
    each = len(frames) // members
    with zipfile.ZipFile(path, "w", method) as archive:
        for n in range(members):
            archive.writestr(f"{n}.data", "".join(frames[n * each : (n + 1) * each]))
    return path, bytearray(path.read_bytes())


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_the_members_of_a_zip_before_an_altered_one_are_salvaged(tmp_path: Path, method: int) -> None:
    path, content = zipped(tmp_path / "x.data.zip", method)
    content[len(content) * 3 // 4] ^= 1
    path.write_bytes(content)
    with pytest.raises(TickwaxError, match=r"zip member '1.data': it.* --salvage takes what stands before it$"):
        run(tmp_path / "tape", [path], bybit_archive.read)
    stats = ImportStats()
    (batch,) = rows_of(partial(bybit_archive.read, salvage=True), [path], stats).values()
    check_invariants(batch)
    assert (kinds(batch)[-1], stats.instruments[BYBIT].frames, len(stats.salvaged)) == ("reset", 2000, 1)


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_zip_of_one_altered_member_is_a_line(tmp_path: Path, method: int, place: float, salvage: bool) -> None:
    path, content = zipped(tmp_path / "x.data.zip", method, 1)
    content[int(len(content) * place)] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(TickwaxError, match=r"zip member '0.data': it.* --salvage takes nothing of it"):
        run(tmp_path / "tape", [path], partial(bybit_archive.read, salvage=salvage))


def test_folders_of_a_zip_are_not_counted(tmp_path: Path) -> None:
    path, _ = zipped(tmp_path / "x.data.zip", zipfile.ZIP_DEFLATED, 1)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("folder/", "")
    stats = ImportStats()
    rows_of(bybit_archive.read, [path], stats)
    assert dict(stats.ignored) == {}


def test_a_zip_without_its_end_is_truncated(tmp_path: Path) -> None:
    path, content = zipped(tmp_path / "x.data.zip", zipfile.ZIP_DEFLATED)
    path.write_bytes(content[:-500])
    with pytest.raises(TickwaxError, match=r"x.data.zip: is truncated: the compressed data has no end; "):
        run(tmp_path / "tape", [path], bybit_archive.read)


def test_rows_of_snapshots_alone_are_books_without_resets(cases: Path) -> None:
    got, stats, batch = imported(tardis.read, cases / "t01_always_snapshot.csv.gz")
    assert set(kinds(batch)) == {"snapshot"}
    of = stats.instruments[BYBIT]
    assert (of.frames, of.snapshots, of.gaps, of.resets, batch.rows) == (1200, 1200, 0, 0, 4800)
    assert got[4:8] == [("snapshot", 2, 1, 101, 2), ("snapshot", 2, 1, 99, 2), ("snapshot", 2, -1, 106, 2),
                        ("snapshot", 2, -1, 107, 2)]  # fmt: skip


def test_a_snapshot_that_arrived_in_two_messages_is_one(cases: Path) -> None:
    got, stats, batch = imported(tardis.read, cases / "t02_snapshot_in_two_messages.csv.gz")
    assert kinds(batch) == ["snapshot", "delta", "delta"]
    assert [row[2:] for row in got[:4]] == [(1, 100, 1), (1, 99, 2), (-1, 101, 1), (-1, 102, 2)]
    assert set(batch.receive_ts[:4].tolist()) == {1_700_000_000_000_007_000}
    assert stats.instruments[BYBIT].resets == 0


@pytest.mark.parametrize(("name", "expected", "rows"), [
    ("t03_one_sided_snapshot", ["snapshot", "delta", "delta", "delta"], 5),
    ("t05_exponents_ok", ["snapshot", "delta"], 5),
    ("t06_two_members", ["snapshot", "delta", "delta", "delta"], 5),
    ("t07_zero_in_snapshot", ["snapshot", "delta"], 6),
    ("t08_trades", ["trade"] * 3, 3),
    ("t09_book_snapshot_5", ["snapshot"], 10),
])  # fmt: skip
def test_tardis_files(cases: Path, name: str, expected: list[str], rows: int) -> None:
    _, stats, batch = imported(tardis.read, cases / f"{name}.csv.gz")
    assert (kinds(batch), batch.rows) == (expected, rows)
    assert (stats.bad, stats.instruments[BYBIT].resets) == (0, 0)
    assert stats.ignored == ({"repeated headers": 1} if name == "t06_two_members" else {})


def test_decimals_with_exponents(cases: Path) -> None:
    got, _, _ = imported(tardis.read, cases / "t05_exponents_ok.csv.gz")
    assert [row[3:] for row in got] == [(1e-7, 5e-7), (9.9e-8, 1e12), (1.1e-7, 1e3), (1.5e-6, 123456789012), (1e-7, 0)]


def test_times_that_run_back_keep_the_order_of_arrival(cases: Path) -> None:
    got, stats, batch = imported(tardis.read, *sorted(cases.glob("t04_*.csv.gz")))
    assert stats.instruments[BYBIT].trades == 3
    assert [row[3:] for row in got if row[0] == "trade"] == [(101, 1), (100, 2), (101, 3)]
    assert [row[3:] for row in got if row[0] == "delta"] == [(100, 3), (99, 4), (101, 2)]
    assert (batch.rows, stats.bad) == (8, 0)
    times = (batch.exchange_ts[batch.kind == 1] // 1_000_000 - 1_700_000_000_000).tolist()
    assert times == [98, 58, 198]  # each its own
    assert stats.instruments[BYBIT].back == 2  # a print and a delta


def test_a_market_that_is_not_known_is_said_plainly(cases: Path, tmp_path: Path) -> None:
    with pytest.raises(TickwaxError, match=r"exchange bybit-spot: expected one of binance-futures, binance, bybit$"):
        run(tmp_path, [cases / "t10_bybit_spot.csv.gz"], tardis.read)


def test_a_raw_replay(cases: Path) -> None:
    reader = partial(tardis_raw.read, instrument=BTC)
    got, stats, batch = imported(reader, cases / "r12_tardis_raw.ndjson", of=BTC)
    assert got == [("snapshot", 9, 1, 100, 1), ("snapshot", 9, 1, 99, 2), ("snapshot", 9, -1, 101, 1),
                   ("snapshot", 9, -1, 102, 2), ("delta", 9, 1, 100, 1), ("delta", 12, 1, 100, 3)]  # fmt: skip
    assert sorted(set(batch.receive_ts.tolist())) == [1_700_000_000_000_000_000 + n * 50_000_000 for n in range(3)]
    assert (stats.bad, stats.instruments[BTC].resets) == (0, 0)


def test_a_raw_replay_with_a_line_without_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text("2023-13-14T22:13:20Z {}\n2023-11-14T22:13:20Z {}\n")
    with pytest.raises(TickwaxError, match=r"1 of 1 book frames|nothing to import"):
        run(tmp_path / "tape", [path], partial(tardis_raw.read, instrument=BTC), BTC)


LEVELS = [f"{side}[{n}].{what}" for n in range(2) for side in ("asks", "bids") for what in ("price", "amount")]


def test_books_of_known_depth_beside_their_prints(tmp_path: Path) -> None:
    """Levels that are empty leave no row; a book of another number of columns is bad and costs the book."""
    book, trades = tmp_path / "book.csv.gz", tmp_path / "trades.csv.gz"
    head = "exchange,symbol,timestamp,local_timestamp," + ",".join(LEVELS)
    lines = [f"bybit,BTCUSDT,{START}000,{START}001,101,1,100,2,102,3,99,4",
             f"bybit,BTCUSDT,{START + 1}000,{START + 1}001,101,5,100,6,,,,",
             f"bybit,BTCUSDT,{START + 3}000,{START + 3}001,101,5,100",
             f"bybit,BTCUSDT,{START + 4}000,{START + 4}001,101,7,100,8,102,1,99,1"]  # fmt: skip
    book.write_bytes(gzip.compress("\n".join([head, *lines, ""]).encode()))
    prints = ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
              f"bybit,BTCUSDT,{START + 2}000,{START + 2}001,x,buy,101,1", ""]  # fmt: skip
    trades.write_bytes(gzip.compress("\n".join(prints).encode()))
    got, stats, batch = imported(tardis.read, book, trades)
    # The torn row has the time of the row before.
    assert kinds(batch) == ["snapshot", "snapshot", "reset", "trade", "snapshot"]
    assert [row[2:] for row in got[:6]] == [
        (1, 100, 2),
        (1, 99, 4),
        (-1, 101, 1),
        (-1, 102, 3),
        (1, 100, 6),
        (-1, 101, 5),
    ]
    assert stats.bad == 1
