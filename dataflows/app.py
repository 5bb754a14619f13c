"""The root of the ``tickwax`` command, to which each module of `dataflows.verbs` adds its verb."""

import typer

app = typer.Typer(
    name="tickwax",
    help="Crypto market microstructure: order books that are provably right, the same features in research and live.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
