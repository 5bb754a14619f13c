"""Files that a report is written to."""

from pathlib import Path

from dataflows.reports.charts import check_chart_path
from sinks.target import check_outside
from sources.errors import TickwaxError


def check_report_files(html: Path | None, parquet: Path | None) -> None:
    """Refuse, before any work, a page or a table that could not be written; None: it is not asked for.

    Raises:
        TickwaxError: another suffix than .html or .parquet, a folder, or a place inside a data set.
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
