"""What a model is worth."""

import json
from pathlib import Path

from rich.progress import TimeRemainingColumn

from dataflows.assembly.evaluating import evaluate_model
from dataflows.reports.charts import check_chart_path, write_page
from dataflows.reports.evaluation import leakage_table, luck_table, words, worth_table
from dataflows.reports.evaluation_page import LEAKAGE, LUCK, evaluation_page
from dataflows.reports.progress import progress_bar
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from sinks.evaluation import write_evaluation
from sinks.target import check_outside
from sources.errors import TickwaxError
from sources.tape.schema import EDGE


def evaluate(
    model: Path,
    dataset: Path,
    html: Path | None = None,
    parquet: Path | None = None,
    blocks: int | None = None,
    test_blocks: int | None = None,
) -> None:
    """Judge it and tell.

    Raises:
        TickwaxError: as of `evaluate_model`, or a file could not be written.
    """
    if html is not None:
        if html.suffix != ".html":
            raise TickwaxError(f"--html: '{html}' does not end with .html")
        check_chart_path("--html", html)
    if parquet is not None and (parquet.suffix != ".parquet" or parquet.is_dir()):
        raise TickwaxError(f"--parquet: '{parquet}' is not a file that ends with .parquet")
    for key, path in (("--html", html), ("--parquet", parquet)):
        if path is not None:
            check_outside(path, key)
    bar = progress_bar("evaluate", "{task.completed:,} of {task.total:,} trainings", TimeRemainingColumn())
    task = bar.add_task("evaluate", total=None)
    with bar:
        report = evaluate_model(
            model, dataset, blocks, test_blocks, lambda done, of: bar.update(task, completed=done, total=of)
        )
    show(worth_table(report))
    paths = "1 path" if report.paths == 1 else f"Means over {report.paths} paths"
    prose(f"{paths} of {report.splits} splits, ± standard errors; the recipe, trained anew.")
    print()
    show(leakage_table(report))
    prose(LEAKAGE)
    print()
    show(luck_table(report))
    prose(LUCK)
    print()
    for line in words(report):
        prose(line)
    if parquet is not None:
        write_evaluation(parquet, report.judged, {EDGE: json.dumps(dict(report.edges))})
    if html is not None:
        write_page(html, evaluation_page(report))
    for path in filter(None, (html, parquet)):
        prose(f"written: {path}")
