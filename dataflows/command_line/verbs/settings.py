"""``tickwax settings``: what is in force, and where it comes from."""

from dataflows.command_line.app import TOOLS, app
from dataflows.runtime.process_tuning import quick_imports

_EXAMPLES = """
Examples:

    tickwax settings

    tickwax settings > saved.toml

    TICKWAX_FEATURES__SAMPLING=update tickwax settings --config other.toml
"""


@app.command("settings", rich_help_panel=TOOLS, epilog=_EXAMPLES)
def settings_verb() -> None:
    """Print the effective settings as TOML, each with its source: default, file or environment."""
    with quick_imports():
        from dataflows.command_line.jobs.settings import effective
        from dataflows.reports.terminal import line
        from dataflows.runtime.exit_codes import must_be_shown
        from dataflows.settings.model import load_settings
    for text in effective(load_settings()):
        line(text)
    must_be_shown()
