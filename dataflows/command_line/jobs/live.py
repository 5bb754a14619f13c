"""A live run: the exchanges, recorded, computed, watched."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import typer
from bytewax.run import cli_main
from rich.console import Console
from rich.live import Live as LiveDisplay

from dataflows.assembly.live import prepare_live
from dataflows.assembly.tapes import recorded
from dataflows.reports.live_table import LiveTable
from dataflows.reports.summary import data_set_table, try_line
from dataflows.reports.terminal import line, prose
from dataflows.reports.text_table import show
from dataflows.runtime.cluster.runs import LiveTogether, live_together
from dataflows.runtime.cluster.supervisor import Supervisor
from dataflows.runtime.exit_codes import say
from dataflows.runtime.live_run import Live
from dataflows.settings.model import Settings, load_settings
from operators.feature_engine import FeatureEngine
from sources.instrument import Instrument
from sources.placement import BY_HASH

_A_SECOND = 4  # times that the table is drawn anew


def live(flags: dict[str, Any], workers: int, supervisor: Supervisor | None) -> None:
    """Record and compute, in the processes of a supervisor if there is one; ``flags`` are settings."""
    settings = load_settings(flags)
    if supervisor is None:
        tell_live(settings, run_live(settings, workers))
    else:
        tell_live(settings, live_together(settings, supervisor, workers))


def record(flags: dict[str, Any], workers: int) -> None:
    """The tape alone."""
    settings = load_settings(flags)
    tell_live(settings, run_live(settings, workers, with_features=False))


def watch(flags: dict[str, Any]) -> None:
    """The features in a table on the terminal."""
    settings = load_settings(flags)
    engines: dict[Instrument, FeatureEngine] = {}
    board = LiveTable(settings.feature_config(), engines)
    if display := displayed(board):
        with display:
            run_live(settings, watcher=board, engines=engines)
    else:  # a table that is drawn again and again is of use to no reader of a pipe
        run_live(settings, watcher=board, engines=engines)
        show(board.table())


def displayed(board: LiveTable, *, transient: bool = False) -> LiveDisplay | None:
    """The table drawn again and again while its block lasts; None where standard output is no terminal.

    Args:
        transient: it is wiped out at the end.
    """
    if not sys.stdout.isatty():
        return None
    return LiveDisplay(
        get_renderable=board.picture, console=Console(), refresh_per_second=_A_SECOND, transient=transient
    )


def run_live(
    settings: Settings,
    workers: int = 1,
    display: AbstractContextManager[Any] | None = None,
    on_ready: Callable[[Live], None] = lambda live: None,
    **choices: Any,
) -> Live:
    """Run until a signal or the duration's end; ``display`` is there while rows come, ``on_ready`` is called when they
    are about to, ``choices`` are those of `prepare_live`."""
    placement = recorded(settings.tape.path, settings.live_symbols()) if workers > 1 else BY_HASH
    live = prepare_live(settings, placement=placement, **choices)
    live.ready()
    on_ready(live)
    undo = live.stop_on_signals()
    try:
        with display or nullcontext():
            cli_main(live.flow, workers_per_process=workers)
    finally:
        undo()
        live.release()
    return live


def tell_live(settings: Settings, live: Live | LiveTogether) -> None:
    """Tell what a run has done; ends with an exit code if it failed."""
    show(data_set_table(live.sinks))
    written = "features" in live.sinks and live.sinks["features"].rows_written
    if written and (hint := try_line(settings.features.path)):
        line(hint)
    for text in live.closing_lines():
        prose(text)
    if live.left:
        say(live.left)
    if failure := live.failure or live.nothing:
        say(failure)
        raise typer.Exit(1)
