"""Files of every kind that is imported, in parts, and how they are packed."""

import gzip
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from sources.importers import binance_vision, bybit_archive, bybit_trades, cryptofeed, hftbacktest, tardis, tardis_raw
from sources.instrument import Instrument
from sources.venues.registry import venue
from tests.importers.captures import BTC, START, Capture

BYBIT = Instrument("bybit_linear", "BTCUSDT")
PARTS = 5
EACH = 160  # messages of a part

Part = list[str]  # lines


def binance_frames() -> list[list[tuple[int, str]]]:
    """By part, receive times (ms) and frames; each part begins with a snapshot that its deltas join."""
    capture = Capture()
    out = []
    for _ in range(PARTS):
        capture.lines.clear()
        capture.delta()
        capture.snapshot()
        for _ in range(EACH):
            capture.delta()
            capture.trade()
        lines = [line.decode().split(" ", 1) for line in capture.lines]
        out.append([(int(time) // 1_000_000, frame) for time, frame in lines])
    return out


def hft() -> list[Part]:
    return [[f"{ms}000000 {frame}" for ms, frame in part] for part in binance_frames()]


def raw_replay() -> list[Part]:
    def time(ms: int) -> str:
        return str(np.datetime64(ms, "ms")) + "Z"

    def named(frame: str) -> str:
        """The REST book as Tardis puts it among the streams."""
        return frame if '"stream"' in frame else f'{{"stream":"btcusdt@depthSnapshot","data":{frame}}}'

    return [[f"{time(ms)} {named(frame)}" for ms, frame in part] for part in binance_frames()]


def feed() -> list[Part]:
    def line(ms: int, frame: str) -> str:
        seconds = f"{ms // 1000}.{ms % 1000:03d}"
        if '"stream"' in frame:
            return f"{seconds}: {frame}"
        return f"https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT -> {seconds}: {frame}"

    return [[line(ms, frame) for ms, frame in part] for part in binance_frames()]


def bybit_frames(first: int) -> list[tuple[int, str]]:
    out = []
    for n in range(EACH):
        at = first + n
        data = {"s": "BTCUSDT", "b": [["100", f"{n * 7919 % 1000 + 1}"]], "a": [["101", "1"]], "u": at, "seq": at}
        kind = "delta" if n else "snapshot"
        frame = {"topic": "orderbook.500.BTCUSDT", "type": kind, "ts": START + at, "data": data, "cts": START + at}
        out.append((START + at, json.dumps(frame, separators=(",", ":"))))
    return out


def bybit_books() -> list[Part]:
    return [[frame for _, frame in bybit_frames(100 + EACH * n)] for n in range(PARTS)]


def bybit_capture() -> list[Part]:
    return [[f"{ms}000000 {frame}" for ms, frame in bybit_frames(100 + EACH * n)] for n in range(PARTS)]


def trades_of_bybit() -> list[Part]:
    head = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
    rows = [
        f"{START // 1000}.{n:04d},BTCUSDT,Buy,{n * 7919 % 1000 + 1},100,PlusTick,id-{n},1,1,1"
        for n in range(EACH * PARTS)
    ]
    return [[*([head] if not n else []), *rows[n * EACH : (n + 1) * EACH]] for n in range(PARTS)]


def prints_of_binance() -> list[Part]:
    rows = [f"{n},100.0,{n * 7919 % 1000 + 1},1,{START + n},true" for n in range(EACH * PARTS)]
    return [rows[n * EACH : (n + 1) * EACH] for n in range(PARTS)]


def tardis_books() -> list[Part]:
    head = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
    out = []
    for n in range(PARTS):
        begin = START + n * EACH
        rows = []
        for m in range(EACH):
            time = f"binance-futures,BTCUSDT,{begin + m}000,{begin + m}001"
            if m in (0, EACH // 2):
                levels = (("bid", 99), ("bid", 98), ("ask", 101))
                rows += [f"{time},true,{side},{price},{m + 1}" for side, price in levels]
            else:
                rows.append(f"{time},false,bid,{90 + m % 9},{m * 7919 % 1000}")
        out.append([*([head] if not n else []), *rows])
    return out


def tardis_prints() -> list[Part]:
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    rows = [f"binance-futures,BTCUSDT,{START + n}000,{START + n}001,{n},buy,100,{n * 7919 % 1000 + 1}"
            for n in range(EACH * PARTS)]  # fmt: skip
    return [[*([head] if not n else []), *rows[n * EACH : (n + 1) * EACH]] for n in range(PARTS)]


def tardis_whole_books() -> list[Part]:
    names = [f"{side}[{m}].{what}" for m in range(2) for side in ("asks", "bids") for what in ("price", "amount")]
    head = ",".join(["exchange", "symbol", "timestamp", "local_timestamp", *names])
    rows = [f"binance-futures,BTCUSDT,{START + n}000,{START + n}001,101,{n * 7919 % 1000 + 1},100,1,102,1,99,2"
            for n in range(EACH * PARTS)]  # fmt: skip
    return [[*([head] if not n else []), *rows[n * EACH : (n + 1) * EACH]] for n in range(PARTS)]


LOST = 3 + EACH // 2 - 1  # rows of a part of `tardis_books` before its second snapshot

KINDS_OF_FILE: dict[str, tuple[Callable[[], list[Part]], Callable[..., object], bool]] = {
    # whether a book's parts begin with a snapshot of their own
    "hftbacktest": (hft, partial(hftbacktest.read, instrument=BTC), True),
    "hftbacktest, bybit": (bybit_capture, partial(hftbacktest.read, instrument=BYBIT), True),
    "cryptofeed": (feed, partial(cryptofeed.read, venue=venue("binance_futures")), True),
    "tardis-raw": (raw_replay, partial(tardis_raw.read, instrument=BTC), True),
    "bybit-archive": (bybit_books, bybit_archive.read, True),
    "bybit-trades": (trades_of_bybit, bybit_trades.read, False),
    "binance-vision": (prints_of_binance, partial(binance_vision.read, symbol="BTCUSDT"), False),
    "tardis, books": (tardis_books, tardis.read, True),
    "tardis, prints": (tardis_prints, tardis.read, False),
    "tardis, whole books": (tardis_whole_books, tardis.read, True),
}


def text(part: Part) -> bytes:
    return "".join(f"{line}\n" for line in part).encode()


def gz(path: Path, parts: Sequence[Part], broken: Sequence[int] = ()) -> Path:
    members = [bytearray(gzip.compress(text(part), mtime=0)) for part in parts]
    for n in broken:
        members[n][len(members[n]) // 2] ^= 0xFF
    path = path.with_suffix(".gz")
    path.write_bytes(b"".join(members))
    return path


def zipped(path: Path, parts: Sequence[Part], broken: Sequence[int] = ()) -> Path:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for n, part in enumerate(parts):
            archive.writestr(f"{n}", text(part))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for n in broken:
            info = archive.infolist()[n]
            content[info.header_offset + 60 + info.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
    return path


def plain(path: Path, parts: Sequence[Part]) -> Path:
    path.write_bytes(b"".join(map(text, parts)))
    return path
