"""Recorded columns as a picture: panels one below the other over one time axis."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dataflows.assembly.plotting import Drawn, Recording
from dataflows.reports.chart_panels import GREY, Band, Panel
from sources.tape.batch import Float64s, Int64s

# What is drawn unless columns are named: the first of each that a data set has.
_DEFAULTS = {
    "equity": (("mid",), ("equity",), ("position",)),
    "bars": (("close",), ("volume",)),
    "": (
        ("mid",),
        (r"ofi_z_l0_\w+", r"ofi_z_l10_\w+"),
        (r"trade_imbalance_\d\w*",),
        ("price_ffd",),
        ("fdi",),
        ("volatility",),
    ),
}
_MOST = 4  # panels of a data set of which nothing else is known
_QUOTE = "quote currency"
_REGIMES = {"trending": "#2ca02c", "ranging": "#ff7f0e", "neutral": GREY}
_RANDOM_WALK = 1.5  # dimension of its path

Prices = tuple[Int64s, Float64s]  # times, ns, and prices


def parse_columns(text: str) -> list[list[str]]:
    """Panels of columns: ``,`` between panels, ``+`` between the columns of one.

    >>> parse_columns("mid, ofi_l0_5s+ofi_l10_5s")
    [['mid'], ['ofi_l0_5s', 'ofi_l10_5s']]
    """
    return [[name.strip() for name in panel.split("+") if name.strip()] for panel in text.split(",") if panel.strip()]


def default_columns(recording: Recording) -> list[list[str]]:
    """Panels of columns that tell most at a glance; of windows the last but one, between flicker and history."""
    numbers = recording.numbers()
    panels = []
    for patterns in _DEFAULTS.get(recording.data_set, _DEFAULTS[""]):
        found = [[name for name in numbers if re.fullmatch(pattern, name)] for pattern in patterns]
        panel = [names[max(0, len(names) - 2)] for names in found if names]
        panels += [panel] if panel else []
    floats = [name for name in numbers if recording.schema.field(name).type in ("double", "float")]
    return panels or [[name] for name in floats[:_MOST]]


def price_panel(recording: Recording, panels: Sequence[Sequence[str]]) -> int | None:
    """The first panel that has a price, on which fills can be seen; None if none has."""
    prices = ("bid_price", "ask_price", "mid", "microprice", "vwap", "close")
    return next((n for n, names in enumerate(panels) if any(name in prices for name in names)), None)


def feature_panels(
    recording: Recording,
    panels: Sequence[Sequence[str]],
    drawn: Drawn,
    fills: Mapping[str, Prices],
    fills_on: int | None,
) -> list[list[Panel]]:
    """A row a panel.

    Args:
        panels: names of columns.
        fills: by the sign and name of their marks.
        fills_on: the panel that they are on.
    """
    bands = [Band(f"regime: {word}", _time(a), _time(b), _REGIMES.get(word, GREY)) for word, a, b in drawn.regimes]
    rows = []
    for n, names in enumerate(panels):
        curves: list[tuple[str, Any, Any]] = [(name, *_drawable(drawn.curves[name])) for name in names]
        curves += [(name, *_drawable(values)) for name, values in fills.items()] if n == fills_on else []
        units = list(dict.fromkeys(filter(None, map(recording.unit, names))))
        title = f"{names[0]}: {recording.meaning(names[0])}".removesuffix(": ") if len(names) == 1 else ", ".join(names)
        if n == fills_on and fills and not any(len(times) for times, _ in fills.values()):
            title += " · no fills"
        rows.append(
            [
                Panel(
                    title, "time (UTC)", ", ".join(units), curves,
                    _levels(names, [drawn.curves[name][1] for name in names]),
                    bands=bands if n == 0 or "fdi" in names else (),
                )
            ]
        )  # fmt: skip
    return rows


def feature_title(recording: Recording, planted: str) -> str:
    """Instrument, span and number of rows; ``planted`` is the word of a synthetic market, or empty."""
    first, last = (str(_time(ns)).replace("T", " ")[:19] for ns in (recording.first, recording.last))
    if first[:10] == last[:10]:
        last = last[11:]
    note = f" · {planted}" if planted else ""
    return f"{recording.instrument} · {first} to {last} UTC · {recording.rows:,} rows{note}"


def _levels(names: Sequence[str], values: Sequence[Float64s]) -> list[tuple[str, float]]:
    if "fdi" in names:
        return [("random walk", _RANDOM_WALK)]
    known = [v[np.isfinite(v)] for v in values]
    straddled = any(len(v) and v.min() < 0 < v.max() for v in known)
    return [("", 0.0)] if straddled else []


def _drawable(values: tuple[Int64s, Float64s]) -> tuple[Any, Float64s]:
    return _time(values[0]), values[1]


def _time(ns: Any) -> Any:
    return np.asarray(ns).astype("datetime64[ns]")[()]
