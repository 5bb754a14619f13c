"""What is drawn of one instrument: its book, its z-scores and its mid, from the rows that the tap keeps."""

import math

import numpy as np
from rich.text import Text

from operators.config import BOOK_LEVELS, FeatureConfig, depth_label
from sources.tape.batch import Float64s
from window.columns import RESTART, feature_rows
from window.tap import FEATURES, RESETS, Tap
from window.terminal.drawing import NONE, around_zero, bar, decimals, number, spark
from window.terminal.table import tone
from window.terminal.warming import ZSCORES

_MOST_Z = 4.0  # where a bar is full
_HALF = 8
_BAR = 16
_APART = "   "
_POINTS = 4000  # mids that are kept


class View:
    """Takes the rows of one instrument as they come, and draws them."""

    def __init__(self, tap: Tap, config: FeatureConfig, key: str) -> None:
        self.key = key
        self._tap = tap
        self._config = config
        self._at = {name: i for i, name in enumerate(feature_rows(config).names)}
        self.names = set(self._at)  # of columns
        self._seen: dict[str, int] = {}
        self._row: Float64s | None = None  # the newest
        self._ts, self._mid = np.empty(0), np.empty(0)  # NaN where nothing may be drawn across
        tap.watch(key)

    def read(self) -> None:
        """Take what has come."""
        for name, (rows, gone, count) in self._tap.since(self.key, self._seen).items():
            self._seen[name] = count
            if name == FEATURES:
                self._take(rows, gone)
            elif name == RESETS:
                self._row = self._row if self._row is None or self._row[self._at["ts"]] > rows[0, -1] else None

    def _take(self, rows: Float64s, gone: int) -> None:
        ts, mid = rows[self._at["ts"]], rows[self._at["mid"]]
        begins = (rows[self._at[RESTART]] == 0) & (np.arange(len(ts)) + len(self._ts) > 0)
        begins[0] |= bool(gone and len(self._ts))
        at = np.flatnonzero(begins)
        self._ts = np.concatenate([self._ts, np.insert(ts, at, ts[at])])[-_POINTS:]
        self._mid = np.concatenate([self._mid, np.insert(mid, at, np.nan)])[-_POINTS:]
        self._row = rows[:, -1]

    def value(self, name: str) -> float:
        """Of the newest row; NaN if there is none, or a reset came after it."""
        return math.nan if self._row is None else float(self._row[self._at[name]])

    def ladder(self, levels: int) -> Text:
        """The book: asks above, bids below, the best in the middle, sizes as bars."""
        levels = max(1, min(levels, BOOK_LEVELS))
        if self._row is None:
            return Text("the book is unknown", "red")
        asks, bids = (self._side(side, levels) for side in ("ask", "bid"))
        prices = np.concatenate([asks[0], bids[0]])
        places, largest = decimals(prices), float(np.nanmax(np.concatenate([asks[1], bids[1], [0.0]])))
        width = max((len(f"{price:.{places}f}") for price in prices[np.isfinite(prices)]), default=1)
        out = Text()
        for price, size in reversed(list(zip(*asks, strict=True))):
            out.append_text(_level(price, size, largest, places, width, "red"))
        spread = asks[0][0] - bids[0][0]
        out.append(f"{number(float(spread), 4):>{width}} spread\n", "dim")
        for price, size in zip(*bids, strict=True):
            out.append_text(_level(price, size, largest, places, width, "green"))
        return out

    def _side(self, side: str, levels: int) -> tuple[Float64s, Float64s]:
        assert self._row is not None
        price, size = self._at[f"{side}_price_0"], self._at[f"{side}_size_0"]
        return self._row[price : price + levels], self._row[size : size + levels]

    def zscores(self, width: int) -> Text:
        """Order flow of each window by depth, as bars around zero, full at 4 deviations; two depths abreast if they fit
        into so many columns."""
        widest = max(len(window) for window, _ in self._config.windows)
        block = widest + 2 * _HALF + 9
        blocks = [self._flow(depth, widest, block) for depth in self._config.depths]
        abreast = 2 if width >= 2 * block + len(_APART) else 1
        out = Text()
        for first in range(0, len(blocks), abreast):
            for line in zip(*blocks[first : first + abreast], strict=True):
                out.append_text(Text(_APART).join(line))
                out.append("\n")
        return out

    def _flow(self, depth: int, widest: int, width: int) -> list[Text]:
        warm = self._row is not None and int(self.value("warm")) & ZSCORES == ZSCORES
        lines = [Text(("z, best level" if depth == 1 else f"z, {depth} levels").ljust(width), "bold")]
        for window, _ in self._config.windows:
            value = self.value(f"ofi_z_{depth_label(depth)}_{window}") if warm else math.nan
            told = NONE if math.isnan(value) else f"{value:+.2f}"
            text = f"{window:>{widest}} {around_zero(value, _MOST_Z, _HALF)} {told:>6}"
            lines.append(Text(text, tone(value) if warm else "dim"))
        return lines

    def mids(self, width: int, height: int) -> list[str]:
        """A line of mid over what is kept; a gap where the book was unknown."""
        return spark(self._thinned(width), width, height)

    def _thinned(self, width: int) -> Float64s:
        """The last mid of each stretch of time, NaN where there was a gap in it."""
        out = np.full(width, np.nan)
        if not len(self._ts) or width < 2:
            return out
        step = max(self._config.sampling_ns / 1e6, float(self._ts[-1] - self._ts[0]) / (width - 1), 1e-3)
        column = width - 1 - ((self._ts[-1] - self._ts) / step).astype(np.int64)
        out[column] = self._mid
        out[column[np.isnan(self._mid)]] = np.nan
        return out

    @property
    def seconds(self) -> float:
        """How much time the line of mid spans."""
        return float(self._ts[-1] - self._ts[0]) / 1000 if len(self._ts) else 0.0

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest mid that is drawn; NaN if there is none."""
        known = self._mid[np.isfinite(self._mid)]
        return (float(known.min()), float(known.max())) if known.size else (math.nan, math.nan)


def _level(price: float, size: float, largest: float, places: int, width: int, style: str) -> Text:
    known = math.isfinite(price)
    text = f"{price:.{places}f}" if known else NONE
    line = Text(f"{text:>{width}} ", style if known else "dim")
    line.append(f"{number(size, 5):>10} ", "default")
    return line.append(bar(size / largest if largest else 0, _BAR) + "\n", style)
