"""Frames of real captures to books and features: how fast, beside orjson with `float()`, in one run.

    python benchmarks/bench_decode.py btcusdt_20240808.gz ethusdt_20240808.gz

Captures are raw hftbacktest captures of Binance USD-M. Every round runs every line once, so that a slow moment of the
machine meets them alike; the fastest round counts.
"""

import argparse
import gzip
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec
import numba
import orjson
from rich.console import Console
from rich.table import Table

from operators.book import apply_rows
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.level_blocks import Book, clear, grown, make_book
from operators.tape_loop import message_end
from sources.decimals import parse_levels
from sources.feed_handler import FeedHandler
from sources.messages import BookMessage, Frame, TradeMessage
from sources.tape.batch import DELTA, SNAPSHOT, TapeBatch
from sources.tape.builder import TapeBuilder
from sources.venues.binance_futures import decoder as decode
from sources.venues.binance_futures import sequencer as sequence


def capture_frames(path: Path) -> list[Frame]:
    """What a live connection would bring of a capture: the REST book, book diffs and trades."""
    with gzip.open(path) as lines:
        frames = [(int(ts), raw.rstrip()) for ts, _, raw in (line.partition(b" ") for line in lines)]
    return [frame for frame in frames if b"@bookTicker" not in frame[1][:60]]


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def keep_book(batch: TapeBatch, start: int, begun: bool, book: Book) -> tuple[int, bool]:
    """Apply tape rows to a book, as the features' loop does, and nothing else.

    Returns:
        The first row that there was no room for, and whether the message before it goes on.
    """
    i = start
    while i < len(batch.kind):
        end = message_end(batch, i)
        if batch.kind[i] in (SNAPSHOT, DELTA):
            if batch.kind[i] == SNAPSHOT and not begun:
                clear(book)
            done, _ = apply_rows(book, batch, i, end)
            if done < end:
                return done, True
            begun = not batch.last[end - 1]
        i = end
    return i, begun


class BookAlone:
    """A book and no features."""

    def __init__(self) -> None:
        self._book = make_book()
        self._begun = False

    def process(self, batch: TapeBatch) -> None:
        """Follow the tape."""
        done, self._begun = keep_book(batch, 0, self._begun, self._book)
        while done < batch.rows:
            self._book = grown(self._book)
            done, self._begun = keep_book(batch, done, self._begun, self._book)


def decode_live(frames: Sequence[Frame], at_once: int, make: "Maker | None", take: bool = True) -> int:
    """Decode and check ``at_once`` frames at a time, as the live loop does; gives the number of tape rows.

    With ``take`` they become tape rows, and what ``make`` gives, a book or features, follows them.
    """
    engine = make() if make else None
    decoder = decode.decoder("ANY")
    feed = FeedHandler(sequence.sequencer(), TapeBuilder())
    for at in range(0, len(frames), at_once):
        for message in decoder.decode(frames[at : at + at_once]):
            if isinstance(message, TradeMessage):
                feed.trade(message)
            else:
                assert isinstance(message, BookMessage)
                feed.book(message)
        if take:
            rows = feed.builder.take()
            if engine is not None and rows is not None:
                engine.process(rows)
    assert feed.sequencer.gaps == 0
    return feed.builder.rows


def make_features() -> FeatureEngine:
    """With default settings."""
    return FeatureEngine(FeatureConfig())


Maker = Callable[[], BookAlone | FeatureEngine]
STAGES: list[tuple[str, Maker | None, bool]] = [
    ("decode, sequence", None, False),
    ("… to tape rows", None, True),
    ("… with the book kept", BookAlone, True),
    ("… with book and features", make_features, True),
]


def decode_plainly(frames: Sequence[Frame]) -> int:
    """orjson, `float()`, and the chain check in two lines: the least that keeping a book needs; gives the levels."""
    levels = 0
    final = None
    for _, raw in frames:
        frame = orjson.loads(raw)
        data = frame.get("data")
        if data is None:
            final = None
            book = [(float(p), float(q)) for p, q in frame["bids"]], [(float(p), float(q)) for p, q in frame["asks"]]
        elif data["e"] == "depthUpdate":
            assert final is None or data["pu"] == final
            final = data["u"]
            book = [(float(p), float(q)) for p, q in data["b"]], [(float(p), float(q)) for p, q in data["a"]]
        else:
            float(data["p"]), float(data["q"])
            continue
        levels += len(book[0]) + len(book[1])
    return levels


def in_turn(runs: Sequence[Callable[[], object]], rounds: int) -> list[tuple[float, float]]:
    """For each, seconds of its fastest round and how much slower its median was; every round runs all of them."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for of_one, run in zip(seconds, runs, strict=True):
            before = perf_counter()
            run()
            of_one.append(perf_counter() - before)
    return [(min(of_one), median(of_one) / min(of_one) - 1) for of_one in seconds]


def measure(options: argparse.Namespace) -> Table:
    """Frames of captures."""
    table = Table("frames of", "what", "at once", "frames/s", "levels/s", "beside", "noise", title="decode, sequence")
    parse_levels([msgspec.Raw(b"[]"), msgspec.Raw(b"[]")])
    for make in (BookAlone, make_features):
        decode_live(capture_frames(options.capture[0])[:2000], 64, make)
    for path in options.capture:
        frames = capture_frames(path)
        levels = decode_plainly(frames)
        runs = [("orjson, float()", "", partial(decode_plainly, frames))]
        runs += [
            (what, str(n), partial(decode_live, frames, n, make, take))
            for what, make, take in STAGES
            for n in options.at_once
        ]
        timed = in_turn([run for _, _, run in runs], options.rounds)
        for (what, at_once, _), (seconds, noise) in zip(runs, timed, strict=True):
            rates = f"{len(frames) / seconds / 1e3:.0f} k", f"{levels / seconds / 1e6:.2f} M"
            table.add_row(path.name, what, at_once, *rates, f"{timed[0][0] / seconds:.2f} × orjson", f"+{noise:.0%}")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path, nargs="+")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 64, 512], help="frames that one read brings")
    parser.add_argument("--rounds", type=int, default=7)
    Console(width=120).print(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
