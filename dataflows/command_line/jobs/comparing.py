"""Backtests that have run, side by side."""

from collections.abc import Sequence
from pathlib import Path

from dataflows.assembly.comparing import compare_backtests
from dataflows.command_line.jobs.output_files import check_report_files
from dataflows.reports.charts import draw
from dataflows.reports.comparison import comparison_lines, comparison_panels, comparison_table, settings_table
from dataflows.reports.luck import WORDS, luck_of
from dataflows.reports.planted import edge_lines
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.exit_codes import must_be_shown
from sinks.comparison import write_comparison
from sources.tape.schema import EDGE


def compare(folders: Sequence[Path], html: Path | None, as_json: bool, parquet: Path | None, any_tape: bool) -> None:
    """Compare and tell.

    Raises:
        TickwaxError: as of `compare_backtests`, or a file could not be written.
    """
    check_report_files(html, parquet)
    comparison = compare_backtests(folders, any_tape)
    if parquet is not None:
        write_comparison(parquet, comparison.records(), list(comparison.differing))
    if html is not None:
        draw(html, comparison_panels(comparison))
    if as_json:
        for line in comparison_lines(comparison):
            print(line)
        must_be_shown()
        return
    show(comparison_table(comparison))
    print()
    if trials := comparison.trials():
        show(luck_of(trials))
        prose(WORDS)
        print()
    if comparison.differing:
        show(settings_table(comparison))
    else:
        prose("No setting differs.")
    prose("Profit is after fees; markouts are in basis points of maker fills, or of taker fills; ± standard errors.")
    for line in edge_lines({str(i): comparison.runs[0].settings[i].get(EDGE, "") for i in comparison.instruments}):
        prose(line)
    for path in filter(None, (html, parquet)):
        prose(f"written: {path}")
