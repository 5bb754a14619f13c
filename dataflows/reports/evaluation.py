"""What a model is worth beside simple ones, in tables and words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataflows.reports.chart_panels import Panel
from dataflows.reports.evaluation_chances import chances_words
from dataflows.reports.planted import edge_lines
from dataflows.reports.sweep import with_error
from dataflows.reports.text_table import TextTable

_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_BPS = 1e4
_FEW = 20  # horizons
_MOST_INPUTS = 8  # that a table names


@dataclass(frozen=True)
class EvaluationReport:
    """Of one model on one data set, as plain records.

    Attributes:
        judged: a record a horizon, instrument and forecaster; the model's has a verdict.
        leaks: a record a horizon: shuffled folds beside purged ones.
        luck: a record a horizon: deflated Sharpe ratio and probability of overfitting.
        edges: of synthetic markets, by instrument.
        holes: lines on holes in the rows that are as long as a block.
        inputs: a record an input: how much it changed in the newest block, the most first.
        errors: a record a horizon: when the model's errors changed.
        chances: a record an instrument and forecaster of the barrier's classes, where the model tells their chances.
    """

    model: str
    dataset: str
    kind: str
    splits: int
    paths: int
    judged: Sequence[Mapping[str, Any]]
    leaks: Sequence[Mapping[str, Any]]
    luck: Sequence[Mapping[str, Any]]
    edges: Mapping[str, str]
    holes: Sequence[str] = ()
    inputs: Sequence[Mapping[str, Any]] = ()
    errors: Sequence[Mapping[str, Any]] = ()
    chances: Sequence[Mapping[str, Any]] = ()


def worth_table(report: EvaluationReport) -> TextTable:
    """A line a horizon, instrument and forecaster, each figure with its standard error."""
    titles = ("horizon", "instrument", "model", "pinball, bp", "skill", "R²", "rank corr.", "hit rate", "90 % cover",
              "width, bp")  # fmt: skip
    table = TextTable(titles, keys=3)
    for one in report.judged:
        table.add(
            one["horizon"],
            one["instrument"],
            one["model"],
            _of(one, "pinball", 3, _BPS),
            _of(one, "skill", 4),
            _of(one, "r2", 4),
            _of(one, "rank", 3),
            _of(one, "hits", 3),
            _of(one, "coverage", 3),
            _of(one, "sharpness", 2, _BPS),
        )
    return table


def leakage_table(report: EvaluationReport) -> TextTable:
    """A line a horizon: one learner under shuffled folds and under purged ones."""
    table = TextTable(("horizon", "shuffled", "purged", "signs, shuffled", "signs, purged"))
    for one in report.leaks:
        signs = (f"{one['shuffled_sign']:.3f}", f"{one['purged_sign']:.3f}")
        table.add(one["horizon"], _of(one, "shuffled", 3), _of(one, "purged", 3), *signs)
    return table


def luck_table(report: EvaluationReport) -> TextTable:
    """A line a horizon: what holding the forecast side is worth, and how much of it is luck."""
    titles = ("horizon", "periods", "tried", "Sharpe ratio a period", "deflated", "PBO")
    table = TextTable(titles)
    for one in report.luck:
        numbers = (f"{one[name]:.3f}" if one[name] == one[name] else "-" for name in ("sharpe", "deflated", "pbo"))
        table.add(one["horizon"], f"{one['periods']:,}", f"{one['configurations']}", *numbers)
    return table


def drift_table(report: EvaluationReport) -> TextTable:
    """A line a horizon: how often the model's intervals missed, and since when."""
    table = TextTable(("horizon", "stretches", "missed", "missed of late", "changes", "last change"))
    for one in report.errors:
        last = "-" if one["last_ts"] is None else f"{np.datetime64(one['last_ts'] // 10**9, 's')}Z"
        figures = (f"{one['missed']:.1%}", f"{one['newest']:.1%}", f"{one['changes']:,}", last)
        table.add(one["horizon"], f"{one['stretches']:,}", *figures)
    return table


def stability_table(report: EvaluationReport) -> TextTable:
    """A line an input, of those that changed the most."""
    table = TextTable(("input", "PSI", ""))
    for one in report.inputs[:_MOST_INPUTS]:
        psi = one["psi"]
        table.add(
            one["column"], f"{psi:.3f}", "as before" if psi < 0.1 else "changed" if psi < 0.25 else "much changed"
        )
    return table


def words(report: EvaluationReport) -> list[str]:
    """What the figures say, and what they cannot say."""
    said = [*edge_lines(report.edges), *report.holes]
    for one in report.judged:
        if one["verdict"] is None:
            continue
        saved = "" if one["better"] is None else (
            f"; it saves {with_error(100 * one['better'], _times(one['better_error'], 100), 2)} % of its pinball loss"
        )  # fmt: skip
        said.append(f"{one['horizon']}, {one['instrument']}: {one['model']} {one['verdict']}{saved}.")
    said.extend(_cannot(one) for one in report.judged if one["verdict"] is not None)
    return [*said, *chances_words(report.chances)]


def _cannot(one: Mapping[str, Any]) -> str:
    effective = f"{one['rows']:,} rows are {one['effective_rows']:,.0f} horizons without overlap"
    place = f"{one['horizon']}, {one['instrument']}: {effective}"
    if one["effective_rows"] < _FEW or one["r2_error"] is None:
        return f"{place}: no figure of this horizon means anything."
    return (
        f"{place}: an R² below {2 * one['r2_error']:.4f} and a hit rate within {2 * (one['hits_error'] or 0):.3f} of a "
        "half cannot be told from nothing."
    )


def calibration_panels(report: EvaluationReport) -> list[list[Panel]]:
    """For each horizon, of the first instrument or all: shares below each quantile, and R² of each forecaster."""
    rows = []
    for horizon in dict.fromkeys(one["horizon"] for one in report.judged):
        mine = [one for one in report.judged if one["horizon"] == horizon]
        mine = [one for one in mine if one["instrument"] == mine[0]["instrument"]]
        names = ("05", "25", "50", "75", "95")
        curves = [(one["model"], list(_LEVELS), [one[f"below_{name}"] for name in names]) for one in mine]
        intervals = [
            (one["model"], [one["r2"] - 2 * (one["r2_error"] or 0), one["r2"] + 2 * (one["r2_error"] or 0)], [at, at])
            for at, one in enumerate(mine)
            if one["r2"] is not None
        ]
        rows.append(
            [
                Panel(f"{horizon}: calibration", "quantile", "share below", [("right", [0, 1], [0, 1]), *curves]),
                Panel(f"{horizon}: R², ± 2 standard errors", "R²", "", intervals, marks=[("0", 0.0)]),
            ]
        )
    return rows


def _of(one: Mapping[str, Any], name: str, digits: int, scale: float = 1.0) -> str:
    return with_error(_times(one[name], scale), _times(one[f"{name}_error"], scale), digits)


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
