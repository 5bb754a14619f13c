"""``tickwax rules``: the store of rules, to read and to change by hand."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, App, app, path_flag
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import settings_of

_EXAMPLES = """
Examples:

    tickwax rules list --rules data/rules

    tickwax rules why 3 --rules data/rules

    tickwax rules export 3 --rules data/rules --out rule.json

    tickwax rules import rule.json --rules data/other-rules
"""

Store = Annotated[str | None, typer.Option("--rules", help="Folder of the rules; as in `rules.store`.")]
Version = Annotated[
    str | None, typer.Option("--version", help="Version to read; the newest without. As in `rules.version`.")
]
Number = Annotated[int, typer.Argument(help="Number of a rule.", metavar="RULE")]

rules_app = App(help="The rules that keep a strategy from losing entries: read them, and change them by hand.")
app.add_typer(rules_app, name="rules", rich_help_panel=RECORDED, epilog=_EXAMPLES)


def _flags(rules: str | None, version: str | None = None) -> dict[str, object]:
    return settings_of({"--rules": ("rules.store", rules), "--version": ("rules.version", version)})


@rules_app.command("list", epilog="Example:\n\n    tickwax rules list --rules data/rules")
def list_verb(
    rules: Store = None,
    version: Version = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are not adopted.")] = False,
) -> None:
    """The adopted rules, or all that were ever proposed."""
    with quick_imports():
        from dataflows.command_line.jobs.rules import list_rules
    list_rules(_flags(rules, version), everything)


@rules_app.command("show", epilog="Example:\n\n    tickwax rules show 3 --rules data/rules")
def show_verb(number: Number, rules: Store = None, version: Version = None) -> None:
    """A rule as JSON, with what became of it."""
    with quick_imports():
        from dataflows.command_line.jobs.rules import show_rule
    show_rule(_flags(rules, version), number)


@rules_app.command("why", epilog="Example:\n\n    tickwax rules why 3 --rules data/rules")
def why_verb(number: Number, rules: Store = None, version: Version = None) -> None:
    """Who proposed a rule, from which episodes, every test of it, and the rules nearest to it."""
    with quick_imports():
        from dataflows.command_line.jobs.rules import tell_why
    tell_why(_flags(rules, version), number)


@rules_app.command("export", epilog="Example:\n\n    tickwax rules export 3 --rules data/rules --out rule.json")
def export_verb(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Numbers; all adopted ones without.", metavar="RULE")
    ] = None,
    rules: Store = None,
    version: Version = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; the terminal without.", parser=path_flag, metavar="FILE")
    ] = None,
) -> None:
    """Rules as a list in JSON."""
    with quick_imports():
        from dataflows.command_line.jobs.rules import export_rules
    export_rules(_flags(rules, version), numbers or [], out)


@rules_app.command("import", epilog="Example:\n\n    tickwax rules import rule.json --rules data/other-rules")
def import_verb(
    file: Annotated[Path, typer.Argument(help="JSON, as `export` writes it.", parser=path_flag)], rules: Store = None
) -> None:
    """Take rules in as proposals: the next `tickwax reflect` tests them."""
    with quick_imports():
        from dataflows.command_line.jobs.rules import import_rules
    import_rules(_flags(rules), file)


@rules_app.command("disable", epilog="Example:\n\n    tickwax rules disable 3 --rules data/rules")
def disable_verb(number: Number, rules: Store = None) -> None:
    """Have a rule consulted, tested and adopted no more."""
    with quick_imports():
        from dataflows.command_line.jobs.rules import disable_rule
    disable_rule(_flags(rules), number)
