"""What chances of the barrier's classes are worth beside simple ones, in a table, words and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from dataflows.reports.chart_panels import Panel
from dataflows.reports.sweep import with_error
from dataflows.reports.text_table import TextTable
from operators.models.served import CLASSES

_FEW = 20  # labels
_SHARES = "class shares"


def chances_table(records: Sequence[Mapping[str, Any]]) -> TextTable:
    """A line an instrument and forecaster, each figure with its standard error.

    Args:
        records: of `EvaluationReport.chances`.
    """
    titles = ("barrier", "model", "log loss", "skill", "Brier score", "accuracy", "calibration error")
    table = TextTable(titles, keys=2)
    for one in records:
        names = ("log_loss", "log_loss_skill", "brier", "accuracy", "miscalibration")
        table.add(one["instrument"], one["model"], *(with_error(one[n], one[f"{n}_error"], 4) for n in names))
    return table


def chances_words(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the figures say, and what they cannot say."""
    said = []
    for one in records:
        if one["verdict"] is None:
            continue
        place = f"barrier, {one['instrument']}"
        saved = "" if one["better"] is None else (
            f"; it saves {with_error(100 * one['better'], _percent(one['better_error']), 2)} % of its log loss"
        )  # fmt: skip
        said.append(f"{place}: {one['model']} {one['verdict']}{saved}.")
        commonest = next(
            c["accuracy"] for c in records if (c["instrument"], c["model"]) == (one["instrument"], _SHARES)
        )
        said.append(
            f"{place}: its likeliest class came in {one['accuracy']:.1%} of the rows, the class that was the commonest "
            f"in training in {commonest:.1%}."
        )
        said.append(f"{place}: {_cannot(one)}")
    return said


def _cannot(one: Mapping[str, Any]) -> str:
    effective = f"{one['rows']:,} rows are {one['effective_rows']:,.0f} labels without overlap"
    error = one["log_loss_skill_error"]
    if one["effective_rows"] < _FEW or error is None:
        return f"{effective}: no figure of the barrier means anything."
    return f"{effective}: a skill below {2 * error:.4f} cannot be told from nothing."


def chances_panels(records: Sequence[Mapping[str, Any]]) -> list[list[Panel]]:
    """Of the first instrument or all, a panel a class: how often it came, by the chance that was given to it."""
    mine = [one for one in records if one["instrument"] == records[0]["instrument"] and one["model"] != _SHARES]
    return [
        [
            Panel(
                f"barrier: chances of {name}",
                "chance",
                "share that came",
                [
                    ("right", [0, 1], [0, 1]),
                    *((one["model"], *_curve(one, name)) for one in mine),
                ],
                dotted=True,
            )
            for name in CLASSES
        ]
    ]


def _curve(one: Mapping[str, Any], name: str) -> tuple[list[float], list[float]]:
    pairs = zip(one[f"reliability_{name}_chance"], one[f"reliability_{name}_share"], strict=True)
    known = [(chance, share) for chance, share in pairs if chance is not None]
    return [chance for chance, _ in known], [share for _, share in known]


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
