"""A live run: the exchanges, recorded, computed, watched."""

import sys
import time
from collections.abc import Callable
from typing import Any

import typer
from bytewax.run import cli_main

from dataflows.assembly.live import prepare_live
from dataflows.assembly.tapes import recorded
from dataflows.reports.newest import newest
from dataflows.reports.status_line import StatusLine
from dataflows.reports.summary import data_set_table, try_line
from dataflows.reports.terminal import line, prose
from dataflows.reports.text_table import show
from dataflows.runtime.cluster.runs import LiveTogether, live_together
from dataflows.runtime.cluster.supervisor import Supervisor
from dataflows.runtime.exit_codes import say
from dataflows.runtime.live_run import Live
from dataflows.runtime.metrics import Log
from dataflows.runtime.screen import on_a_terminal, under_screen
from dataflows.runtime.status import Status
from dataflows.settings.model import Settings, load_settings
from operators.config import FeatureConfig
from sources.placement import BY_HASH
from window.tap import Tap
from window.terminal.log import LogLines


def live(flags: dict[str, Any], workers: int, supervisor: Supervisor | None, screen: bool) -> None:
    """Record and compute, in the processes of a supervisor if there is one; ``flags`` are settings."""
    settings = load_settings(flags)
    if supervisor is None:
        tell_live(settings, run_live("live", settings, workers, screen=screen))
    else:
        tell_live(settings, live_together(settings, supervisor, workers))


def record(flags: dict[str, Any], workers: int) -> None:
    """The tape alone."""
    settings = load_settings(flags)
    tell_live(settings, run_live("record", settings, workers, with_features=False))


def watch(flags: dict[str, Any], screen: bool) -> None:
    """The features on the terminal's screen; where there is none, the newest of them at the end."""
    settings = load_settings(flags)
    tap = make_tap(settings)
    run_live("features", settings, tap=tap, screen=screen)
    if not (screen and on_a_terminal()):
        show(newest(tap, settings.feature_config()))


def make_tap(settings: Settings) -> Tap:
    """What the screen looks at."""
    tap = Tap(settings.feature_config(), time.time_ns, {})
    tap.expect(str(i) for i in settings.live_symbols() if i.symbol != "*")
    return tap


def run_live(
    what: str,
    settings: Settings,
    workers: int = 1,
    *,
    screen: bool = False,
    tap: Tap | None = None,
    log: Log | None = None,
    on_ready: Callable[[Live], None] = lambda live: None,
    **choices: Any,
) -> Live:
    """Run until a signal or the duration's end; on the screen, or with a line that tells how it is.

    Args:
        what: the verb.
        screen: whether the screen is wanted, where there is a terminal.
        tap: is shown every row; the screen makes one if there is none.
        log: where log lines go, in place of the screen or standard error.
        on_ready: called when rows are about to come.
        choices: as in `prepare_live`.
    """
    placement = recorded(settings.tape.path, settings.live_symbols()) if workers > 1 else BY_HASH
    screen = screen and on_a_terminal()
    tap = tap or (make_tap(settings) if screen else None)
    lines = LogLines(None if sys.stderr.isatty() else sys.stderr) if screen else None
    told = StatusLine(sys.stderr)
    live = prepare_live(settings, placement=placement, tap=tap, log=log or lines or told, **choices)
    live.leaving.append(told.end)
    live.ready()
    on_ready(live)
    status = status_of(what, settings, live, tap)
    run_shown(live, workers, tap if screen else None, settings.feature_config(), lines, told, status.line)
    return live


def run_shown(
    live: Live,
    workers: int,
    tap: Tap | None,
    config: FeatureConfig,
    lines: LogLines | None,
    told: StatusLine,
    status: Callable[[], str],
) -> None:
    """Run until the end: on the screen if there are lines for its log, else with a line that tells how it is."""
    undo = live.stop_on_signals()

    def flow() -> None:
        cli_main(live.flow, workers_per_process=workers)

    try:
        if lines is not None and tap is not None:
            under_screen(live, flow, tap, config, lines, status)
        else:
            with told.shows(status):
                flow()
    finally:
        undo()
        live.release()


def status_of(what: str, settings: Settings, live: Live, tap: Tap | None) -> Status:
    """The line of a run."""
    symbols = settings.live_symbols()
    books = None if any(i.symbol == "*" for i in symbols) else len(symbols)
    folders = [sink.root for sink in live.sinks.values()]
    duration = settings.duration.ns if settings.duration else None
    rows = None if tap is None else lambda: float(tap.tape_rows)
    return Status(what, books, folders, duration, rows, live.telemetry.liveness.trouble)


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
