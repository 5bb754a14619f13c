"""What the table of all instruments holds: numbers, their order, and the texts of the rows in sight."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len

from operators.config import FeatureConfig
from operators.fractal import REGIMES
from sources.tape.batch import Float64s
from window.columns import RESTART
from window.overview import GAPS, KNOWN, VERDICT
from window.tap import Tap
from window.terminal.account import newest, trades
from window.terminal.drawing import NONE, number, span, spark
from window.terminal.warming import ZSCORES, Warming

_NAMES = 16  # columns of the terminal that names take at least
_SPARK = 30
_MS = 1000.0
_TONES = ("dim", "yellow", "red")  # of verdicts, the best first
_UNKNOWN_BOOK, _WAITING = "no book", "waiting"


@dataclass(frozen=True)
class Column:
    """One column: its title, how wide it is, and whether texts begin on its left."""

    name: str
    title: str
    width: int
    left: bool = False


@dataclass(frozen=True)
class Cell:
    """A text with a style of Rich."""

    text: str
    style: str = ""


class Table:
    """The instruments as they were at the last `read`, in the order that was asked for."""

    def __init__(self, tap: Tap, config: FeatureConfig) -> None:
        self._tap = tap
        self.warming = Warming(config)
        self._at = {name: i for i, name in enumerate(tap.overview.columns)}
        self._z = next(name for name in self._at if name.startswith("ofi_z_"))
        self.columns = [
            Column("name", "instrument", _NAMES, left=True),
            Column("mid", "mid", 10),
            Column("spread", "spread bp", 9),
            Column("z", "z " + self._z.removeprefix("ofi_z_").replace("_", " "), 9),
            Column("state", "state", 16, left=True),
            Column("regime", "regime", 8, left=True),
            Column("gaps", "gaps", 5),
            Column("lag", "lag", 9),
            Column("rows", "rows", 9),
            Column("fdi", "FDI", 6),
            Column("spark", "last minute", _SPARK, left=True),
        ]
        if trades(tap):
            self.columns[5:5] = [Column("position", "position", 10), Column("equity", "equity", 12)]
        if tap.verdicts:
            self.columns.insert(-3, Column("quality", "quality", 8, left=True))
        self._account: dict[str, Float64s] = {}  # columns of the account
        self.names: list[str] = []
        self.order: list[int] = []  # of the instruments in sight
        self.sorted_by, self.falling, self.filter = "name", False, ""
        self._values: Float64s = np.empty((len(self._at), 0))
        self._rows: Float64s = np.empty(0)

    def read(self) -> None:
        """Take what is known now."""
        before = len(self.names)
        self.names, self._values, self._rows = self._tap.newest()
        if len(self.names) != before:
            longest = max((cell_len(name) for name in self.names), default=0)
            self.columns[0] = Column("name", "instrument", max(_NAMES, longest), left=True)
        if trades(self._tap):
            self._account = {name: newest(self._tap, self.names, name) for name in ("position", "equity")}
        self.arrange()

    def arrange(self) -> None:
        """Put the instruments that the filter lets through in order; those without a value come last."""
        words = self.filter.lower().split()
        kept = np.array([i for i, n in enumerate(self.names) if all(w in n.lower() for w in words)], np.int64)
        if self.sorted_by in ("name", "spark"):
            keys = np.argsort(np.argsort(np.array(self.names, dtype=object))).astype(np.float64)[kept]
        else:
            keys = self._number(self.sorted_by)[kept]
        if self.falling:
            keys = -keys
        self.order = kept[np.argsort(keys, kind="stable")].tolist()  # NaN is last

    def sort(self, name: str, falling: bool) -> None:
        """Order by a column."""
        self.sorted_by, self.falling = name, falling
        self.arrange()

    def _number(self, name: str) -> Float64s:
        if name == "spread":
            return self._of("spread") / self._of("mid") * 1e4
        if name == "z":
            return np.where(self._bits() & ZSCORES == ZSCORES, self._of(self._z), np.nan)
        if name == "lag":
            return self._tap.now() / 1e6 - self._of("receive_ts")
        if name == "rows":
            return self._rows
        if name in self._account:
            return self._account[name]
        if name == "quality":
            return self._of(VERDICT)
        if name == "state":
            return np.array([self._left(i) for i in range(len(self.names))])
        numbers = self._of(name)
        return np.where(numbers < 0, np.nan, numbers) if name == "regime" else numbers

    def _bits(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.nan_to_num(self._of("warm")).astype(np.int64)

    def _of(self, name: str) -> Float64s:
        return self._values[self._at[name]]

    def _left(self, i: int) -> float:
        left = self.warming.left(self._of("warm")[i], self._of(RESTART)[i], self._of("ts")[i])
        return left.ms + left.rows

    def value(self, i: int, name: str) -> float:
        """Of `Overview.columns`, for the instrument number ``i``."""
        return float(self._of(name)[i])

    def state(self, i: int) -> Cell:
        """Whether there is a book, and how long the features take to be warm."""
        if not self._rows[i]:
            return Cell(_WAITING, "dim")
        if not self.value(i, KNOWN):
            return Cell(_UNKNOWN_BOOK, "red")
        text = self.warming.words(self.value(i, "warm"), self.value(i, RESTART), self.value(i, "ts"))
        return Cell(text, "yellow") if text else Cell("warm", "dim")

    def cell(self, i: int, name: str) -> Cell:
        """The text of a column for the instrument number ``i``."""
        return _CELLS[name](self, i)

    def _name(self, i: int) -> Cell:
        return Cell(self.names[i])

    def _mid(self, i: int) -> Cell:
        return Cell(number(self.value(i, "mid"), 8), "bold" if self.value(i, KNOWN) else "dim")

    def _spread(self, i: int) -> Cell:
        return Cell(number(self.value(i, "spread") / self.value(i, "mid") * 1e4, 3))

    def _zscore(self, i: int) -> Cell:
        value = self.value(i, self._z)
        if np.isnan(value) or int(self.value(i, "warm")) & ZSCORES != ZSCORES:
            return Cell(NONE, "dim")
        return Cell(f"{value:+.2f}", tone(value))

    def _regime(self, i: int) -> Cell:
        return regime(self.value(i, "regime"))

    def _gaps(self, i: int) -> Cell:
        gaps = int(self.value(i, GAPS))
        return Cell(str(gaps), "yellow" if gaps else "dim")

    def _lag(self, i: int) -> Cell:
        ms = self._tap.now() / 1e6 - self.value(i, "receive_ts")
        return Cell(span(ms / _MS), "red" if ms > 5 * _MS else "")

    def _quality(self, i: int) -> Cell:
        verdict = self.value(i, VERDICT)
        if np.isnan(verdict):
            return Cell(NONE, "dim")
        return Cell(self._tap.verdicts[int(verdict)], _TONES[int(verdict)])

    def _count(self, i: int) -> Cell:
        return Cell(f"{int(self._rows[i]):,}")

    def _position(self, i: int) -> Cell:
        value = float(self._account["position"][i])
        return Cell(number(value, 6), "green" if value > 0 else "red" if value < 0 else "")

    def _equity(self, i: int) -> Cell:
        return Cell(number(float(self._account["equity"][i]), 6))

    def _fdi(self, i: int) -> Cell:
        value = self.value(i, "fdi")
        return Cell(NONE, "dim") if np.isnan(value) else Cell(f"{value:.3f}")

    def _spark(self, i: int) -> Cell:
        return Cell(spark(self._tap.sparks()[-2 * _SPARK :: 2, i], _SPARK)[0], "cyan")


_CELLS: dict[str, Callable[[Table, int], Cell]] = {
    "name": Table._name,
    "mid": Table._mid,
    "spread": Table._spread,
    "z": Table._zscore,
    "regime": Table._regime,
    "gaps": Table._gaps,
    "lag": Table._lag,
    "quality": Table._quality,
    "rows": Table._count,
    "state": Table.state,
    "fdi": Table._fdi,
    "position": Table._position,
    "equity": Table._equity,
    "spark": Table._spark,
}


def tone(value: float) -> str:
    """The colour of a z-score: buying is green, selling red, and what is usual has none."""
    if abs(value) < 1:
        return ""
    colour = "green" if value > 0 else "red"
    return f"bold {colour}" if abs(value) >= 2 else colour


def regime(code: float) -> Cell:
    """A word for the code of a regime."""
    if not code >= 0:
        return Cell(NONE, "dim")
    word = REGIMES[int(code)]
    return Cell(word, {"trending": "green", "ranging": "magenta"}.get(word, ""))
