"""The report of an evaluation as one HTML file, which needs nothing from anywhere else."""

from html import escape

from dataflows.reports.chart_panels import Panel
from dataflows.reports.charts import page_part
from dataflows.reports.evaluation import (
    EvaluationReport,
    calibration_panels,
    drift_table,
    leakage_table,
    luck_table,
    stability_table,
    words,
    worth_table,
)
from dataflows.reports.evaluation_chances import chances_panels, chances_table
from dataflows.reports.text_table import TextTable

LEAKAGE = (
    "One learner, which answers with what followed the rows that look most alike, judged twice: rank correlation of "
    "its forecasts with the returns, and the correlation of their signs. What only shuffled folds show is a leak."
)
LUCK = (
    "Holding one unit on the side of each forecast, before costs, a horizon at a time. Deflated: probability that the "
    "Sharpe ratio is above what the best of as many without skill would show. PBO: how often the best in sample is in "
    "the lower half out of sample."
)
DRIFT = (
    "How often returns lay outside of the calibrated interval, which is to be 10 %, and the changes of that share that "
    "ADWIN sees; and how far the newest block of each input is from the blocks before it: the population stability "
    "index, below 0.1 hardly, above 0.25 much."
)
CHANCES = (
    "Chances of the barrier's three classes, judged by proper scores: only who gives the true chances has the least. "
    "Skill: the share of the log loss that is saved against the shares of the classes in training, which foretell "
    "nothing. Brier score: 0 is right and certain, 2 wrong and certain. Accuracy: how often the likeliest class came; "
    "of the class shares, how often the commonest class of the training did. Calibration error: how far chances are "
    "from how often the class came, in ten bins of each."
)
_STYLE = """
:root{color-scheme:light dark;--line:#8884}
body{font:14px/1.45 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .3rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.15rem .9rem .15rem 0;text-align:right;border-bottom:1px solid var(--line)}
"""


def evaluation_page(report: EvaluationReport) -> str:
    """The page: words first, then the tables and pictures."""
    title = f"{report.kind} on {report.dataset}"
    said = "".join(f"<li>{escape(line)}</li>" for line in words(report))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"<p>The recipe of {escape(report.model)}, trained anew on each of {report.splits} splits; means over "
        f"{report.paths} paths, ± standard errors.</p><ul>{said}</ul>"
        f"<h2>Worth</h2>{_table(worth_table(report))}"
        f"{_barrier(report)}"
        f"<h2>Leakage</h2><p>{escape(LEAKAGE)}</p>{_table(leakage_table(report))}"
        f"<h2>Luck</h2><p>{escape(LUCK)}</p>{_table(luck_table(report))}"
        f"<h2>Drift</h2><p>{escape(DRIFT)}</p>{_table(drift_table(report))}{_table(stability_table(report))}"
        f"<h2>Pictures</h2>{page_part(_panels(report))}</body></html>\n"
    )


def _barrier(report: EvaluationReport) -> str:
    if not report.chances:
        return ""
    return f"<h2>Barrier</h2><p>{escape(CHANCES)}</p>{_table(chances_table(report.chances))}"


def _panels(report: EvaluationReport) -> list[list[Panel]]:
    return [*calibration_panels(report), *(chances_panels(report.chances) if report.chances else [])]


def _table(table: TextTable) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in table.titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row) + "</tr>" for row in table.rows)
    return f"<table><tr>{head}</tr>{body}</table>"
