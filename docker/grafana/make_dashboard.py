"""Writes `dashboards/tickwax.json`, Grafana's dashboard of a live run: ``python docker/grafana/make_dashboard.py``."""

import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "dashboards" / "tickwax.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH = 24  # of Grafana's grid

# A panel: title, unit, what it tells, and its queries with their legends.
Row = list[tuple[str, str, str, list[tuple[str, str]]]]

_HERE = 'instance=~"$instance"'
_VENUE = f'{_HERE},venue=~"$venue"'


def _rate(metric: str, by: str, where: str = _VENUE) -> str:
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def _rise(metric: str, by: str, where: str = _VENUE) -> str:
    return f"sum by ({by}) (increase({metric}{{{where}}}[$__rate_interval]))"


def _quantile(q: float, metric: str, where: str, by: str = "le") -> str:
    return f"histogram_quantile({q}, sum by ({by}) (rate({metric}_bucket{{{where}}}[$__rate_interval])))"


STATS: Row = [
    ("Healthy", "bool", "0 once a process has stood still.", [(f"min(tickwax_healthy{{{_HERE}}})", "")]),
    ("Known books", "short", "Books that are known now.", [(f"sum(tickwax_books_known{{{_VENUE}}})", "")]),
    ("Tape rows a second", "short", "", [(f'sum(rate(tickwax_rows_total{{{_HERE},sink="tape"}}[1m]))', "")]),
    ("Messages missing, 1 h", "short", "", [(f"sum(increase(tickwax_gaps_total{{{_VENUE}}}[1h]))", "")]),
    ("Since the newest row", "s", "", [(f"max(tickwax_newest_row_age_seconds{{{_HERE}}})", "")]),
    ("Waits for the disk", "s", "The oldest row.", [(f"max(tickwax_unsynced_seconds{{{_HERE}}})", "")]),
]

ROWS: dict[str, Row] = {
    "From the exchanges": [
        ("Frames", "cps", "", [(_rate("tickwax_frames_total", "venue, stream"), "{{venue}} {{stream}}")]),
        ("Bytes", "Bps", "", [(_rate("tickwax_received_bytes_total", "venue"), "{{venue}}")]),
        (
            "Delay behind the exchange", "s", "Receive time less exchange time; below 0 a clock is wrong.",
            [(f"max by (venue) (tickwax_exchange_delay_seconds{{{_VENUE}}})", "{{venue}}")],
        ),
        (
            "Messages missing", "short", "Each one makes a book unknown.",
            [(_rise("tickwax_gaps_total", "venue, stream"), "{{venue}} {{stream}}")],
        ),
        (
            "Books", "short", "Known now, and lost: resets on the tape.",
            [
                (f"sum by (venue) (tickwax_books_known{{{_VENUE}}})", "known, {{venue}}"),
                (_rise("tickwax_books_lost_total", "venue"), "lost, {{venue}}"),
            ],
        ),
        (
            "Until a book is known again", "s", "",
            [
                (_quantile(0.5, "tickwax_resync_seconds", _VENUE, "le, venue"), "median, {{venue}}"),
                (_quantile(0.95, "tickwax_resync_seconds", _VENUE, "le, venue"), "95 %, {{venue}}"),
            ],
        ),
        (
            "Connections and streams", "short", "Connections lost or not opened, and streams that fell silent.",
            [
                (_rise("tickwax_disconnects_total", "venue"), "lost, {{venue}}"),
                (_rise("tickwax_stale_streams_total", "venue"), "silent, {{venue}}"),
            ],
        ),
        (
            "Refused and not understood", "short", "",
            [
                (_rise("tickwax_refusals_total", "venue"), "refused, {{venue}}"),
                (_rise("tickwax_bad_frames_total", "venue"), "not understood, {{venue}}"),
                (_rise("tickwax_ignored_frames_total", "venue"), "ignored, {{venue}}"),
            ],
        ),
        (
            "Left out", "short", "Trades that came twice, and prints that are not from the book.",
            [
                (_rise("tickwax_repeated_trades_total", "venue"), "twice, {{venue}}"),
                (_rise("tickwax_off_book_prints_total", "venue, kind"), "{{kind}}, {{venue}}"),
            ],
        ),
    ],
    "Through the dataflow": [
        ("Rows", "cps", "Rows handed to a sink.", [(_rate("tickwax_rows_total", "sink", _HERE), "{{sink}}")]),
        (
            "From a frame to its feature row", "s", "",
            [(_quantile(q, "tickwax_wire_to_feature_seconds", _HERE), name)
             for q, name in ((0.5, "median"), (0.99, "99 %"))],
        ),
        (
            "Rows that wait", "short", "Before the dataflow, and instruments that found no room.",
            [
                (f"sum by (instance) (tickwax_buffered_rows{{{_HERE}}})", "waiting, {{instance}}"),
                (_rise("tickwax_overflows_total", "venue"), "no room, {{venue}}"),
            ],
        ),
        (
            "Progress", "s", "Since the slowest worker took rows, and since a row was handed on.",
            [
                (f"max by (instance) (tickwax_turn_age_seconds{{{_HERE}}})", "turn, {{instance}}"),
                (f"max by (instance) (tickwax_newest_row_age_seconds{{{_HERE}}})", "row, {{instance}}"),
            ],
        ),
    ],
    "To disk, stores and Kafka": [
        (
            "Waits for the disk", "s", "The oldest row.",
            [(f"max by (instance, sink) (tickwax_unsynced_seconds{{{_HERE}}})", "{{sink}}, {{instance}}")],
        ),
        (
            "Damage", "short", "Bytes and rows of journals, and files that were set aside.",
            [
                (_rise("tickwax_damaged_bytes_total", "sink", _HERE), "bytes, {{sink}}"),
                (_rise("tickwax_damaged_rows_total", "sink", _HERE), "rows, {{sink}}"),
                (_rise("tickwax_quarantined_total", "kind", _HERE), "{{kind}}"),
            ],
        ),
        (
            "Object store", "short", "1 while it is away; attempts that failed.",
            [
                (f"max by (sink) (tickwax_store_away{{{_HERE}}})", "away, {{sink}}"),
                (_rise("tickwax_store_failures_total", "sink", _HERE), "failed, {{sink}}"),
            ],
        ),
        (
            "Kafka: rows", "cps", "",
            [(_rate("tickwax_kafka_rows_total", "topic, state", _HERE), "{{topic}} {{state}}")],
        ),
        (
            "Kafka: waiting", "bytes", "To be sent or confirmed.",
            [(f"sum by (topic) (tickwax_kafka_buffered_bytes{{{_HERE}}})", "{{topic}}")],
        ),
        (
            "Kafka: trouble", "short", "No confirmation; delivery given up; messages that are none of a tape.",
            [
                (_rise("tickwax_kafka_stalls_total", "topic", _HERE), "stalls, {{topic}}"),
                (f"max by (topic) (tickwax_kafka_failed{{{_HERE}}})", "given up, {{topic}}"),
                (_rise("tickwax_kafka_foreign_total", "topic", _HERE), "foreign, {{topic}}"),
            ],
        ),
    ],
    "Forecasts": [
        (
            "From a frame to its forecast", "s", "And what the forecasts of a batch of rows took.",
            [
                (_quantile(0.5, "tickwax_wire_to_forecast_seconds", _HERE), "median"),
                (_quantile(0.99, "tickwax_wire_to_forecast_seconds", _HERE), "99 %"),
                (_quantile(0.99, "tickwax_predict_seconds", _HERE), "99 % of a batch"),
            ],
        ),
        (
            "Drift of inputs", "short", "Population stability index against training: the five that moved most.",
            [
                (
                    f"topk(5, max by (instrument, column) (tickwax_forecast_input_psi{{{_HERE}}}))",
                    "{{column}}, {{instrument}}",
                ),
            ],
        ),
        (
            "Returns outside of the interval", "percentunit", "And changes of that share that ADWIN has seen.",
            [
                (
                    f"max by (instrument, horizon) (tickwax_forecast_missed_share{{{_HERE}}})",
                    "{{horizon}}, {{instrument}}",
                ),
                (
                    _rise("tickwax_forecast_error_changes_total", "instrument, horizon", _HERE),
                    "changes, {{horizon}}, {{instrument}}",
                ),
            ],
        ),
    ],
    "Paper trading": [
        (
            "Equity", "short", "Cash and position at the mid, in quote currency.",
            [(f"sum by (instrument) (tickwax_paper_equity{{{_HERE}}})", "{{instrument}}")],
        ),
        (
            "Position", "short", "In base currency.",
            [(f"sum by (instrument) (tickwax_paper_position{{{_HERE}}})", "{{instrument}}")],
        ),
        (
            "Orders", "short", "That rest, fills, and rejects.",
            [
                (f"sum by (instrument) (tickwax_paper_open_orders{{{_HERE}}})", "open, {{instrument}}"),
                (_rise("tickwax_paper_fills_total", "instrument", _HERE), "fills, {{instrument}}"),
                (_rise("tickwax_paper_rejects_total", "instrument", _HERE), "rejects, {{instrument}}"),
            ],
        ),
    ],
}  # fmt: skip


