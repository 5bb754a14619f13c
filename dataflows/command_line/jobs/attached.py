"""What another process records, on the terminal or in a browser."""

import sys
import time
from typing import Any

from dataflows.assembly.attached import prepare_attached, recorded_tape
from dataflows.assembly.attached_quality import Quality
from dataflows.assembly.tapes import first_few
from dataflows.command_line.jobs.live import make_tap, run_shown
from dataflows.reports.newest import newest
from dataflows.reports.status_line import StatusLine
from dataflows.reports.text_table import show
from dataflows.runtime.exit_codes import say
from dataflows.runtime.screen import on_a_terminal
from dataflows.settings.model import Settings, load_settings
from window.tap import Tap
from window.terminal.log import LogLines


def watch_recorder(flags: dict[str, Any], screen: bool) -> None:
    """The features on the terminal's screen; where there is none, the newest of them at the end."""
    settings = load_settings(flags)
    screen = screen and on_a_terminal()
    tap = (
        make_tap(settings)
        if "symbols" in settings.model_fields_set
        else Tap(settings.feature_config(), time.time_ns, {})
    )
    _run(settings, tap, screen)
    if not screen:
        show(newest(tap, settings.feature_config()))


def show_recorder(flags: dict[str, Any]) -> None:
    """The features on a page, until Ctrl-C."""
    from dataflows.assembly.window import open_window  # with a web server, which the terminal need not import

    settings = load_settings(flags)
    recorded_tape(settings)
    expected = settings.live_symbols() if "symbols" in settings.model_fields_set else ()
    window = open_window(settings, settings.feature_config(), "attached", expected)
    try:
        _run(settings, window.tap, False)
    finally:
        window.server.close()


def _run(settings: Settings, tap: Tap, screen: bool) -> None:
    lines = LogLines(None if sys.stderr.isatty() else sys.stderr) if screen else None
    told = StatusLine(sys.stderr)
    live, watch = prepare_attached(settings, tap, lines or told)
    quality = Quality(settings, tap, first_few(say, "more verdicts are not told here; tickwax inspect has all"))
    live.leaving += [told.end, quality.end]
    live.ready()
    quality.begin()
    run_shown(live, 1, tap, settings.feature_config(), lines, told, watch.line)
