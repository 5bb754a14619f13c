"""Panels as a page to explore, by plotly."""

from math import log10
from typing import Any

import numpy as np
from plotly.subplots import make_subplots

from dataflows.reports.chart_panels import COLOURS, MARKS, Panel, Sheet, alone, is_marks, shown_name

_ROW, _WIDE_ROW, _HEAD = 320, 190, 90  # pixels
_STEP = 42  # pixels between the labels of two levels: side by side, they do not overlap
_GROUND = "rgba(255,255,255,0.7)"
_SMALL = {"size": 11}


def figure_of(sheet: Sheet) -> Any:
    """A sheet as a figure of plotly, each panel with a legend of its own."""
    columns = sheet.columns
    titles = [row[c].title if c < len(row) else "" for row in sheet.rows for c in range(columns)]
    height = (_WIDE_ROW if sheet.wide else _ROW) * len(sheet.rows)
    gaps = {"vertical_spacing": 30 / height} if sheet.wide else {}
    figure = make_subplots(len(sheet.rows), columns, subplot_titles=titles, shared_xaxes=sheet.wide, **gaps)
    figure.update_annotations(font_size=13)  # the titles of the panels, which are all there are yet
    for r, row in enumerate(sheet.rows, 1):
        for c, panel in enumerate(row, 1):
            _draw(figure, panel, r, c, (r - 1) * columns + c, not sheet.wide or r == len(sheet.rows))
    if sheet.wide:
        figure.update_xaxes(matches="x")
    layout: dict[str, Any] = {"height": height + _HEAD, "showlegend": True, "template": "plotly_white"}
    if sheet.title:
        layout["title"] = {"text": sheet.title, "font": {"size": 15}}
    margins = {"t": _HEAD - 20, "b": 50, "l": 60, "r": 30}
    figure.update_layout(margin=margins, hovermode="x" if sheet.wide else "closest", **layout)
    return figure


def _draw(figure: Any, panel: Panel, r: int, c: int, number: int, lowest: bool) -> None:
    at = {"row": r, "col": c}
    legend = _legend(figure, r, c, number)
    several = len(panel.curves) + len({band.name for band in panel.bands}) > 1
    for i, (name, x, y) in enumerate(panel.curves):
        mode = "markers" if is_marks(name) else "lines+markers" if panel.dotted else "lines"
        _, symbol, own = MARKS.get(name[:1], MARKS["·"])
        colour = own or COLOURS[i % len(COLOURS)]
        figure.add_scatter(
            x=x, y=y, mode=mode, name=shown_name(name), line={"color": colour, "width": 1.5},
            marker={"color": colour, "size": 5, "symbol": symbol}, legend=legend, showlegend=several, **at,
        )  # fmt: skip
        if mode == "lines" and len(lone := alone(y)):
            figure.add_scatter(
                x=np.asarray(x)[lone], y=np.asarray(y)[lone], mode="markers", name=name, showlegend=False,
                marker={"color": colour, "size": 3}, **at,
            )  # fmt: skip
    _ground(figure, panel, r, c, legend)
    for i, (name, y) in enumerate(panel.levels):
        figure.add_hline(y=y, line_dash="dash", line_width=1, **at)
        figure.add_annotation(
            x=1, xref="x domain", y=log10(y) if panel.log else y, text=name, showarrow=False, xanchor="right",
            yanchor="middle", xshift=-_STEP * i, bgcolor=_GROUND, font=_SMALL, **at,
        )  # fmt: skip
    if panel.empty:
        figure.add_annotation(
            x=0.5, xref="x domain", y=0.5, yref="y domain", text=panel.nothing, showarrow=False, font=_SMALL, **at
        )
    middle = _middle(panel)
    for name, x in panel.marks:
        side = "top left" if x > middle else "top right"
        figure.add_vline(
            x=x, line_dash="dot", line_width=1, annotation_text=name, annotation_position=side,
            annotation_bgcolor=_GROUND, annotation_font=_SMALL, **at,
        )  # fmt: skip
    figure.update_xaxes(title_text=panel.x if lowest else "", title_font=_SMALL, tickfont=_SMALL, **at)
    scale = {"type": "log", "exponentformat": "power"} if panel.log else {"minexponent": 6}
    figure.update_yaxes(title_text=panel.y, title_font=_SMALL, tickfont=_SMALL, **scale, **at)


def _ground(figure: Any, panel: Panel, r: int, c: int, legend: str) -> None:
    """The bands, all at once: hundreds of calls would take seconds. One of each name joins the legend."""
    axes = figure.get_subplot(r, c)
    x, y = (axis.plotly_name.replace("axis", "") for axis in (axes.xaxis, axes.yaxis))
    figure.layout.shapes += tuple(
        {
            "type": "rect", "xref": x, "yref": f"{y} domain", "x0": band.begin, "x1": band.end, "y0": 0, "y1": 1,
            "fillcolor": band.colour, "opacity": 0.15, "line": {"width": 0}, "layer": "below",
        }
        for band in panel.bands
    )  # fmt: skip
    for name, colour in {band.name: band.colour for band in panel.bands}.items():
        mark = {"color": colour, "size": 10, "symbol": "square", "opacity": 0.3}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=mark, legend=legend, row=r, col=c)


def _legend(figure: Any, r: int, c: int, number: int) -> str:
    """The name of a new legend in the upper left corner of a panel."""
    name = "legend" if number == 1 else f"legend{number}"
    axes = figure.get_subplot(r, c)
    place = {
        "x": axes.xaxis.domain[0], "y": axes.yaxis.domain[1], "xanchor": "left", "yanchor": "top",
        "bgcolor": _GROUND, "font": {"size": 10},
    }  # fmt: skip
    figure.update_layout({name: place})
    return name


def _middle(panel: Panel) -> float:
    """Of the x axis, where marks are numbers."""
    values = [float(v) for _, x, _ in panel.curves for v in (min(x), max(x))] if panel.marks else [0.0]
    return (min(values) + max(values)) / 2
