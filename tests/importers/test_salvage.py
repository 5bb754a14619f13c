"""Damaged captures: refused with how much of them is intact, or taken as far as that, with a reset where it ends."""

import gzip
import zlib
from functools import partial
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import cryptofeed, hftbacktest, tardis
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import KINDS
from sources.venues.registry import venue
from tests.importers.captures import BTC, START, Capture, check_invariants, kinds, rows_of, run

read_btc = partial(hftbacktest.read, instrument=BTC)


def text(deltas: int = 4000) -> bytes:
    capture = Capture()
    capture.delta()
    capture.snapshot()
    for _ in range(deltas):
        capture.delta()
        capture.trade()
    return b"".join(line + b"\n" for line in capture.lines)


def truncated(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


def old_bytes_behind(packed: bytes) -> bytes:
    """As of a collector that was restarted within the day and wrote over the file of before."""
    return packed + gzip.compress(text(900))[300:]


def damaged_second_member(packed: bytes) -> bytes:
    return packed + packed[:200]


DAMAGES = [truncated, old_bytes_behind, damaged_second_member]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_capture_is_refused_with_how_much_can_be_read(tmp_path: Path, damage) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(text())))
    with pytest.raises(TickwaxError) as caught:
        run(tmp_path / "tape", [path], read_btc, BTC)
    message = str(caught.value)
    assert message.startswith(f"{path}: is ")
    proved = "are intact" if damage is old_bytes_behind else "can be read, though no checksum proves the last of them"
    assert f"frames before that {proved}; the last is of 2023-11-14 22:13:2" in message
    assert message.endswith("--salvage takes them")
    assert not list((tmp_path / "tape").rglob("*.parquet"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_salvaged_the_intact_part_is_there_and_a_reset_behind_it(tmp_path: Path, damage) -> None:
    whole = tmp_path / "whole.gz"
    whole.write_bytes(gzip.compress(text()))
    path = tmp_path / "a.gz"
    path.write_bytes(damage(whole.read_bytes()))
    stats = ImportStats()
    batch = rows_of(partial(read_btc, salvage=True), [path], stats)[BTC]
    full = rows_of(read_btc, [whole])[BTC]
    check_invariants(batch)
    assert kinds(batch)[-1] == "reset"
    taken = batch.rows - 1
    assert taken > 100 if damage is truncated else taken > full.rows * 0.9
    for column, other in zip(batch, full, strict=True):
        assert column[:taken].tolist() == other[:taken].tolist()
    assert len(stats.salvaged) == 1
    assert str(path) in str(stats.salvaged[0])


def wrong_sum(content: bytes) -> bytes:
    packed = gzip.compress(content)
    return packed[:-6] + bytes([packed[-6] ^ 0x40]) + packed[-5:]


def wrong_digit(content: bytes) -> bytes:
    """In a member that is stored as it is, any byte can change without a word but for the checksum's."""
    packed = gzip.compress(content, 0)
    at = packed.rindex(b'"100.0"') + 1
    return packed[:at] + b"9" + packed[at + 1 :]


def no_deflate(content: bytes) -> bytes:
    packed = gzip.compress(content)
    half = len(packed) // 2
    return packed[:half] + b"\xff" * 16 + packed[half + 16 :]


ALTERED = [wrong_sum, wrong_digit, no_deflate]


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize("alter", ALTERED)
def test_of_an_altered_member_nothing_is_proved_and_nothing_taken(tmp_path: Path, alter, salvage: bool) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(alter(text()))
    with pytest.raises(TickwaxError) as caught:
        run(tmp_path / "tape", [path], partial(read_btc, salvage=salvage), BTC)
    message = str(caught.value)
    assert message.startswith(f"{path}: is damaged: gzip member 1: it")
    assert "so nothing of that member is proved; --salvage takes nothing of it" in message
    assert not list((tmp_path / "tape").rglob("*.parquet"))


@pytest.mark.parametrize("alter", ALTERED)
def test_the_members_before_an_altered_one_are_salvaged(tmp_path: Path, alter) -> None:
    lines = text().splitlines(keepends=True)
    whole = tmp_path / "whole.gz"
    whole.write_bytes(gzip.compress(b"".join(lines[:3000])))
    path = tmp_path / "a.gz"
    path.write_bytes(whole.read_bytes() + alter(b"".join(lines[3000:])) + gzip.compress(b"\n"))
    with pytest.raises(
        TickwaxError, match=r"gzip member 2: .* is proved; --salvage takes what stands before and behind it$"
    ):
        run(tmp_path / "tape", [path], read_btc, BTC)
    batch = rows_of(partial(read_btc, salvage=True), [path])[BTC]
    proved = rows_of(read_btc, [whole])[BTC]
    assert kinds(batch) == [*kinds(proved), "reset"]
    for column, other in zip(batch, proved, strict=True):
        assert column[:-1].tolist() == other.tolist()


@pytest.mark.parametrize("length", [1, 10, 60])
def test_a_capture_of_which_nothing_can_be_read_is_truncated_also_when_salvaged(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(text(), mtime=0)[:length])
    for salvage in (False, True):
        with pytest.raises(TickwaxError, match=r"is truncated: .*; no whole line stands before that$"):
            run(tmp_path / "tape", [path], partial(read_btc, salvage=salvage), BTC)


def test_a_garbled_line_from_before_puts_no_reset_there(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot()
    for _ in range(5):
        capture.delta()
    capture.lines.append(capture.lines[2][:-20] + b"}}")
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.txt")])[BTC]
    assert kinds(batch) == ["snapshot", *["delta"] * 5, "reset"]
    assert batch.receive_ts[-1] == batch.receive_ts[-2] == capture.ms * 1_000_000


def test_the_next_file_begins_anew_behind_a_salvaged_one(tmp_path: Path) -> None:
    capture = Capture()
    capture.delta()
    capture.snapshot()
    for _ in range(50):
        capture.delta()
    first = gzip.compress(b"".join(line + b"\n" for line in capture.lines))
    capture.lines.clear()
    capture.delta()  # continues the chain, yet is not behind the hole
    capture.snapshot()
    capture.delta()
    (tmp_path / "a.gz").write_bytes(first[:-30])
    second = capture.write(tmp_path / "b.gz")
    batch = rows_of(partial(read_btc, salvage=True), [tmp_path / "a.gz", second])[BTC]
    check_invariants(batch)
    names = kinds(batch)
    assert names.count("reset") == 1
    assert names[names.index("reset") :] == ["reset", "snapshot", "delta", "delta"]


def test_zeros_behind_a_capture_are_padding(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(text()) + bytes(70_000))
    whole = tmp_path / "b.gz"
    whole.write_bytes(gzip.compress(text()))
    for a, b in zip(rows_of(read_btc, [path])[BTC], rows_of(read_btc, [whole])[BTC], strict=True):
        assert a.tolist() == b.tolist()


def test_a_bomb_is_unpacked_in_bounded_memory(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    path = tmp_path / "a.gz"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())
    with pytest.raises(TickwaxError, match="no line end in 64 MiB"):
        run(tmp_path / "tape", [path], read_btc, BTC)


def test_tardis_files(tmp_path: Path) -> None:
    head = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
    rows = [f"binance-futures,BTCUSDT,{START}000,{START}000,true,{side},{price},1\n" for side, price in
            (("bid", 99), ("ask", 101))]  # fmt: skip
    rows += [
        f"binance-futures,BTCUSDT,{START + n}000,{START + n}001,false,bid,{90 + n % 9},{n * 7919 % 1000}\n"
        for n in range(3000)
    ]
    packed = gzip.compress((head + "".join(rows)).encode())
    path = tmp_path / "book.csv.gz"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.raises(TickwaxError, match=r"is truncated: .*--salvage takes them$"):
        run(tmp_path / "tape", [path], tardis.read)
    stats = ImportStats()
    (batch,) = rows_of(partial(tardis.read, salvage=True), [path], stats).values()
    assert kinds(batch)[-1] == "reset"
    assert batch.rows > 1000
    assert len(stats.salvaged) == 1


def test_cryptofeed_files(tmp_path: Path) -> None:
    capture = Capture()
    capture.delta()
    for _ in range(400):
        capture.delta()
        capture.trade()
    lines = [b"%s.%s: %s" % (line[:10], line[10:16], line.split(b" ", 1)[1]) for line in capture.lines]
    sent = b'wss://fstream.binance.com/stream <- 1700000000.1: {"method":"SUBSCRIBE"}'
    packed = gzip.compress(b"\n".join([b"wss://x <-> 1699999999.5", sent, *lines]) + b"\n")
    path = tmp_path / "x.ws.0"
    path.write_bytes(packed[: len(packed) // 2])
    read = partial(cryptofeed.read, venue=venue("binance_futures"))
    with pytest.raises(TickwaxError, match=r"is truncated: .*--salvage takes them$"):
        run(tmp_path / "tape", [path], read)
    stats = ImportStats()
    (batch,) = rows_of(partial(read, salvage=True), [path], stats).values()
    assert set(kinds(batch)) == {"trade"}  # no snapshot, so no book to lose
    assert stats.ignored["control lines"] == 2
    assert len(stats.salvaged) == 1


def test_control_lines_cost_no_book(tmp_path: Path) -> None:
    """What the client sent, and connections, stand among the frames of a cryptofeed capture."""
    capture = Capture()
    capture.delta()
    capture.delta()
    capture.delta()
    lines = [b"%s.%s: %s" % (line[:10], line[10:16], line.split(b" ", 1)[1]) for line in capture.lines]
    lines.insert(2, b'<- 1700000000.003: {"method":"LIST_SUBSCRIPTIONS","id":3}')
    lines.insert(2, b"wss://fstream.binance.com/stream <-> 1700000000.003")
    rest = (
        b'https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT -> 1700000000.0015: {"lastUpdateId":103,"T":%d,' % START
    )
    rest += b'"bids":[["99.5","1"]],"asks":[["100.5","1"]]}\n'
    (tmp_path / "a.ws").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "a.http").write_bytes(rest)
    stats = ImportStats()
    read = partial(cryptofeed.read, venue=venue("binance_futures"))
    batch = rows_of(read, [tmp_path / "a.ws", tmp_path / "a.http"], stats)[Instrument("binance_futures", "BTCUSDT")]
    assert [KINDS[k] for k in batch.kind[batch.last]] == ["snapshot", "delta", "delta", "delta"]
    assert (stats.bad, stats.ignored["control lines"]) == (0, 2)
