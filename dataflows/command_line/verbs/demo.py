"""``tickwax demo``: everything once, on a machine with no data and no network."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import BEGIN, app, path_flag
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import settings_of


@app.command(
    "demo",
    rich_help_panel=BEGIN,
    epilog="Examples:\n\n    tickwax demo\n\n    tickwax demo --folder /tmp/demo --duration 10m",
)
def demo_verb(
    folder: Annotated[
        Path, typer.Option(help="Where the demo's tape and features go.", parser=path_flag, metavar="DIR")
    ] = Path("data/demo"),
    duration: Annotated[str, typer.Option(help="How long the market runs.")] = "35s",
    ui: Annotated[
        bool, typer.Option("--ui/--no-ui", help="Open the page in a browser, where there is a screen for it.")
    ] = True,
) -> None:
    """Run **simulated exchanges on this machine**, connect to them over real sockets, record the tape, compute every
    feature, and show what came out: order flow, a picture, and what to try next. Where there is a screen, a page in a
    browser shows it meanwhile. The log goes to `demo.log` in the folder. Ctrl-C ends it early, in order. The first
    time, compiling takes half a minute more.
    """
    with quick_imports():
        from dataflows.command_line.jobs.demo import demo
    given = settings_of({"--duration": ("duration", duration)})  # so that an error names the flag
    demo(folder, given["duration"], ui)
