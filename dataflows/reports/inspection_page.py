"""The verdicts on a tape as one HTML file, which needs nothing from anywhere else."""

from collections.abc import Sequence
from datetime import date
from html import escape
from typing import Any

from dataflows.assembly.inspecting import InspectedDay
from dataflows.reports.inspection import record
from operators.inspection_verdict import VERDICTS

_WIDE = 960  # of a day's line, in its own units
_HEAD = ("exchange", "symbol", "date", "verdict", "reasons", "gaps")  # shown otherwise than in the table of figures

_STYLE = """
:root{color-scheme:light dark;--good:#2a8f4f;--doubtful:#c98a00;--bad:#c62f2f;--line:#8884}
body{font:14px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .3rem}
.good{color:var(--good)}.doubtful{color:var(--doubtful)}.bad{color:var(--bad)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.15rem .7rem .15rem 0;text-align:right;border-bottom:1px solid var(--line)}
td:first-child,th:first-child{text-align:left}
svg{width:100%;height:14px;display:block}
details{margin:.3rem 0}ul{margin:.3rem 0}
"""


def inspection_page(days: Sequence[InspectedDay]) -> str:
    """The page: how many days are how good, then each day with a line of its 24 hours, reasons, gaps and figures."""
    records = [record(day) for day in days]
    verdicts = [one["verdict"] for one in records]
    numbers = ", ".join(f'<span class="{v}">{verdicts.count(v)} {v}</span>' for v in VERDICTS)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Tape inspection</title>'
        f"<style>{_STYLE}</style></head><body><h1>Tape inspection</h1><p>Days of instruments: {numbers}. "
        f"A line is a day from 0 to 24 h UTC: green is covered, red a gap.</p>"
        + "\n".join(map(_day, records))
        + "\n</body></html>\n"
    )


def _day(one: dict[str, Any]) -> str:
    title = escape(f"{one['exchange']}:{one['symbol']} {one['date'] or 'of no known day'}")
    verdict = one["verdict"]
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in one["reasons"])
    figures = "".join(
        f"<tr><td>{name}</td><td>{'' if value is None else escape(_text(value))}</td></tr>"
        for name, value in one.items()
        if name not in _HEAD
    )
    gaps = "".join(
        f"<tr><td>{gap['begin_ts']}</td><td>{gap['end_ts']}</td><td>{gap['seconds']:,.3f}</td>"
        f"<td>{', '.join(gap['causes'])}</td></tr>"
        for gap in one["gaps"]
    )
    listed = f", the first {len(one['gaps']):,}" if (one["gap_count"] or 0) > len(one["gaps"]) else ""
    return (
        f'<section><h2>{title} <span class="{verdict}">{verdict}</span></h2>{_line(one)}'
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + (
            f"<details><summary>{one['gap_count']:,} gaps{listed}</summary><table><tr><th>begin</th><th>end</th>"
            f"<th>seconds</th><th>causes</th></tr>{gaps}</table></details>"
            if gaps
            else ""
        )
        + f"<details><summary>figures</summary><table>{figures}</table></details></section>"
    )


def _line(one: dict[str, Any]) -> str:
    """The 24 hours of a day: the recorded span and the gaps in it."""
    if one["date"] is None or not one["span_s"]:
        return ""
    # A span that does not begin with the first row begins with the day: the tape has rows of days before.
    first = _at(one, one["first_ts"])
    edges = [(_at(one, gap["begin_ts"]), _at(one, gap["end_ts"])) for gap in one["gaps"]]
    begin = min([first, *(a for a, _ in edges)]) if first is not None else 0.0
    length = one["span_s"] / 86400 * _WIDE
    begin = max(0.0, min(begin, _WIDE - length)) if length < _WIDE else 0.0
    bars = [f'<rect x="0" width="{_WIDE}" height="10" fill="#8883"/>']
    bars.append(f'<rect x="{begin:.2f}" width="{length:.2f}" height="10" fill="var(--good)"/>')
    bars += [
        f'<rect x="{a:.2f}" width="{max(b - a, 1):.2f}" height="10" fill="var(--bad)"/>'
        for a, b in edges
    ]  # fmt: skip
    return f'<svg viewBox="0 0 {_WIDE} 10" preserveAspectRatio="none">{"".join(bars)}</svg>'


def _at(one: dict[str, Any], stamp: str | None) -> Any:
    """Place of a time on the line of its day."""
    if stamp is None:
        return None
    day, clock = stamp.rstrip("Z").split("T")
    hours, minutes, seconds = clock.split(":")
    late = (date.fromisoformat(day) - date.fromisoformat(one["date"])).days * 86400
    return (late + int(hours) * 3600 + int(minutes) * 60 + float(seconds)) / 86400 * _WIDE


def _text(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
