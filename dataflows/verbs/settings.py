"""``tickwax settings``: what is in force, and where it comes from."""

import typer

from dataflows.app import app
from dataflows.interpreter import quick_imports


@app.command("settings")
def settings_verb() -> None:
    """Print the effective settings as TOML, each with its source: default, file or environment."""
    with quick_imports():
        from dataflows.jobs.settings import effective
        from dataflows.settings import load_settings
    for line in effective(load_settings()):
        typer.echo(line)
