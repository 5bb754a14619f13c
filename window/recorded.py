"""A recording as the page's source: it is fetched by stretches, and played by the browser itself."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import RowBatch, concat_rows
from operators.schema import ROW_ORDINAL, SINCE_RESTART
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import RESET, TRADE, Float64s
from sources.tape.reader import TapeReader
from window.columns import NS_PER_MS, feature_rows
from window.feature_files import FeatureIndex
from window.frames import binary
from window.overview import SPARKS, Overview
from window.tap import FEATURES, RESET_COLUMNS, RESETS, TRADE_COLUMNS, TRADES

MOST_ROWS = 18_000  # of a stretch: half an hour at 100 ms, 22 MB with the books
_AROUND_NS = 2_000_000_000  # by which receive times may differ from exchange times at the ends of a stretch
_WINDOWS = 63  # bits of `warm` that only a restart takes away

Tape = Callable[[Instrument, int, int], TapeReader]


class Recording:
    """Features in files and, where there is one, the tape that they are of: it has the book, trades and resets.

    Safe for use by several threads; files are read in those of the callers.
    """

    def __init__(
        self,
        indices: Mapping[Instrument, FeatureIndex],
        config: FeatureConfig,
        now: Callable[[], int],
        about: Mapping[str, Any],
        tape: Tape | None = None,
        make_engine: Callable[[Instrument], FeatureEngine] | None = None,
    ) -> None:
        """Args:
        indices: of the features, by instrument; at least one has rows.
        config: that they were computed with.
        now, about: as of `window.tap.Tap`.
        tape: opens the tape of an instrument between two receive times, ns.
        make_engine: of features with books beside them; needed with ``tape``.
        """
        self._indices = {str(i): index for i, index in indices.items()}
        self._instruments = {str(i): i for i in indices}
        self._config, self._now, self._about = config, now, dict(about)
        self._tape, self._make_engine = tape, make_engine
        self._columns = feature_rows(config)
        self._overview = Overview(config, self._columns)
        self._lock = threading.Lock()
        self._reasons: dict[str, list[str]] = {}
        spans = [index.span for index in self._indices.values()]
        self.begin, self.end = min(s[0] for s in spans), max(s[1] for s in spans)

    def read_overview(self) -> None:
        """Read the newest row and some mids of every instrument; what cannot be read is left out, and told of when
        somebody looks."""
        for key, index in self._indices.items():
            with self._lock:
                self._overview.expect(key)
            try:
                newest, mids = index.newest(), index.mids(SPARKS)
            except TickwaxError:
                continue
            with self._lock:
                self._overview.row(key, self._columns.of(newest))
                self._overview.history(key, mids)

    @property
    def has_tape(self) -> bool:
        """Whether there is a tape beside the features."""
        return self._tape is not None

    @property
    def names(self) -> list[str]:
        """Of the instruments."""
        return list(self._indices)

    def judged(self, key: str, verdict: float, reasons: list[str], gaps: float, latency: float) -> None:
        """Take what an inspection has found: as of `Overview.judged`, and why the verdict is not a better one."""
        with self._lock:
            self._reasons[key] = reasons
            self._overview.judged(key, verdict, gaps, latency)

    def hello(self) -> dict[str, Any]:
        """As of `window.tap.Tap`, with the time of the recording."""
        kinds = {TRADES: TRADE_COLUMNS, RESETS: RESET_COLUMNS} if self._tape else {}
        schemas: dict[str, Any] = {name: {"columns": columns, "words": {}} for name, columns in kinds.items()}
        return {
            **self._about,
            "now": self._now() / NS_PER_MS,
            "begin": self.begin / NS_PER_MS,
            "end": self.end / NS_PER_MS,
            "sampling": self._config.sampling_ns / NS_PER_MS,
            "windows": [text for text, _ in self._config.windows],
            "depths": list(self._config.depths),
            "schemas": {FEATURES: {"columns": self._columns.names, "words": self._columns.words}, **schemas},
            "overview": self._overview.columns,
        }

    def known(self, key: str) -> bool:
        """Whether the instrument is recorded."""
        return key in self._indices

    def watch(self, key: str) -> None:
        """Nothing comes by itself."""

    def since(self, key: str, seen: Mapping[str, int]) -> dict[str, tuple[Float64s, int, int]]:
        """Likewise."""
        return {}

    def changed(self, versions: Float64s) -> tuple[list[str], Float64s, Float64s]:
        """As of `window.overview.Overview`."""
        with self._lock:
            return self._overview.changed(versions)

    def sparks(self) -> Float64s:
        """Mids from the beginning of the recording to its end."""
        with self._lock:
            return self._overview.sparks()

    def beat(self) -> dict[str, Any]:
        """Nothing happens."""
        return {"now": self._now() / NS_PER_MS, "quiet": 0.0}

    def stretch(self, key: str, begin: float, end: float) -> list[bytes]:
        """Frames of all rows between two times, ms since 1970: at most `MOST_ROWS`, then it ends earlier.

        Raises:
            TickwaxError: a file cannot be read.
        """
        limits = [min(max(int(ms * NS_PER_MS), self.begin), self.end + 1) for ms in (begin, end)]
        rows = self._indices[key].rows(limits[0], limits[1], MOST_ROWS)
        if rows.rows == MOST_ROWS:
            limits[1] = int(rows.integer[0, -1])
            end = limits[1] / NS_PER_MS
        trades, resets = np.empty((len(TRADE_COLUMNS), 0)), np.empty((len(RESET_COLUMNS), 0))
        if self._tape is not None and rows.rows:
            rows, trades, resets = self._with_tape(self._instruments[key], rows, limits[0], limits[1])
        _restarts(rows, resets[0], self._config.sampling_ns)
        told = [(FEATURES, self._columns.of(rows))]
        if self._tape is not None:
            told += [(TRADES, trades), (RESETS, resets)]
        last, reasons = told[-1][0], self._reasons.get(key, [])
        return [
            binary(
                part, kind="rows", of=name, symbol=key, gone=0, stretch=[begin, end], reasons=reasons, last=name == last
            )
            for name, part in told
        ]

    def _with_tape(
        self, instrument: Instrument, rows: RowBatch, begin: int, end: int
    ) -> tuple[RowBatch, Float64s, Float64s]:
        """The rows with the books at their times, and the trades and resets."""
        assert self._tape is not None
        assert self._make_engine is not None
        engine = self._make_engine(instrument)
        parts, trades, resets = [], [], []
        for batch in self._tape(instrument, begin - _AROUND_NS, end + _AROUND_NS).batches():
            parts += list(engine.parts(batch))
            traded, reset = batch.kind == TRADE, batch.kind == RESET
            columns = (batch.exchange_ts / NS_PER_MS, batch.price, batch.size, batch.side)
            trades.append(np.array([column[traded] for column in columns]))
            resets.append(np.array([batch.exchange_ts[reset] / NS_PER_MS]))
        found = concat_rows(parts)
        book = np.full((80, rows.rows), np.nan)
        if found is not None:
            # A grid's rows differ in their times, those of updates in their ordinals.
            by = 0 if self._config.sampling_ns else ROW_ORDINAL
            at = np.minimum(np.searchsorted(found.integer[by], rows.integer[by]), found.rows - 1)
            same = (found.integer[by, at] == rows.integer[by]) & (
                found.integer[ROW_ORDINAL, at] == rows.integer[ROW_ORDINAL]
            )
            book[:, same] = found.book[:, at[same]]
        return rows._replace(book=book), _in_order(trades, begin, end), _in_order(resets, begin, end)


def _in_order(parts: list[Float64s], begin: int, end: int) -> Float64s:
    """Columns by time, of those in the stretch."""
    whole = np.concatenate(parts, axis=1)
    whole = whole[:, (whole[0] >= begin / NS_PER_MS) & (whole[0] <= end / NS_PER_MS)]
    return whole[:, np.argsort(whole[0], kind="stable")]


def _restarts(rows: RowBatch, resets: Float64s, sampling_ns: int) -> None:
    """Set `SINCE_RESTART`, which files do not have: 0 where the row does not go on from the one before.

    That is so behind a reset; where the grid has a hole; and where a feature is no longer warm.
    """
    ts, warm = rows.integer[0], rows.code[-1].view(np.uint8) & _WINDOWS
    broken = np.zeros(rows.rows, bool)
    broken[:1] = True
    broken[1:] |= (warm[:-1] & ~warm[1:]) > 0
    if sampling_ns:
        broken[1:] |= np.diff(ts) > sampling_ns
    after = np.searchsorted(ts / NS_PER_MS, resets, "right")
    broken[after[after < rows.rows]] = True
    rows.integer[SINCE_RESTART] = ~broken
