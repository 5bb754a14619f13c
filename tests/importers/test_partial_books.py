"""Books of 5, 10 or 20 levels, each message all that is known: what of the features is true of the whole book."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflows.assembly.importing import Reader
from operators.config import MS, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import concat_rows
from sources.importers import cryptofeed, hftbacktest, tardis, tardis_raw
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import SNAPSHOT, InstrumentBatch, tape_batch
from sources.tape.builder import TapeTail
from sources.tape.reader import TapeReader
from sources.venues.registry import venue
from tests.importers.captures import START, kinds, run
from tests.operators.columns import agree, by_name
from tests.oracle import features as oracle

BTC, SPOT = Instrument("binance_futures", "BTCUSDT"), Instrument("binance_spot", "BTCUSDT")
CONFIG = FeatureConfig(sampling_ns=0, windows=(("1s", 1000 * MS),), depths=(1, 3, 5, 8, 10, 20), zscore_window=3,
                       price_d=1.0, volume_d=1.0, fdi_window=3, volatility_window=2)  # fmt: skip
Book = tuple[dict[int, int], dict[int, int]]  # sizes by price, bids and asks


@st.composite
def markets(draw: st.DrawFn) -> list[Book]:
    """The whole book at some times, of which prices move and levels come and go; now and then it is thin."""
    seed = draw(st.integers(0, 10**6))
    deep = draw(st.sampled_from([30, 30, 12, 4]))
    rng = np.random.default_rng(seed)
    books: list[Book] = []
    mid = 1000
    for _ in range(draw(st.integers(2, 12))):
        mid += int(rng.integers(-2, 3))
        sides = []
        for sign in (-1, 1):
            offsets = 1 + rng.choice(2 * deep, size=int(rng.integers(1, deep + 1)), replace=False)
            sides.append({mid + sign * int(offset): int(rng.integers(1, 9)) for offset in offsets})
        books.append((sides[0], sides[1]))
    return books


def best(book: Book, levels: int) -> list[list[tuple[int, int]]]:
    bids, asks = book
    return [sorted(bids.items(), reverse=True)[:levels], sorted(asks.items())[:levels]]


def texts(book: Book, levels: int) -> list[list[list[str]]]:
    return [[[str(price), str(size)] for price, size in side] for side in best(book, levels)]


def event(n: int, book: Book, levels: int) -> dict[str, object]:
    bids, asks = texts(book, levels)
    ms = START + n
    return {"e": "depthUpdate", "E": ms, "T": ms, "s": "BTCUSDT", "U": n, "u": n, "pu": n - 1, "b": bids, "a": asks}


def spot_book(n: int, book: Book, levels: int) -> dict[str, object]:
    bids, asks = texts(book, levels)
    return {"lastUpdateId": n + 1, "bids": bids, "asks": asks}


def framed(data: Callable[[int, Book, int], dict[str, object]], books: Sequence[Book], levels: int) -> Iterator[str]:
    for n, book in enumerate(books):
        yield json.dumps(
            {"stream": f"btcusdt@depth{levels}@100ms", "data": data(n, book, levels)}, separators=(",", ":")
        )


def capture(folder: Path, books: Sequence[Book], levels: int) -> Path:
    lines = [f"{START + n}000001 {frame}\n" for n, frame in enumerate(framed(event, books, levels))]
    (folder / "a.gz").write_bytes(gzip.compress("".join(lines).encode()))
    return folder / "a.gz"


def spot_capture(folder: Path, books: Sequence[Book], levels: int) -> Path:
    lines = [f"{START + n}000001 {frame}\n" for n, frame in enumerate(framed(spot_book, books, levels))]
    (folder / "a.txt").write_text("".join(lines))
    return folder / "a.txt"


def nameless_capture(folder: Path, books: Sequence[Book], levels: int) -> Path:
    """Of a stream of spot by itself, whose frames do not name it."""
    lines = [f"{START + n}000001 {json.dumps(spot_book(n, book, levels), separators=(',', ':'))}\n"
             for n, book in enumerate(books)]  # fmt: skip
    (folder / "a.txt").write_text("".join(lines))
    return folder / "a.txt"


def cryptofeed_capture(folder: Path, books: Sequence[Book], levels: int) -> Path:
    lines = [f"{START // 1000}.{START % 1000 + n:03d}: {f}\n" for n, f in enumerate(framed(event, books, levels))]
    (folder / "a.ws").write_text("wss://x <-> 1699999999.5\n" + "".join(lines))
    return folder / "a.ws"


def raw_replay(folder: Path, books: Sequence[Book], levels: int) -> Path:
    lines = [f"2023-11-14T22:13:20.{n:03d}1Z {frame}\n" for n, frame in enumerate(framed(event, books, levels))]
    (folder / "a.gz").write_bytes(gzip.compress("".join(lines).encode()))
    return folder / "a.gz"


def tardis_csv(folder: Path, books: Sequence[Book], levels: int) -> Path:
    names = [f"{side}[{m}].{what}" for m in range(levels) for side in ("asks", "bids") for what in ("price", "amount")]
    rows = [",".join(["exchange", "symbol", "timestamp", "local_timestamp", *names])]
    for n, book in enumerate(books):
        bids, asks = texts(book, levels)
        cells = [
            cell for m in range(levels) for side in (asks, bids) for cell in (side[m] if m < len(side) else ("", ""))
        ]
        rows.append(",".join(["binance-futures", "BTCUSDT", f"{START + n}000", f"{START + n}001", *cells]))
    (folder / "a.csv").write_text("\n".join(rows) + "\n")
    return folder / "a.csv"


KINDS_OF_FILE: dict[str, tuple[Callable[[Path, Sequence[Book], int], Path], Reader, Instrument]] = {
    "hftbacktest": (capture, partial(hftbacktest.read, instrument=BTC), BTC),
    "hftbacktest, spot": (spot_capture, partial(hftbacktest.read, instrument=SPOT), SPOT),
    "hftbacktest, spot, nameless": (nameless_capture, partial(hftbacktest.read, instrument=SPOT), SPOT),
    "cryptofeed": (cryptofeed_capture, partial(cryptofeed.read, venue=venue("binance_futures")), BTC),
    "tardis-raw": (raw_replay, partial(tardis_raw.read, instrument=BTC), BTC),
    "tardis": (tardis_csv, tardis.read, BTC),
}


def replayed(tape: Path, instrument: Instrument) -> dict[str, list[object]]:
    engine = FeatureEngine(CONFIG)
    rows = [engine.process(batch, cut) for batch, cut in TapeReader(tape, instrument).cut_batches()]
    return by_name(concat_rows([part for part in rows if part is not None]), CONFIG)


def whole_books(books: Sequence[Book], levels: int = 1000) -> dict[str, list[object]]:
    """The oracle's features of the books cut to so many levels, as a market that tells all of it."""
    rows = [
        (n, side, price, size, last)
        for n, book in enumerate(books)
        for side, price, size, last in level_rows(best(book, levels))
    ]
    n, side, price, size, last = (list(column) for column in zip(*rows, strict=True))
    times = [(START + of) * 1_000_000 for of in n]
    batch = tape_batch(ordinal=range(len(rows)), exchange_ts=times, receive_ts=times, sequence=n,
                       kind=[SNAPSHOT] * len(rows), side=side, price=price, size=size, last=last)  # fmt: skip
    return oracle.features(batch, CONFIG, cut_levels=levels)


