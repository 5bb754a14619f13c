"""Pictures: panels of curves, by plotly as a page to explore (.html) and by matplotlib as an image (.png, .svg).

plotly makes images with a browser only, which a server seldom has.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sources.errors import TickwaxError

_PACKAGES = {".html": "plotly", ".png": "matplotlib", ".svg": "matplotlib"}
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")
_PANEL = (4.6, 2.7)  # inches
_PIXELS = 90  # an inch


@dataclass(frozen=True)
class Panel:
    """One pair of axes: curves, or marks where the name of a curve begins with ``·``; dashed lines across it."""

    title: str
    x: str
    y: str
    curves: Sequence[tuple[str, Any, Any]]  # name, x, y
    levels: Sequence[tuple[str, float]] = ()  # name, y
    marks: Sequence[tuple[str, float]] = field(default=())  # name, x


def check_chart_path(key: str, path: Path) -> None:
    """Refuse, before any work, a picture that could not be drawn.

    Raises:
        TickwaxError: another suffix than .html, .png or .svg, or the package that draws it is not installed.
    """
    package = _PACKAGES.get(path.suffix)
    if package is None:
        raise TickwaxError(f"{key}: '{path}' does not end with one of {', '.join(_PACKAGES)}")
    if importlib.util.find_spec(package) is None:
        raise TickwaxError(f"{key}: '{path}' needs {package}; pip install 'tickwax[plot]'")


def draw(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    """Draw rows of panels into a file.

    Raises:
        TickwaxError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        (_plotly if path.suffix == ".html" else _matplotlib)(path, rows)
    except OSError as e:
        raise TickwaxError(f"cannot write {path}: {e.strerror or e}") from None


def page_part(rows: Sequence[Sequence[Panel]]) -> str:
    """Rows of panels as a part of a page that needs nothing from anywhere else."""
    part: str = _figure(rows).to_html(full_html=False, include_plotlyjs=True)
    return part


def write_page(path: Path, page: str) -> None:
    """Write a page.

    Raises:
        TickwaxError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as e:
        raise TickwaxError(f"cannot write {path}: {e.strerror or e}") from None


def _plotly(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    _figure(rows).write_html(path, include_plotlyjs=True)


def _figure(rows: Sequence[Sequence[Panel]]) -> Any:
    from plotly.subplots import make_subplots

    columns = max(map(len, rows))
    titles = [row[c].title if c < len(row) else "" for row in rows for c in range(columns)]
    figure = make_subplots(len(rows), columns, subplot_titles=titles)
    for r, row in enumerate(rows, 1):
        for c, panel in enumerate(row, 1):
            at = {"row": r, "col": c}
            for i, (name, x, y) in enumerate(panel.curves):
                mode = "markers" if name.startswith("·") else "lines"
                colour = {"color": _COLOURS[i % len(_COLOURS)]}
                figure.add_scatter(x=x, y=y, mode=mode, name=name.lstrip("· "), line=colour, marker=colour, **at)
            for name, y in panel.levels:
                figure.add_hline(y=y, line_dash="dash", line_width=1, annotation_text=name, **at)
            for name, x in panel.marks:
                figure.add_vline(x=x, line_dash="dot", line_width=1, annotation_text=name, **at)
            figure.update_xaxes(title_text=panel.x, **at)
            figure.update_yaxes(title_text=panel.y, **at)
    figure.update_layout(height=340 * len(rows) + 80, showlegend=True, template="plotly_white")
    return figure


def _matplotlib(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, no state shared between threads
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    columns = max(map(len, rows))
    figure = Figure(figsize=(_PANEL[0] * columns, _PANEL[1] * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    for r, row in enumerate(rows):
        for c, panel in enumerate(row):
            axes = figure.add_subplot(len(rows), columns, r * columns + c + 1)
            for i, (name, x, y) in enumerate(panel.curves):
                form: dict[str, Any] = {"color": _COLOURS[i % len(_COLOURS)], "label": name.lstrip("· ")}
                if name.startswith("·"):
                    axes.plot(x, y, linestyle="none", marker=".", markersize=3, **form)
                else:
                    axes.plot(x, y, linewidth=1, **form)
            for name, y in panel.levels:
                axes.axhline(y, color="grey", linestyle="--", linewidth=0.8)
                axes.annotate(name, (1, y), xycoords=("axes fraction", "data"), fontsize=6, ha="right", va="bottom")
            for name, x in panel.marks:
                axes.axvline(x, color="grey", linestyle=":", linewidth=0.8)
                axes.annotate(name, (x, 1), xycoords=("data", "axes fraction"), fontsize=6, va="top")
            if panel.curves and np.asarray(panel.curves[0][1]).dtype.kind == "M":
                dates = AutoDateLocator(minticks=3, maxticks=6)
                axes.xaxis.set_major_locator(dates)
                axes.xaxis.set_major_formatter(ConciseDateFormatter(dates))
            axes.set_title(panel.title, fontsize=9)
            axes.set_xlabel(panel.x, fontsize=7)
            axes.set_ylabel(panel.y, fontsize=7)
            axes.tick_params(labelsize=7)
            if len(panel.curves) > 1:
                axes.legend(fontsize=6, frameon=False)
    # No date inside: the same data draw the same file.
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": ""}
    figure.savefig(path, dpi=_PIXELS, metadata=metadata)
