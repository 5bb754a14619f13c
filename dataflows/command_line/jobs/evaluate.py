"""What a model is worth."""

import json
from pathlib import Path

from rich.progress import TimeRemainingColumn

from dataflows.assembly.evaluating import evaluate_model
from dataflows.command_line.jobs.output_files import check_report_files
from dataflows.reports.charts import write_page
from dataflows.reports.evaluation import drift_table, leakage_table, luck_table, stability_table, words, worth_table
from dataflows.reports.evaluation_chances import chances_table
from dataflows.reports.evaluation_page import CHANCES, DRIFT, LEAKAGE, LUCK, evaluation_page
from dataflows.reports.progress import progress_bar
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.interruption import INTERRUPTED_S, ending_within
from sinks.evaluation import write_evaluation
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
    check_report_files(html, parquet)
    bar = progress_bar("evaluate", "{task.completed:,} of {task.total:,} trainings", TimeRemainingColumn())
    task = bar.add_task("evaluate", total=None)
    with bar, ending_within(INTERRUPTED_S):
        report = evaluate_model(
            model, dataset, blocks, test_blocks, lambda done, of: bar.update(task, completed=done, total=of)
        )
    show(worth_table(report))
    paths = "1 path" if report.paths == 1 else f"Means over {report.paths} paths"
    prose(f"{paths} of {report.splits} splits, ± standard errors; the recipe, trained anew.")
    print()
    if report.chances:
        show(chances_table(report.chances))
        prose(CHANCES)
        print()
    show(leakage_table(report))
    prose(LEAKAGE)
    print()
    show(luck_table(report))
    prose(LUCK)
    print()
    show(drift_table(report))
    print()
    show(stability_table(report))
    prose(DRIFT)
    print()
    for line in words(report):
        prose(line)
    if parquet is not None:
        write_evaluation(parquet, [*report.judged, *report.chances], {EDGE: json.dumps(dict(report.edges))})
    if html is not None:
        write_page(html, evaluation_page(report))
    for path in filter(None, (html, parquet)):
        prose(f"written: {path}")