def level_rows(sides: list[list[tuple[int, int]]]) -> list[tuple[int, int, int, bool]]:
    flat = [(sign, price, size) for sign, side in zip((1, -1), sides, strict=True) for price, size in side]
    return [(*row, n == len(flat) - 1) for n, row in enumerate(flat)]


def ofi(depth: int) -> str:
    return "ofi_l0" if depth == 1 else f"ofi_l{depth}"


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
@pytest.mark.parametrize("levels", [5, 10, 20])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(books=markets())
def test_of_partial_books_what_is_known_is_that_of_the_whole_book(
    tmp_path_factory: pytest.TempPathFactory, kind: str, levels: int, books: list[Book]
) -> None:
    """Up to the cut, flows and imbalances are those of the whole book; beyond it a sum is that up to the cut."""
    folder = tmp_path_factory.mktemp("partial")
    write, read, instrument = KINDS_OF_FILE[kind]
    run(folder / "tape", [write(folder, books, levels)], read, kind=kind)
    got = replayed(folder / "tape", instrument)
    if "nameless" in kind:  # only the deepest book tells
        deepest = max(len(side) for book in books for side in best(book, levels))
        levels = next(depth for depth in (5, 10, 20) if deepest <= depth)
    cut, full = whole_books(books, levels), whole_books(books)
    same = [name for name in got if name not in ("ts", "receive_ts", "ordinal", "warm")]
    agree({name: got[name] for name in same}, {name: cut[name] for name in same})
    for depth in CONFIG.depths:
        assert got[ofi(depth)] == (full if depth <= levels else cut)[ofi(min(depth, levels))]
    told = [bool(int(str(w)) & 64) for w in got["warm"]]
    assert told == [levels == 20 or all(len(side) < levels for side in best(book, levels)) for book in books]


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_the_file_on_the_tape_says_to_how_many_levels_its_books_are_cut(tmp_path: Path, kind: str) -> None:
    books: list[Book] = [({100 - n: 1 for n in range(30)}, {101 + n: 1 for n in range(30)})] * 3
    write, read, instrument = KINDS_OF_FILE[kind]
    run(tmp_path / "tape", [write(tmp_path, books, 10)], read, kind=kind)
    batches = list(TapeReader(tmp_path / "tape", instrument).cut_batches())
    assert [cut for _, cut in batches] == [10]
    assert kinds(batches[0][0]) == ["snapshot"] * 3


