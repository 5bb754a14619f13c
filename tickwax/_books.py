"""Order books from a tape, one by one or in arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dataflows.assembly.tapes import check_range, open_tape
from dataflows.settings.model import Settings
from operators.arguments import as_count
from operators.config import BOOK_LEVELS, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import TS
from operators.schema import ROW_ORDINAL, since
from sources.tape.batch import Float64s, Int64s
from sources.tape.reader import TapeReader
from tickwax._arguments import Path, Time, as_settings, naming_arguments


@dataclass(frozen=True, slots=True)
class Book:
    """The best levels of both sides at one time, best first; shapes ``(levels,)``, of those that there are.

    Attributes:
        ts: time of the row on the instrument's clock, UTC.
        ordinal: of the newest tape row in the book.
        bid_price, ask_price: quote currency.
        bid_size, ask_size: base currency.
    """

    ts: np.datetime64
    ordinal: int
    bid_price: Float64s
    bid_size: Float64s
    ask_price: Float64s
    ask_size: Float64s

    @property
    def mid(self) -> float:
        """Mean of the best bid and the best ask."""
        return float(self.ask_price[0] + self.bid_price[0]) / 2

    @property
    def spread(self) -> float:
        """The best ask less the best bid."""
        return float(self.ask_price[0] - self.bid_price[0])


class BookArrays(NamedTuple):
    """The same of n times: ``ts`` and ``ordinal`` of shape ``(n,)``, prices and sizes ``(n, levels)``, NaN where there
    is no level."""

    ts: npt.NDArray[np.datetime64]
    ordinal: Int64s
    bid_price: Float64s
    bid_size: Float64s
    ask_price: Float64s
    ask_size: Float64s


def books(
    tape: Path,
    symbol: str | None = None,
    *,
    sampling: str = "100ms",
    levels: int = BOOK_LEVELS,
    start: Time | None = None,
    end: Time | None = None,
    max_hold: str = "60s",
) -> Iterator[Book]:
    """Give an instrument's books one by one, at the times of its feature rows; memory is bounded.

        >>> import tickwax as tw
        >>> tape = tw.synthetic_tape("tape3", span="5s")
        >>> [len(book.bid_price) for book in tw.books(tape, sampling="1s", levels=3)]
        [3, 3, 3, 3, 3]
        >>> all(book.spread > 0 for book in tw.books(tape, sampling="update"))
        True

    Args:
        tape: folder of the tape.
        symbol: ``venue:SYMBOL``; None: the only one of the tape.
        sampling: the step, such as ``100ms``, or ``update`` for every change of the book.
        levels: of each side, 1 to 20.
        start, end: books whose newest tape row has ``start`` ≤ ``receive_ts`` < ``end``.
        max_hold: longest stretch without any event over which books are given.

    Raises:
        ValueError: an argument is out of range, or the tape holds several instruments and none is named.
        TickwaxError: the tape cannot be read, breaks a rule, or does not hold the instrument.
    """
    # Not a generator itself: a bad argument is told at once, not when the first book is asked for.
    count, reader, config = _opened(tape, symbol, sampling, levels, start, end, max_hold)
    return (book for part in _parts(reader, config, count) for book in _each(part))


def book_arrays(
    tape: Path,
    symbol: str | None = None,
    *,
    sampling: str = "100ms",
    levels: int = BOOK_LEVELS,
    start: Time | None = None,
    end: Time | None = None,
    max_hold: str = "60s",
) -> BookArrays:
    """Give all that `books` gives in arrays; arguments and errors are the same.

    >>> import tickwax as tw
    >>> found = tw.book_arrays(tw.synthetic_tape("tape4", span="5s"), sampling="1s")
    >>> found.bid_price.shape, bool((found.bid_price[:, 0] < found.ask_price[:, 0]).all())
    ((5, 20), True)
    """
    count, reader, config = _opened(tape, symbol, sampling, levels, start, end, max_hold)
    empty = np.empty((0, count))
    nothing = BookArrays(np.empty(0, "datetime64[ns]"), np.empty(0, np.int64), empty, empty, empty, empty)
    parts = [nothing, *_parts(reader, config, count)]
    return BookArrays._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _opened(
    tape: Path, symbol: str | None, sampling: str, levels: int, start: Time | None, end: Time | None, max_hold: str
) -> tuple[int, TapeReader, FeatureConfig]:
    count = as_count("levels", levels, 1, BOOK_LEVELS)
    values = {"tape.path": tape, "symbols": symbol, "features.sampling": sampling}
    interval = {} if sampling == "update" else {"fdi_interval": sampling}  # of a feature that nobody asks for here
    range_ = {"replay.start": start, "replay.end": end}
    settings = as_settings(values | range_, {"max_hold": max_hold, **interval})
    with naming_arguments(symbols="symbol") as lines:
        _, readers = open_tape(settings, tell=lines.append)
        if len(readers) > 1:
            names = ", ".join(str(reader.instrument) for reader in readers)
            raise ValueError(f"symbol: {symbol!r} is not one instrument; the tape holds {names}")
        check_range(readers, "replay.start", settings.replay.start, "replay.end", settings.replay.end)
    return count, readers[0], _config(settings)


def _config(settings: Settings) -> FeatureConfig:
    """Features that nobody asks for here are as short as they can be."""
    config = settings.feature_config()
    windows = config.windows[:1]
    return replace(
        config, windows=windows, depths=(1,), zscore_window=2, price_d=1.0, volume_d=1.0, fdi_window=3,
        volatility_window=2,
    )  # fmt: skip


def _parts(reader: TapeReader, config: FeatureConfig, levels: int) -> Iterator[BookArrays]:
    engine = FeatureEngine(config, with_books=True)
    for batch in reader.batches():
        for part in engine.parts(batch):
            rows = since(part, reader.first_ordinal)
            if rows.rows:
                sides = rows.book.reshape(4, BOOK_LEVELS, rows.rows)[:, :levels].transpose(0, 2, 1).copy()
                yield BookArrays(
                    rows.integer[TS].copy().view("datetime64[ns]"), rows.integer[ROW_ORDINAL].copy(), *sides
                )


def _each(part: BookArrays) -> Iterator[Book]:
    bids, asks = (np.count_nonzero(~np.isnan(prices), axis=1).tolist() for prices in (part.bid_price, part.ask_price))
    for n, (ts, ordinal) in enumerate(zip(part.ts, part.ordinal.tolist(), strict=True)):
        b, a = bids[n], asks[n]
        yield Book(
            ts, ordinal, part.bid_price[n, :b], part.bid_size[n, :b], part.ask_price[n, :a], part.ask_size[n, :a]
        )
