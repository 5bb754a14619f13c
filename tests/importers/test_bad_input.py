"""What is wrong with files of every kind, and what is said of it: which value, and what is allowed."""

import gzip
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import binance_vision, files
from sources.importers.stats import ImportStats
from sources.tape.batch import TapeBatch
from tests.importers.captures import check_invariants, rows_of, run
from tests.importers.kinds import KINDS_OF_FILE, Part, gz, plain, text, zipped

KINDS = list(KINDS_OF_FILE)
TARDIS = ["tardis, books", "tardis, prints", "tardis, whole books"]
# By kind: what a file is refused with whose lines are of no such kind.
_TARDIS = r"expected exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount or .*book_snapshot_N$"
NOT_OF_THE_KIND = {
    "hftbacktest": r"begins with no receive time \(16 or 19 digits\)|frames of bybit_linear: --venue bybit_linear$",
    "hftbacktest, bybit": r"begins with no receive time \(16 or 19 digits\)|of binance_futures: --venue binance_",
    "cryptofeed": r"nothing to import: no depth and no trades; bad: .*, the first: .*:1: a line without a receive",
    "tardis-raw": r"nothing to import: .*; bad: [\d,]+, the first: .*:1: a line that begins with no time",
    "bybit-archive": r"expected timestamp,symbol,side,size,price$",
    "bybit-trades": r"expected timestamp,symbol,side,size,price$",
    "binance-vision": r"expected trades or aggTrades of market um, or T_DEPTH$",
    **dict.fromkeys(TARDIS, _TARDIS),
}
READS_TOO = {"bybit-archive": ["bybit-trades"], **dict.fromkeys(TARDIS, TARDIS)}


def lines(kind: str, parts: slice = slice(None)) -> Part:
    return [line for part in KINDS_OF_FILE[kind][0]()[parts] for line in part]


def refused(folder: Path, kind: str, *paths: Path) -> str:
    """What a file is refused with: one line that names it, and nothing appears."""
    with pytest.raises(TickwaxError) as caught:
        run(folder / "tape", paths, KINDS_OF_FILE[kind][1], kind=kind)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith(f"{paths[-1]}: ")
    assert "\n" not in message
    assert len(message) < 800
    assert not list((folder / "tape").rglob("*.parquet"))
    return message


