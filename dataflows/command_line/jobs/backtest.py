"""What a strategy would have earned on a recorded tape."""

from typing import Any

from bytewax.run import cli_main

from dataflows.assembly.backtest import prepare_backtest
from dataflows.reports.summary import data_set_table, replay_lines
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.kernels import ready_trading
from dataflows.settings.model import load_settings


def backtest(flags: dict[str, Any], workers: int) -> None:
    """Run it to the end and tell of it; ``flags`` are settings.

    Raises:
        TickwaxError: as of `prepare_backtest`.
    """
    run = prepare_backtest(load_settings(flags))
    try:
        run.stop_on_signals()
        ready_trading()
        with run.progress:
            cli_main(run.flow, workers_per_process=workers)
        run.commit()
    finally:
        run.abort()
        run.release_signals()
    for text in replay_lines(run):
        prose(text)
    show(data_set_table(run.sinks))
