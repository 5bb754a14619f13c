"""What a picture is made of: panels of curves, whatever draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")
GREY = "#7f7f7f"


@dataclass(frozen=True)
class Band:
    """A stretch of the x axis whose ground is coloured; bands of one name have one colour."""

    name: str
    begin: Any
    end: Any
    colour: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes: curves, or marks where the name of a curve begins with ``·``; dashed lines across it.

    A curve is broken where its y is NaN.

    Attributes:
        title, x, y: words above the panel, below it, and beside it.
        curves: name, x, y.
        levels: name, y.
        marks: name, x.
        bands: the ground behind the curves.
        log: y has a logarithmic scale.
        dotted: each value of a curve has a dot, so that few values are seen as such.
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
    return name.startswith("·")


def shown_name(name: str) -> str:
    """Of a curve, without the sign of marks."""
    return name.lstrip("· ")