def taken(kind: str, path: Path, stats: ImportStats) -> dict[str, TapeBatch]:
    batches = rows_of(KINDS_OF_FILE[kind][1], [path], stats)  # type: ignore[arg-type]
    for batch in batches.values():
        check_invariants(batch)
    return {str(instrument): batch for instrument, batch in batches.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_truncated(tmp_path: Path, kind: str) -> None:
    path = gz(tmp_path / "a", [lines(kind)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    says = (
        r"is truncated: the compressed data has no end; [\d,]+ frames before that can be read, .*--salvage takes them$"
    )
    assert_says(refused(tmp_path, kind, path), says)
    path = zipped(tmp_path / "a", [lines(kind)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert_says(refused(tmp_path, kind, path), says)


def assert_says(message: str, says: str) -> None:
    with pytest.raises(TickwaxError, match=says):
        raise TickwaxError(message)


@pytest.mark.parametrize("kind", KINDS)
def test_of_another_kind(tmp_path: Path, kind: str) -> None:
    """Wrong headers, and lines that are none of such a file."""
    for other in KINDS:
        if other != kind and other not in READS_TOO.get(kind, []):
            path = plain(tmp_path / "a.csv", [lines(other, slice(0, 1))])
            assert_says(refused(tmp_path, kind, path), NOT_OF_THE_KIND[kind])


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\r\n"])
@pytest.mark.parametrize("kind", KINDS)
def test_empty(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert_says(refused(tmp_path, kind, path), r"is empty$|nothing to import|columns : expected")


@pytest.mark.parametrize("kind", KINDS)
def test_symbols_mixed(tmp_path: Path, kind: str) -> None:
    """Where a symbol is asked for, the others are counted; elsewhere each has its tape."""
    both = [variant for line in lines(kind, slice(0, 2)) for variant in (line, other_symbol(line))]
    path = plain(tmp_path / "a.csv", [both])
    if kind == "hftbacktest":
        assert_says(refused(tmp_path, kind, path), "no snapshot that they join; name all files")
        return
    if kind == "binance-vision":  # rows without a symbol: the file's name has it
        path = path.rename(tmp_path / "ETHUSDT-trades-2024-01-01.csv")
        assert_says(refused(tmp_path, kind, path), "is of ETHUSDT, not of BTCUSDT$")
        return
    stats = ImportStats()
    batches = taken(kind, path, stats)
    if kind in ("hftbacktest, bybit", "tardis-raw"):
        assert [name.partition(":")[2] for name in batches] == ["BTCUSDT"]
        assert stats.ignored["other symbols"] >= 320
    else:
        assert {name.partition(":")[2] for name in batches} == {"BTCUSDT", "ETHUSDT"}
        rows = {batch.rows for batch in batches.values()}
        assert len(rows) == 1
        assert rows.pop() > 300


def other_symbol(line: str) -> str:
    return line.replace("BTCUSDT", "ETHUSDT").replace("btcusdt", "ethusdt")


@pytest.mark.parametrize("kind", KINDS)
def test_times_out_of_order(tmp_path: Path, kind: str) -> None:
    """Nothing is taken in silence: what runs back is counted, what repeats is left out and counted."""
    parts = KINDS_OF_FILE[kind][0]()
    stats = ImportStats()
    (batch,) = taken(kind, plain(tmp_path / "a.csv", [parts[0], parts[3], parts[2]]), stats).values()
    (of,) = stats.instruments.values()
    repeated = sum(count for name, count in stats.ignored.items() if name.startswith("repeated"))
    assert of.back + repeated >= 1
    assert batch.rows > 300


SORTED = {"bybit-trades": "time", "binance-vision": "time", **dict.fromkeys(TARDIS, "local_timestamp")}


@pytest.mark.parametrize("kind", SORTED)
def test_a_file_that_is_not_sorted(tmp_path: Path, kind: str) -> None:
    """The newest rows first, as some archives have them: none of it is taken."""
    header, *rows = lines(kind)
    if any(word in rows[0] for word in ("timestamp", "price")):
        header, *rows = rows
    of = SORTED[kind]
    says = rf"a.csv:\d+: is of .*, the row before of .*, and [\d,]+ of [\d,]+ rows .* back; sort .* by {of}$"
    path = plain(tmp_path / "a.csv", [[header, *reversed(rows)]])
    with pytest.raises(TickwaxError, match=says):
        taken(kind, path, ImportStats())


def test_depth_of_two_symbols(tmp_path: Path) -> None:
    """A row of another symbol is a damaged one; two are another file's."""
    header = ",".join(binance_vision.DEPTH_COLUMNS)
    row = "{},170000000000{},1,1,b,snap,100,1,-1"
    path = tmp_path / "BTCUSDT_T_DEPTH_2024-01-01_depth_snap.csv"
    read = partial(binance_vision.read, symbol="BTCUSDT")
    path.write_text("\n".join([header, row.format("BTCUSDT", 0), row.format("BTCUSDU", 0), row.format("BTCUSDT", 1)]))
    stats = ImportStats()
    rows_of(read, [path], stats)
    assert stats.bad == 1
    path.write_text(path.read_text() + "\n" + row.format("BTCUSDU", 1))
    with pytest.raises(TickwaxError, match=r"csv:5: symbol is not BTCUSDT but 'BTCUSDU', and not in this row alone; "):
        rows_of(read, [path])


@pytest.mark.parametrize("kind", ["hftbacktest", "hftbacktest, bybit", "tardis-raw"])
def test_files_out_of_order(tmp_path: Path, kind: str) -> None:
    parts = KINDS_OF_FILE[kind][0]()
    late, early = plain(tmp_path / "a", parts[3:]), plain(tmp_path / "b", parts[:2])
    says = r"begins at .*, before .*a, which begins at .* and is named first; name files in the order of time$"
    assert_says(refused(tmp_path, kind, late, early), says)


ANOTHER_MARKET = {
    "hftbacktest": ("BTCUSDT", "BTCUSD_PERP", "its books name no symbol, and it is a capture of several$"),
    "hftbacktest, bybit": ("BTCUSDT", "BTCUSD", "nothing to import for BTCUSDT; it holds BTCUSD$"),
    "cryptofeed": (
        "BTCUSDT",
        "BTCUSD_PERP",
        "BTCUSD_PERP is a coin-margined contract; only USD-M futures and spot are",
    ),
    "tardis-raw": ("BTCUSDT", "BTCUSD_PERP", "nothing to import for BTCUSDT; it holds BTCUSD_PERP$"),
    "bybit-archive": ("BTCUSDT", "BTCUSD", "only USDT perpetuals are imported, whose symbols end in USDT$"),
    "bybit-trades": ("BTCUSDT", "BTCUSD", "only USDT perpetuals are imported, whose symbols end in USDT$"),
    "binance-vision": (",true", ",true,true", "of market um, or T_DEPTH; it is as in trades of spot$"),
    **dict.fromkeys(
        TARDIS,
        (
            "binance-futures",
            "binance-delivery",
            "exchange binance-delivery: expected one of binance-futures, binance, ",
        ),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_of_another_market(tmp_path: Path, kind: str) -> None:
    ours, theirs, says = ANOTHER_MARKET[kind]
    words = {ours: theirs, ours.lower(): theirs.lower()}
    changed = lines(kind, slice(0, 2))
    for word, other in words.items():
        changed = [line.replace(word, other) for line in changed]
    assert_says(refused(tmp_path, kind, plain(tmp_path / "a.csv", [changed])), says)


@pytest.mark.parametrize("kind", KINDS)
def test_a_million_columns(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a," * 1_000_000 + b"\n" + b"1," * 1_000_000 + b"\n")
    assert_says(refused(tmp_path, kind, path), NOT_OF_THE_KIND[kind])
    whole = lines(kind)
    path.write_bytes(text(whole[:50]) + b"1," * 1_000_000 + b"\n" + text(whole[50:]))
    stats = ImportStats()
    (batch,) = taken(kind, path, stats).values()
    assert (stats.bad, batch.rows > 600) == (1, True)
    assert all(len(excerpt) < 400 for excerpt in stats.excerpts)


def packed(content: Iterator[bytes], path: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as file:
            for block in content:
                file.write(block)
        return path
    packer = zlib.compressobj(9, wbits=31)
    path.write_bytes(b"".join([*map(packer.compress, content), packer.flush()]))
    return path


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize("name", ["a.gz", "a.zip"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_refused_in_bounded_memory(
    tmp_path: Path, kind: str, name: str, salvage: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of 100 MB in 100 kB, behind a beginning as of the kind."""
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 1 << 22)
    begin = lines(kind, slice(0, 1))[0].encode()
    path = packed(iter([begin, *[bytes(1 << 20)] * 100]), tmp_path / name)
    read = KINDS_OF_FILE[kind][1]
    tracemalloc.start()
    try:
        with pytest.raises(TickwaxError, match=r"no line end in 4 MiB: this is no capture$"):
            rows_of(lambda *a: read(*a, salvage=salvage), [path])  # type: ignore[arg-type, return-value]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 48 << 20


@pytest.mark.parametrize("kind", KINDS)
def test_packed_twice(tmp_path: Path, kind: str) -> None:
    inner = gzip.compress(text(lines(kind, slice(0, 1))), mtime=0)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(inner, mtime=0))
    assert_says(refused(tmp_path, kind, path), "is gzip data inside of gzip; unpack it once$")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.gz", inner)
    assert_says(refused(tmp_path, kind, path), r"zip member 'a.gz' is gzip data; unpack it once$")
