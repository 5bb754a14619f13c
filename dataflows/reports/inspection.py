"""The verdicts on a tape: a flat record a day, and what the terminal shows of them."""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import numpy as np

from dataflows.assembly.inspecting import InspectedDay
from dataflows.reports import terminal
from dataflows.reports.text_table import TextTable, show
from operators import inspection_state as of
from operators.inspection_engine import QUANTILES, DayFigures
from operators.inspection_verdict import BAD, DOUBTFUL, GOOD
from sources.tape.batch import KINDS

_EPOCH = date(1970, 1, 1).toordinal()
_NS, _NS_PER_MS = 1e9, 1e6
_GAPS_SHOWN = 5  # of a day, the longest ones
_STYLES = {GOOD: "green", DOUBTFUL: "yellow", BAD: "bold red"}

_COUNTS = {
    "snapshots": of.SNAPSHOTS,
    "resyncs": of.RESYNCS,
    "book_messages": of.BOOK_MESSAGES,
    "torn_messages": of.TORN,
    "unknown_delta_rows": of.UNKNOWN_DELTAS,
    "missing_rows": of.MISSING_ROWS,
    "receive_steps_back": of.STEPS_BACK,
    "gap_count": of.GAPS,
    "crossed_messages": of.CROSSED_MESSAGES,
    "stale_stretches": of.STALE_STRETCHES,
    "price_jumps": of.JUMPS,
    "checked_prints": of.CHECKED_PRINTS,
    "outside_prints": of.OUTSIDE_PRINTS,
    "far_prints": of.FAR_PRINTS,
    "off_book_prints": of.OFF_BOOK_PRINTS,
    "against_prints": of.AGAINST_PRINTS,
    "latency_samples": of.SAMPLES,
    "negative_latencies": of.NEGATIVE,
}
_SECONDS = {
    "span_s": of.SPAN,
    "gap_s": of.GAP,
    "longest_gap_s": of.LONGEST_GAP,
    "crossed_s": of.CROSSED_TIME,
    "one_sided_s": of.ONE_SIDED_TIME,
    "stale_s": of.STALE_TIME,
    "longest_stale_s": of.LONGEST_STALE,
}
_LATENCIES = tuple(f"latency_p{100 * q:g}_ms".replace(".", "_") for q in QUANTILES)


def record(day: InspectedDay) -> dict[str, Any]:
    """All that is known of a day, under the names of docs/inspect.md; None for what there is not."""
    instrument, figures = day.instrument, day.figures
    head: dict[str, Any] = {
        "exchange": instrument.venue,
        "symbol": instrument.symbol,
        "date": None if day.day is None else date.fromordinal(_EPOCH + day.day).isoformat(),
        "verdict": day.verdict,
        "reasons": day.reasons,
    }
    return head | _figures(figures or _NOTHING) if figures else head | dict.fromkeys(_figures(_NOTHING)) | {"gaps": []}


def _figures(day: DayFigures) -> dict[str, Any]:
    count, time = day.counts, day.times
    samples = int(count[of.SAMPLES])
    return {
        "first_ts": _stamp(int(time[of.FIRST])),
        "last_ts": _stamp(int(time[of.LAST])),
        "rows": day.rows,
        **{f"{kind}_rows": int(count[code]) for code, kind in enumerate(KINDS)},
        "coverage": day.coverage,
        **{name: int(time[index]) / _NS for name, index in _SECONDS.items()},
        **{name: int(count[index]) for name, index in _COUNTS.items()},
        "largest_jump": day.largest_jump,
        **dict(zip(_LATENCIES, (ns / _NS_PER_MS for ns in day.latency), strict=True) if day.latency else
               dict.fromkeys(_LATENCIES)),
        "latency_max_ms": int(time[of.MOST]) / _NS_PER_MS if samples else None,
        "clock_offset_ms": int(time[of.LEAST]) / _NS_PER_MS if samples else None,
        "gaps": [
            {
                "begin_ts": _stamp(gap.begin),
                "end_ts": _stamp(gap.end),
                "seconds": (gap.end - gap.begin) / _NS,
                "causes": list(gap.causes),
            }
            for gap in day.gaps
        ],
    }  # fmt: skip


_NOTHING = DayFigures(0, np.zeros(of.COUNTS, np.int64), np.full(of.TIMES, -1, np.int64), 0.0, None)


def _stamp(ns: int) -> str | None:
    return None if ns < 0 else f"{np.datetime64(ns, 'ns')}Z"


def json_lines(days: Iterable[InspectedDay]) -> Iterator[str]:
    """A JSON object a day, each in a line: what DuckDB's ``read_json`` and Polars' ``read_ndjson`` read."""
    for day in days:
        yield json.dumps(record(day), allow_nan=False)


def show_days(days: list[InspectedDay]) -> None:
    """Print a row a day, then why days are not good, with their longest gaps."""
    table = TextTable(
        ("instrument", "day", "verdict", "span", "rows", "coverage", "gaps", "resets", "crossed", "p50 ms", "p99 ms",
         "jumps"), left=("day", "verdict"), keys=3,
    )  # fmt: skip
    for one in map(record, days):
        table.add(
            f"{one['exchange']}:{one['symbol']}",
            one["date"] or "unknown",
            one["verdict"],
            _time(one["span_s"]),
            _count(one["rows"]),
            _percent(one["coverage"]),
            _count(one["gap_count"]),
            _count(one["reset_rows"]),
            _time(one["crossed_s"]),
            *("" if one[name] is None else f"{one[name]:,.1f}" for name in ("latency_p50_ms", "latency_p99_ms")),
            _count(one["price_jumps"]),
        )
    if not sys.stdout.isatty():
        show(table)
    else:
        _show_coloured(table)
    for text in told(days):
        terminal.line(text)


def _show_coloured(table: TextTable) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in table.lines(terminal.width(), terminal.shown):
        text = Text(line, no_wrap=True, overflow="ignore")
        for verdict, style in _STYLES.items():
            text.highlight_regex(rf"(?<= ){verdict}(?= |$)", style)
        console.print(text, soft_wrap=True)


def told(days: Iterable[InspectedDay]) -> Iterator[str]:
    """Why days are not good, in lines, with their longest gaps."""
    for one in map(record, days):
        if one["verdict"] == GOOD:
            continue
        yield f"{one['exchange']}:{one['symbol']} {one['date'] or 'of no known day'}: {one['verdict']}"
        yield from (f"  {reason}" for reason in one["reasons"])
        longest = sorted(one["gaps"], key=lambda gap: -gap["seconds"])[:_GAPS_SHOWN]
        for gap in longest:
            yield f"  gap of {_time(gap['seconds'])} from {gap['begin_ts']}: {', '.join(gap['causes'])}"
        if one["gap_count"] and one["gap_count"] > len(longest):
            yield f"  and {one['gap_count'] - len(longest):,} shorter gaps"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _percent(share: float | None) -> str:
    """Cut, not rounded: 100 % is whole."""
    return "" if share is None else f"{int(share * 1e5) / 1e3:.3f} %"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds >= 3600:
        return f"{seconds / 3600:.2f} h"
    return f"{seconds:.3f} s" if seconds < 60 else f"{seconds / 60:.2f} min"
