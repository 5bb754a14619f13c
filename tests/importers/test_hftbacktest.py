"""Raw Binance captures."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sources.errors import TickwaxError
from sources.importers import hftbacktest
from sources.importers.frames import Frames, Spans, parse_frames
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from tests.importers.captures import BTC, Capture, check_invariants, kinds, rows_of

read_btc = partial(hftbacktest.read, instrument=BTC)


def nothing_fast(text: bytes, spans: Spans, symbol: str, spot: bool) -> Frames:
    """The kernel, taking no frame at all."""
    return parse_frames(text, spans._replace(what=np.zeros_like(spans.what)), symbol, spot)


NEXO = Instrument("binance_spot", "NEXOUSDT")


@pytest.fixture
def capture() -> Capture:
    return Capture()


@pytest.mark.parametrize(("name", "rows", "trades", "tickers"), [
    ("btc", 466_575, 21_313, 66_089), ("eth", 444_487, 14_076, 53_992),
])  # fmt: skip
def test_futures_captures_have_no_gap(market_data: Path, name: str, rows: int, trades: int, tickers: int) -> None:
    stats = ImportStats()
    instrument = Instrument("binance_futures", f"{name.upper()}USDT")
    path = market_data / "binance_usdm" / f"{name}usdt_20240808.gz"
    batch = rows_of(partial(hftbacktest.read, instrument=instrument), [path], stats)[instrument]
    of = stats.instruments[instrument]
    assert (of.gaps, of.resets, of.bad, of.snapshots, of.trades) == (0, 0, 0, 1, trades)
    assert (batch.rows, of.rows, stats.ignored) == (rows, rows, {"bookTicker": tickers})
    check_invariants(batch)


def test_spot_chain_goes_on_across_files(market_data: Path) -> None:
    stats = ImportStats()
    paths = sorted((market_data / "binance_spot").glob("*.gz"))
    batch = rows_of(partial(hftbacktest.read, instrument=NEXO), paths, stats)[NEXO]
    of = stats.instruments[NEXO]
    assert (of.gaps, of.resets, of.bad, of.snapshots, of.dropped) == (0, 0, 0, 1, 0)
    assert (of.trades, batch.rows) == (12_458, 149_896)
    check_invariants(batch)


@pytest.mark.parametrize(("folder", "glob", "instrument"), [
    ("binance_spot", "nexousdt_20240723*", NEXO),
    ("binance_usdm", "btc*", BTC),
])  # fmt: skip
def test_kernel_and_decoder_agree(market_data: Path, folder: str, glob: str, instrument: Instrument) -> None:
    """The rows that the kernel makes are those of the decoder, bit for bit."""
    reader = partial(hftbacktest.read, instrument=instrument)
    paths = list((market_data / folder).glob(glob))
    fast = rows_of(reader, paths)[instrument]
    with mock.patch.object(hftbacktest, "parse_frames", nothing_fast):
        slow = rows_of(reader, paths)[instrument]
    for a, b in zip(fast, slow, strict=True):
        assert a.tobytes() == b.tobytes()


PIECES = st.sampled_from([b'"', b",", b":", b"{", b"}", b"[", b"]", b" ", b"0", b"-", b"e5", b".", b"\\u0041", b"null",
                          b'"T":1,', b'"b":[],', b"\n", b"\r", b"\xff", b"\x00", b"99999999999999999999"])  # fmt: skip


@example([(0.9453125, 0, b",")])  # a later diff names another symbol
@example([(0.59375, 0, b",")])
@example([(0.9609375, 3, b"0")])  # a diff that follows, up to an older number
@example([(0.578125, 0, b"0"), (0.578125, 0, b"0")])  # `T` of a futures diff becomes one of microseconds
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), PIECES), max_size=4))
def test_kernel_and_decoder_agree_on_damaged_captures(damage: list[tuple[float, int, bytes]]) -> None:
    """Wherever bytes are lost or put in, both read the same; or both refuse the file in the same words."""
    capture = Capture()
    capture.delta()
    capture.snapshot()
    capture.trade()
    capture.delta(b=[["99.5", "1"], ["99", "0.000"]], a=[])
    capture.trade(X="RPI", m=True)
    capture.delta(b=[])
    text = b"".join(line + b"\n" for line in capture.lines)
    for place, lost, put in damage:
        at = int(place * len(text))
        text = text[:at] + put + text[at + lost :]

    def outcome() -> list[bytes] | str:
        try:
            rows = rows_of(read_btc, [path]).values()
        except TickwaxError as e:
            return str(e)
        return [column.tobytes() for batch in rows for column in batch]

    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.dat"
        path.write_bytes(text)
        fast = outcome()
        with mock.patch.object(hftbacktest, "parse_frames", nothing_fast):
            assert outcome() == fast


def test_buffered_deltas_follow_the_snapshot(tmp_path: Path, capture: Capture) -> None:
    capture.delta()
    capture.trade()
    capture.snapshot()
    capture.delta()
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.gz")])[BTC]
    assert kinds(batch) == ["trade", "snapshot", "delta", "delta"]
    assert batch.receive_ts[-3] < batch.receive_ts[1]  # it keeps its own receive time
    check_invariants(batch)


def test_gap_is_a_reset(tmp_path: Path, capture: Capture) -> None:
    capture.snapshot()
    capture.delta()
    capture.final += 1
    capture.delta()
    capture.trade()
    capture.delta()
    capture.snapshot()
    stats = ImportStats()
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.gz")], stats)[BTC]
    assert kinds(batch) == ["snapshot", "delta", "reset", "trade", "snapshot", "delta"]
    of = stats.instruments[BTC]
    assert (of.gaps, of.resets, of.snapshots) == (1, 1, 2)
    check_invariants(batch)


CORRUPT = {
    "no time": b'{"stream":"btcusdt@depth@0ms","data":{}}',
    "no json": b"1700000000999000000 {{{",
    "torn name": b'1700000000999000000 {"stream":"btcusdt@dep',
    "torn depth": b'1700000000999000000 {"stream":"btcusdt@depth@0ms","data":{"e":"depthUpd',
    "binary": b"\x00\xff\xfe",
    "other digits": b'170000000099 {"stream":"btcusdt@depth@0ms","data":{}}',
}


@pytest.mark.parametrize("text", CORRUPT.values(), ids=CORRUPT.keys())
def test_corrupt_line_is_named_and_costs_the_book(tmp_path: Path, capture: Capture, text: bytes) -> None:
    capture.snapshot()
    capture.delta()
    capture.lines.append(text)
    capture.delta()
    capture.trade()
    stats = ImportStats()
    path = capture.write(tmp_path / "a.gz")
    batch = rows_of(read_btc, [path], stats)[BTC]
    assert kinds(batch) == ["snapshot", "delta", "reset", "trade"]
    assert (stats.bad, stats.frames, stats.instruments[BTC].bad) == (1, 5, 1)
    assert stats.excerpts[0].startswith(f"{path}:3: ")
    check_invariants(batch)


def test_torn_line_of_another_stream_costs_no_book(tmp_path: Path, capture: Capture) -> None:
    capture.snapshot()
    capture.ticker()
    capture.lines.append(b'1700000000999000000 {"stream":"btcusdt@bookTicker","data":{"e":')
    capture.delta()
    stats = ImportStats()
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.gz")], stats)[BTC]
    assert kinds(batch) == ["snapshot", "delta"]
    assert (stats.bad, stats.ignored) == (1, {"bookTicker": 1})


def test_bad_level_and_time_ahead_cost_the_book(tmp_path: Path, capture: Capture) -> None:
    for fields in ({"b": [["-1", "1"]]}, {"T": capture.ms + 100_000}):
        capture.snapshot()
        capture.delta()
        capture.delta(**fields)
    stats = ImportStats()
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.gz")], stats)[BTC]
    assert kinds(batch) == ["snapshot", "delta", "reset"] * 2
    assert stats.bad == 2


def test_microseconds_blanks_and_plain_text(tmp_path: Path, capture: Capture) -> None:
    capture.snapshot()
    capture.delta()
    text = b"\r\n".join(line.replace(b"000000 ", b"000 ", 1) for line in capture.lines).replace(b'":', b'": ')
    (tmp_path / "a.dat").write_bytes(text)
    batch = rows_of(read_btc, [tmp_path / "a.dat"])[BTC]
    assert kinds(batch) == ["snapshot", "delta"]
    assert batch.receive_ts[0] == 1_700_000_000_001_000_000


def test_long_and_scientific_numbers_take_the_slow_path(tmp_path: Path, capture: Capture) -> None:
    capture.snapshot()
    capture.delta(b=[["99.50000000000000000001", "1.9e-07"]], a=[])
    capture.delta(b=[], a=[])
    capture.delta()
    batch = rows_of(read_btc, [capture.write(tmp_path / "a.gz")])[BTC]
    assert kinds(batch) == ["snapshot", "delta", "delta"]  # a message without levels leaves no row
    assert (batch.price[3], batch.size[3]) == (99.5, 1.9e-07)
    check_invariants(batch)


def test_other_symbols_are_left_out(tmp_path: Path, capture: Capture) -> None:
    capture.snapshot()
    capture.trade("ETHUSDT")
    capture.delta()
    stats = ImportStats()
    assert list(rows_of(read_btc, [capture.write(tmp_path / "a.gz")], stats)) == [BTC]
    assert stats.ignored == {"other symbols": 1}


def test_missing_symbol_names_those_there(tmp_path: Path, capture: Capture) -> None:
    capture.snapshot()
    capture.delta()
    capture.trade("ETHUSDT")
    path = capture.write(tmp_path / "a.gz")
    reader = partial(hftbacktest.read, instrument=Instrument("binance_futures", "FOO"))
    with pytest.raises(TickwaxError, match=r"a\.gz: nothing to import for FOO; it holds BTCUSDT, ETHUSDT"):
        rows_of(reader, [path])


def test_unknown_venue(tmp_path: Path) -> None:
    with pytest.raises(TickwaxError, match="'kraken': expected one of binance_futures, binance_spot"):
        rows_of(partial(hftbacktest.read, instrument=Instrument("kraken", "X")), [tmp_path])
