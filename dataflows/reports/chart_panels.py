"""What a picture is made of: panels of curves, whatever draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")
GREY = "#7f7f7f"
# Signs that begin the name of a curve of marks: matplotlib's marker, plotly's symbol, the colour if it has its own.
MARKS: dict[str, tuple[str, str, str | None]] = {
    "·": (".", "circle", None),
    "▲": ("^", "triangle-up", "#2ca02c"),
    "▼": ("v", "triangle-down", "#d62728"),
}


@dataclass(frozen=True)
class Band:
    """A stretch of the x axis whose ground is coloured; bands of one name have one colour."""

    name: str
    begin: Any
    end: Any
    colour: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes: curves, marks where a curve's name begins with a sign of `MARKS`, dashed lines across it.

    A curve is broken where its y is NaN.

    Attributes:
        title, x, y: words above the panel, below it, and beside it.
        curves: name, x, y.
        levels: name, y.
        marks: name, x.
        bands: the ground behind the curves.
        log: y has a logarithmic scale.
        dotted: each value of a curve has a dot, so that few values are seen as such.
        nothing: said in the middle if no curve has a value.
    """

    title: str
    x: str
    y: str
    curves: Sequence[tuple[str, Any, Any]]
    levels: Sequence[tuple[str, float]] = ()
    marks: Sequence[tuple[str, float]] = ()
    bands: Sequence[Band] = ()
    log: bool = False
    dotted: bool = False
    nothing: str = "no values"

    @property
    def empty(self) -> bool:
        """Whether no curve has a value."""
        return not any(np.isfinite(np.asarray(y, np.float64)).any() for _, _, y in self.curves)


@dataclass(frozen=True)
class Sheet:
    """Rows of panels under a title; ``wide`` of panels one below the other that have one x axis."""

    rows: Sequence[Sequence[Panel]]
    title: str = ""
    wide: bool = False

    @property
    def columns(self) -> int:
        """Panels of the longest row."""
        return max(map(len, self.rows))


def is_marks(name: str) -> bool:
    """Whether a curve is only marks."""
    return name[:1] in MARKS


def shown_name(name: str) -> str:
    """Of a curve, without the sign of marks."""
    return name[1:].strip() if is_marks(name) else name


def alone(y: Any) -> Any:
    """Places of values without a neighbour, which no line shows.

    >>> alone([1.0, float("nan"), 2.0, 3.0]).tolist()
    [0]
    """
    known = np.isfinite(np.asarray(y, np.float64))
    beside = np.append(known[1:], False) | np.append(False, known[:-1])
    return np.flatnonzero(known & ~beside)
