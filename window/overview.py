"""The newest numbers of every instrument, one row each, for the table of all of them."""

from typing import Any

import numpy as np

from operators.config import FeatureConfig
from sources.tape.batch import Float64s
from window.columns import RESTART, Columns

SPARKS = 60  # mids of a sparkline, one a second
_MS = 1000.0
GAPS, KNOWN = "gaps", "known"  # resets since the page's run began, or on a tape; 0 while the book is unknown
LATENCY, VERDICT = "latency", "verdict"  # of a tape: ms, median of the worst day; the number of a word


def shown_columns(config: FeatureConfig) -> list[str]:
    """Feature columns of the table: the z-score is that of the second window, or the only one, at the first depth."""
    window, _ = config.windows[min(1, len(config.windows) - 1)]
    depth = config.depths[0]
    z = f"ofi_z_l{0 if depth == 1 else depth}_{window}"
    names = ["ts", "receive_ts", "bid_price", "ask_price", "mid", "spread", z, "price_ffd", "fdi", "regime", "warm"]
    return [*names, RESTART]


class Overview:
    """Not safe for use by two threads at once."""

    def __init__(self, config: FeatureConfig, columns: Columns) -> None:
        """``columns``: of the features."""
        names = shown_columns(config)
        self._rows = np.array([columns.names.index(name) for name in names])
        self._ts, self._mid = columns.names.index("ts"), columns.names.index("mid")
        self._restart = columns.names.index(RESTART)
        self.columns = [*names, LATENCY, VERDICT, GAPS, KNOWN]
        self._index: dict[str, int] = {}
        self._values = np.full((len(self.columns), 16), np.nan)
        self._versions = np.zeros(16)  # rises with each change
        self._sparks = np.full((16, SPARKS), np.nan)
        self._seconds = np.zeros(16)

    @property
    def names(self) -> list[str]:
        """Instruments, in the order in which they came."""
        return list(self._index)

    def row(self, key: str, rows: Float64s) -> None:
        """Take the newest of feature rows."""
        i = self._place(key)
        self._values[: len(self._rows), i] = rows[self._rows, -1]
        self._values[-1, i] = 1
        self._versions[i] += 1
        second = rows[self._ts, -1] // _MS
        if second != self._seconds[i]:
            self._seconds[i] = second
            spark = self._sparks[i]
            spark[:-1] = spark[1:]
            # A line that is drawn on must end where the features began anew.
            spark[-1] = np.nan if (rows[self._restart] == 0).any() else rows[self._mid, -1]

    def expect(self, key: str) -> None:
        """An instrument of which nothing is known yet."""
        i = self._place(key)  # first: it may make room, in other arrays
        self._versions[i] += 1

    def history(self, key: str, mids: Float64s) -> None:
        """Put mids in place of those that came by second, shape ``(60,)``."""
        i = self._place(key)
        self._sparks[i] = mids

    def reset(self, key: str, count: int) -> None:
        """The book became unknown, so often."""
        i = self._place(key)
        self._values[-2, i] += count
        self._values[-1, i] = 0
        self._versions[i] += 1

    def judged(self, key: str, verdict: float, gaps: float, latency: float) -> None:
        """What an inspection of the whole tape has found; NaN for what it could not tell."""
        i = self._place(key)
        self._values[-4:-1, i] = latency, verdict, gaps
        self._versions[i] += 1

    def verdict(self, key: str, verdict: float) -> None:
        """The same of what goes on, whose gaps are counted by `reset`."""
        i = self._place(key)
        self._values[self.columns.index(VERDICT), i] = verdict
        self._versions[i] += 1

    def changed(self, versions: Float64s) -> tuple[list[str], Float64s, Float64s]:
        """What has changed: names of instruments that are new, and columns: the instrument's number, then `columns`.

        Args:
            versions: of the call before, shape ``(instruments,)``; empty at first.

        Returns:
            Also the versions for the next call.
        """
        n = len(self._index)
        before = np.zeros(n)
        before[: len(versions)] = versions
        which = np.flatnonzero(self._versions[:n] != before)
        rows = np.concatenate([which[None, :].astype(np.float64), self._values[:, which]])
        return list(self._index)[len(versions) :], rows, self._versions[:n].copy()

    def values(self) -> Float64s:
        """A copy of the newest numbers, shape ``(columns, instruments)``."""
        return self._values[:, : len(self._index)].copy()

    def sparks(self) -> Float64s:
        """Mids by second, NaN where there is none; shape ``(60, instruments)``."""
        return self._sparks[: len(self._index)].T

    def _place(self, key: str) -> int:
        i = self._index.get(key)
        if i is None:
            i = self._index[key] = len(self._index)
            if i == len(self._versions):
                self._values = _doubled(self._values.T).T
                self._versions, self._seconds = _doubled(self._versions, 0), _doubled(self._seconds, 0)
                self._sparks = _doubled(self._sparks)
            self._values[-2:, i] = 0
        return i


def _doubled(array: Any, fill: float = np.nan) -> Any:
    return np.concatenate([array, np.full_like(array, fill)])