def test_books_that_are_not_cut_follow_on_the_same_tape(tmp_path: Path) -> None:
    """Each file of a tape speaks for its own rows."""
    books: list[Book] = [({100 - n: 1 for n in range(30)}, {101 + n: 1 for n in range(30)})] * 3
    run(tmp_path / "tape", [capture(tmp_path, books, 5)], partial(hftbacktest.read, instrument=BTC), kind="hftbacktest")
    bids, asks = texts(books[0], 30)
    later = START + 10_000
    rest = {"lastUpdateId": 50, "E": later, "T": later, "bids": bids, "asks": asks}
    diff = event(51, ({70: 1}, {131: 1}), 1) | {"E": later, "T": later, "U": 51, "u": 52, "pu": 50}
    lines = [{"stream": "btcusdt@depth@0ms", "data": diff}, rest]
    text = "".join(f"{later + n}000000 {json.dumps(line, separators=(',', ':'))}\n" for n, line in enumerate(lines))
    (tmp_path / "b.txt").write_text(text)
    run(tmp_path / "tape", [tmp_path / "b.txt"], partial(hftbacktest.read, instrument=BTC), kind="hftbacktest")
    assert [cut for _, cut in TapeReader(tmp_path / "tape", BTC).cut_batches()] == [5, 0]
    warm = [int(str(w)) & 64 for w in replayed(tmp_path / "tape", BTC)["warm"]]
    assert warm == [0, 0, 0, 64, 64]


def test_partial_books_beside_diffs_are_left_out_of_cryptofeed_and_raw_replay(tmp_path: Path) -> None:
    books: list[Book] = [({100: 1}, {101: 1})] * 4
    frames = list(framed(event, books, 5))
    diffs = [json.dumps({"stream": "btcusdt@depth", "data": event(n, books[0], 1)}) for n in range(2)]
    lines = [f"{START // 1000}.{n:03d}: {frame}\n" for n, frame in enumerate([*frames, *diffs])]
    (tmp_path / "a.ws").write_text("".join(lines))
    stats = ImportStats()
    read = cryptofeed.read([tmp_path / "a.ws"], lambda _: TapeTail(), stats, lambda _: None, venue("binance_futures"))
    items: list[InstrumentBatch] = list(read)
    assert items == []
    assert stats.ignored == {"depth5@100ms": 4}
