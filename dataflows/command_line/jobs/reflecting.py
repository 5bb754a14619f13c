"""Reflection on runs that are over."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataflows.assembly.reflecting import Reflection, check_reflector, read_episodes, reflect
from dataflows.reports.charts import check_chart_path, draw
from dataflows.reports.reflection import losses_panels, losses_table, write_losses
from dataflows.reports.rules import rules_table
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.settings.model import load_settings
from learning.reflection.analysis import analyse
from sinks.target import check_outside
from sources.errors import TickwaxError


def reflect_on(
    flags: dict[str, Any], runs: Sequence[Path], html: Path | None, parquet: Path | None, analysis_alone: bool
) -> None:
    """Tell where money was lost, and have rules proposed, tested, adopted and retired.

    Args:
        flags: settings, by dotted key.
        runs: folders of backtests or of paper trading; none: `backtest.path`.
        analysis_alone: whether rules are left as they are.

    Raises:
        TickwaxError: as of `read_episodes` and `reflect`, or a file cannot be written.
    """
    settings = load_settings(flags)
    for key, path, suffixes in (("--html", html, (".html", ".png", ".svg")), ("--parquet", parquet, (".parquet",))):
        if path is not None:
            if path.suffix not in suffixes:
                raise TickwaxError(f"{key}: '{path}' does not end with {' or '.join(suffixes)}")
            check_outside(path, key)
    if html is not None:
        check_chart_path("--html", html)
    root = settings.rules.store
    if root is None and not analysis_alone:
        raise TickwaxError("rules.store: empty; name the folder of the rules (--rules), or take --analysis alone")
    if not analysis_alone:
        check_reflector(settings)
    folders = list(runs) or [settings.backtest.path]
    table = read_episodes(folders, settings.features.path)
    buckets = analyse(table)
    lost = sum(b.net for b in buckets if b.by == "side")
    prose(f"{len(table):,} episodes came to {lost:,.2f} after fees. Where money was lost:")
    show(losses_table(buckets))
    if html is not None:
        draw(html, losses_panels(buckets))
        prose(f"pictures in {html}")
    if parquet is not None:
        write_losses(parquet, buckets)
        prose(f"all {len(buckets)} buckets in {parquet}")
    if root is not None and not analysis_alone:
        _tell(reflect(settings, root, table, folders), root)


def _tell(done: Reflection, root: Path) -> None:
    prose(f"learned from {done.seen:,} episodes, tested on {done.unseen:,} later ones")
    for line in (*done.told, *done.skipped):
        prose(line)
    if done.judged or done.retired:
        show(rules_table([*done.retired, *done.judged]))
    else:
        prose("No rule was proposed that needs a test.")
    prose(f"{len(done.version.active):,} rules are adopted in {root}, version {done.version.hash[:12]}")
