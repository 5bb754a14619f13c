"""``tickwax ui``: a recording in a browser."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.command_line.verbs.live import UiPort
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of
from sources.errors import TickwaxError

_EXAMPLES = """
Examples:

    tickwax ui data/tape

    tickwax ui --features data/features --tape data/tape

    tickwax ui data/tape --symbols binance_futures:BTCUSDT --start 2024-08-08T23:55:00Z

    tickwax ui --attach data/tape
"""


@app.command("ui", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def ui_verb(
    recording: Annotated[
        str | None, typer.Argument(metavar="TAPE", help="Tape to show; its features are computed first.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Folder of features to show, as they are; as in `features.path`.")
    ] = None,
    tape: Annotated[str | None, typer.Option(help="Their tape, for book and trades; as in `tape.path`.")] = None,
    symbols: Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")] = None,
    start: Annotated[
        str | None, typer.Option(help="First `receive_ts` of a TAPE, UTC; of --attach 5 minutes ago.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Of a TAPE: the `receive_ts` to stop before.")] = None,
    attach: Annotated[
        bool, typer.Option("--attach", help="Show what another process records to the tape now, as it comes.")
    ] = False,
    ui_port: UiPort = None,
) -> None:
    """Serve a page that shows a **recording** in a browser: play it at any speed, go to any time of it. Without
    arguments, the features and the tape of the settings. A run that goes on shows itself: `tickwax live --ui`, or is
    shown by another process: `tickwax ui --attach`."""
    if recording is not None and tape is not None:
        raise TickwaxError(f"--tape: '{tape}' beside the tape '{recording}'; one of them is enough")
    if attach and (features or end):
        raise TickwaxError("--attach: shows a tape that is recorded now, to no end; leave out --features and --end")
    if features is not None and (start or end):
        raise TickwaxError("--start, --end: cut a TAPE whose features are computed; --features shows all there are")
    flags = settings_of(
        {
            "--features": ("features.path", features),
            "--tape": ("tape.path", tape if recording is None else recording),
            "--symbols": ("symbols", listed(symbols)),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
            "--ui-port": ("ui.port", ui_port),
        }
    )
    if attach:
        with quick_imports():
            from dataflows.command_line.jobs.attached import show_recorder
        show_recorder(flags)
        return
    with quick_imports():
        from dataflows.command_line.jobs.window import show
    show(flags, computes=features is None and (recording is not None or tape is not None))
