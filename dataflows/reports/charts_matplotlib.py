"""Panels as an image, by matplotlib."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, no state shared between threads
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dataflows.reports.chart_panels import COLOURS, MARKS, Panel, Sheet, alone, is_marks, shown_name

_PANEL = (4.6, 2.7)  # inches
_WIDE = (12.0, 1.9)
_DATES, _WIDE_DATES = 3, 6  # fewest on an axis
_PIXELS = 90  # an inch
_STEP = 0.1  # of a panel's width, between the labels of two levels: side by side, they do not overlap
_GROUND = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.7, "linewidth": 0}
_SMALL = 6  # points


def write_image(path: Path, sheet: Sheet) -> None:
    """Draw a sheet as .png or .svg.

    Raises:
        OSError: the file cannot be written.
    """
    width, height = _WIDE if sheet.wide else _PANEL
    head = 0.3 if sheet.title else 0.0
    size = (width * sheet.columns, height * len(sheet.rows) + head)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    if sheet.title:
        figure.suptitle(sheet.title, fontsize=10, x=0.01, ha="left")
    first: Any = None
    for r, row in enumerate(sheet.rows):
        for c, panel in enumerate(row):
            place = (len(sheet.rows), sheet.columns, r * sheet.columns + c + 1)
            axes = figure.add_subplot(*place, sharex=first if sheet.wide else None)
            first = first or axes
            _draw(axes, panel, _WIDE_DATES if sheet.wide else _DATES)
            if sheet.wide and r + 1 < len(sheet.rows):
                axes.tick_params(labelbottom=False)
                axes.xaxis.get_offset_text().set_visible(False)
                axes.set_xlabel("")
    # No date inside: the same data draw the same file.
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": ""}
    figure.savefig(path, dpi=_PIXELS, metadata=metadata)


def _draw(axes: Any, panel: Panel, fewest_dates: int) -> None:
    axes.margins(y=0.08)  # for labels of levels at the edge
    if panel.log:
        axes.set_yscale("log")
    handles = []
    for i, (name, x, y) in enumerate(panel.curves):
        form: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "label": shown_name(name)}
        if is_marks(name):
            marker, _, own = MARKS[name[0]]
            form["color"] = own or form["color"]
            handles += axes.plot(x, y, linestyle="none", marker=marker, markersize=3, **form)
        else:
            dots = {"marker": "o", "markersize": 2.5} if panel.dotted else {}
            handles += axes.plot(x, y, linewidth=1, **dots, **form)
            if len(lone := alone(y)) and not dots:
                axes.plot(np.asarray(x)[lone], np.asarray(y)[lone], ".", markersize=2, color=form["color"])
    _ground(axes, panel, handles)
    for i, (name, y) in enumerate(panel.levels):
        axes.axhline(y, color="grey", linestyle="--", linewidth=0.8)
        at = (0.99 - _STEP * i, y)
        axes.annotate(
            name, at, xycoords=("axes fraction", "data"), fontsize=_SMALL, ha="right", va="center", bbox=_GROUND
        )
    low, high = axes.get_xlim()
    for name, x in panel.marks:
        axes.axvline(x, color="grey", linestyle=":", linewidth=0.8)
        side = "right" if x > (low + high) / 2 else "left"
        shift = (-2 if side == "right" else 2, -2)
        axes.annotate(
            name, (x, 1), shift, xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=_SMALL,
            ha=side, va="top", bbox=_GROUND,
        )  # fmt: skip
    if panel.curves and np.asarray(panel.curves[0][1]).dtype.kind == "M":
        dates = AutoDateLocator(minticks=fewest_dates, maxticks=2 * fewest_dates)
        axes.xaxis.set_major_locator(dates)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(dates))
        axes.xaxis.get_offset_text().set_fontsize(7)
    axes.yaxis.get_offset_text().set_fontsize(_SMALL)
    if not panel.log:
        axes.yaxis.get_major_formatter().set_useOffset(False)  # 64001.5 is read more easily than 1.5 and +6.4e4
    if panel.empty:
        axes.text(0.5, 0.5, panel.nothing, transform=axes.transAxes, fontsize=8, color="grey", ha="center", va="center")
    axes.set_title(panel.title, fontsize=9)
    axes.set_xlabel(panel.x, fontsize=7)
    axes.set_ylabel(panel.y, fontsize=7)
    axes.tick_params(labelsize=7)
    if len(handles) > 1:
        axes.legend(handles=handles, fontsize=_SMALL, frameon=True, framealpha=0.7, edgecolor="none", loc="best")


def _ground(axes: Any, panel: Panel, handles: list[Any]) -> None:
    """The bands; one of each name joins the legend."""
    shown = set()
    for band in panel.bands:
        axes.axvspan(band.begin, band.end, color=band.colour, alpha=0.15, linewidth=0)
        if band.name not in shown:
            shown.add(band.name)
            handles.append(Patch(color=band.colour, alpha=0.3, linewidth=0, label=band.name))
