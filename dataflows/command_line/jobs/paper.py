"""A strategy on the real market, with simulated fills."""

from typing import Any

from dataflows.command_line.jobs.live import run_live, tell_live
from dataflows.reports.backtest import read_results, table
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.cluster.runs import LiveTogether, live_together
from dataflows.runtime.cluster.supervisor import Supervisor
from dataflows.runtime.live_run import Live
from dataflows.settings.model import load_settings


def paper(flags: dict[str, Any], workers: int, supervisor: Supervisor | None, screen: bool) -> None:
    """Trade until a signal or the duration's end, and tell of it; ``flags`` are settings.

    Raises:
        TickwaxError: as of `prepare_live`.
    """
    settings = load_settings(flags)
    run: Live | LiveTogether
    if supervisor is None:
        run = run_live("paper", settings, workers, screen=screen, paper=True)
    else:
        run = live_together(settings, supervisor, workers, paper=True)
    if results := read_results(run.sinks):
        show(table(results))
        prose("The account since its beginning: profit is after fees, and fills are simulated.")
    tell_live(settings, run)