def _panel(kind: str, number: int, place: dict[str, int], one: Any) -> dict[str, Any]:
    title, unit, description, queries = one
    defaults: dict[str, Any] = {"unit": unit}
    if unit == "bool":
        steps = [{"color": "red", "value": None}, {"color": "green", "value": 1}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    targets = [
        {"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
        for n, (expr, legend) in enumerate(queries)
    ]
    return {
        "id": number, "type": kind, "title": title, "description": description, "datasource": SOURCE,
        "gridPos": place, "targets": targets, "fieldConfig": {"defaults": defaults, "overrides": []},
    }  # fmt: skip


def _variable(name: str, label: str, metric: str) -> dict[str, Any]:
    query = f"label_values({metric}, {name})"
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "query": query, "refresh": 2,
        "includeAll": True, "multi": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard, of Grafana's schema 36."""
    panels: list[dict[str, Any]] = []
    for n, one in enumerate(STATS):
        width = WIDTH // len(STATS)
        panels.append(_panel("stat", len(panels) + 1, {"x": n * width, "y": 0, "w": width, "h": 4}, one))
    y = 4
    for title, row in ROWS.items():
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": place,
                       "panels": []})  # fmt: skip
        y += 1
        for n, one in enumerate(row):
            place = {"x": n % 3 * 8, "y": y + n // 3 * 8, "w": 8, "h": 8}
            panels.append(_panel("timeseries", len(panels) + 1, place, one))
        y += -(-len(row) // 3) * 8
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    variables = [
        source,
        _variable("instance", "Process", "tickwax_healthy"),
        _variable("venue", "Venue", "tickwax_frames_total"),
    ]
    return {
        "uid": "tickwax", "title": "tickwax", "tags": ["tickwax"], "schemaVersion": 36, "editable": True,
        "timezone": "utc", "refresh": "10s", "time": {"from": "now-1h", "to": "now"}, "graphTooltip": 1,
        "templating": {"list": variables}, "panels": panels,
    }  # fmt: skip


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUT.write_text(text())
