"""``tickwax settings``: what is in force, and where it comes from."""

from dataflows.app import app
from dataflows.interpreter import quick_imports


@app.command("settings")
def settings_verb() -> None:
    """Print the effective settings as TOML, each with its source: default, file or environment."""
    with quick_imports():
        from dataflows.jobs.settings import effective
        from dataflows.settings import load_settings
        from dataflows.startup import must_be_shown
        from dataflows.terminal import line
    for text in effective(load_settings()):
        line(text)
    must_be_shown()
