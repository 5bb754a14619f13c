"""Pictures of recorded columns."""

from pathlib import Path
from typing import Any

import numpy as np

from dataflows.assembly.plotting import FOREVER, Recording, check_columns, open_recording, read_drawn
from dataflows.reports.backtest import columns_by_time
from dataflows.reports.charts import check_chart_path, draw
from dataflows.reports.feature_plot import (
    Prices,
    default_columns,
    feature_panels,
    feature_title,
    parse_columns,
    price_panel,
)
from dataflows.reports.planted import edge_lines, planted_word
from dataflows.reports.terminal import prose
from dataflows.reports.thinning import ThinnedCurve
from dataflows.settings.local_paths import data_set_path
from dataflows.settings.model import load_settings
from sinks.identity import settings_in
from sinks.target import check_outside
from sources.errors import TickwaxError
from sources.tape.layout import data_files, instruments
from sources.tape.schema import EDGE

_PIXELS = {".html": 2000}  # of the x axis; a page can be made larger
_FEWER = 1000
_EQUITY = ["equity", "position"]
_MARKS = {"▲ bought": 1, "▼ sold": -1}


def plot(flags: dict[str, Any], symbol: str | None, columns: str | None, backtest: str | None, out: Path) -> None:
    """Draw columns of an instrument.

    Args:
        flags: settings, by dotted key.
        symbol: ``venue:SYMBOL``; None: the only one there is.
        columns: as `parse_columns` reads them; None: those of `default_columns`.
        backtest: folder of a backtest whose fills, equity and position are drawn, too.
        out: the picture.

    Raises:
        TickwaxError: the picture could not be drawn; a folder, an instrument or a column is not there, or has no rows
            of the range.
    """
    check_chart_path("--out", out)
    check_outside(out, "--out")
    if not out.parent.is_dir():  # a name that is mistyped makes no folder
        raise TickwaxError(f"--out: '{out}' is not in a folder that exists")
    settings = load_settings(flags)
    root = settings.features.path
    if root is None:
        raise TickwaxError("features.path: empty; name the folder whose rows are drawn")
    start, end = settings.replay.start, settings.replay.end
    bounds = (start.ns if start else FOREVER[0], end.ns if end else FOREVER[1])
    run = None if backtest is None else _folder(backtest)
    if run is None and not any(instruments(root)) and any(instruments(root / "equity")):
        root, run = root / "equity", root  # the folder of a backtest: its own rows
    recording = open_recording("features.path", root, symbol, bounds)
    panels = default_columns(recording) if columns is None else parse_columns(columns)
    if not panels:
        raise TickwaxError(f"--columns: {columns!r} names none")
    check_columns(recording, [name for names in panels for name in names])
    fills_on = None if run is None else price_panel(recording, panels)
    span, pixels = (recording.first, recording.last), _PIXELS.get(out.suffix, _FEWER)
    drawn = read_drawn(recording, list(dict.fromkeys(name for names in panels for name in names)), span, pixels)
    fills = {} if run is None or fills_on is None else _fills(run, recording, pixels)
    rows = feature_panels(recording, panels, drawn, fills, fills_on)
    if run is not None and run / "equity" != root:
        rows += _account(run, recording, pixels)
    edge = (settings_in(recording.files[0]) or {}).get(EDGE, "")
    draw(out, rows, feature_title(recording, planted_word(edge)), wide=True)
    for line in edge_lines({str(recording.instrument): edge}):
        prose(line)
    if run is not None and fills_on is None:
        prose("No column of these is a price, so the fills are not drawn; add mid to --columns.")
    prose(f"{recording.rows:,} rows of {recording.instrument}, drawn: {out}")


def _folder(text: str) -> Path:
    try:
        folder = data_set_path(text)
    except ValueError as e:
        raise TickwaxError(f"--backtest: {e}") from None
    if not any(instruments(folder / "equity")):
        raise TickwaxError(f"--backtest: {folder} holds no backtest: there are no rows in {folder / 'equity'}")
    return folder


def _fills(run: Path, recording: Recording, pixels: int) -> dict[str, Prices]:
    """Bought and sold, of each pixel column the first, the last, the cheapest and the dearest."""
    found = columns_by_time(data_files(run / "fills", recording.instrument), ("ts", "side", "price"))
    inside = (found["ts"] >= recording.first) & (found["ts"] <= recording.last)
    out = {}
    for name, side in _MARKS.items():
        chosen = inside & (np.sign(found["side"]) == side)
        curve = ThinnedCurve(recording.first, recording.last, pixels)
        curve.add(found["ts"][chosen], found["price"][chosen], np.zeros(chosen.sum(), np.bool_))
        out[name] = curve.curve()
    return out


def _account(run: Path, recording: Recording, pixels: int) -> list[Any]:
    """Equity and position of a backtest, over the time axis of other rows."""
    bounds = (recording.first, recording.last + 1)
    account = open_recording("--backtest", run / "equity", str(recording.instrument), bounds)
    drawn = read_drawn(account, _EQUITY, (recording.first, recording.last), pixels)
    return feature_panels(account, [[name] for name in _EQUITY], drawn, {}, None)
