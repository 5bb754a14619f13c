"""The root of the ``tickwax`` command, to which each module of `dataflows.command_line.verbs` adds its verb."""

import inspect
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from dataflows.settings.flags import CONFIG_FLAG, GIVEN
from dataflows.settings.local_paths import local_path

_CONFIG_HELP = "Settings, as TOML; without: TICKWAX_CONFIG, then ./tickwax.toml."


F = TypeVar("F", bound=Callable[..., None])


def path_flag(text: str | Path) -> Path:
    """`local_path` as the parser of a flag.

    Raises:
        typer.BadParameter: as `local_path`.
    """
    try:
        return local_path(str(text))
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None


def _take_config(value: str | None) -> str | None:
    if value is not None:  # of `tickwax --config A verb --config B`, the later
        GIVEN.config = value
    return value


Config = Annotated[
    str | None, typer.Option(CONFIG_FLAG, callback=_take_config, is_eager=True, metavar="FILE", help=_CONFIG_HELP)
]


class App(typer.Typer):
    """A group of verbs that have settings, unless they say otherwise: each has the flag that names their file."""

    def command(self, name: str | None = None, *, has_settings: bool = True, **choices: Any) -> Callable[[F], F]:
        """As in Typer."""
        add = super().command(name, **choices)

        def decorate(function: F) -> F:
            add(_with_config(function) if has_settings else function)
            return function

        return decorate


def _with_config(function: Callable[..., None]) -> Callable[..., None]:
    @wraps(function)
    def verb(config: str | None = None, **given: Any) -> None:
        function(**given)

    signature = inspect.signature(function)
    own = inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Config)
    verb.__signature__ = signature.replace(parameters=[*signature.parameters.values(), own])  # type: ignore[attr-defined]
    verb.__annotations__ = {**function.__annotations__, "config": Config}
    return verb


_EXAMPLES = """
Examples:

    tickwax demo

    tickwax features --symbols binance_futures:BTCUSDT

    tickwax live --symbols "bybit_linear:*" --duration 1h

    tickwax synth --span 1m --symbols binance_futures:BTCUSDT --tape data/tape

    tickwax replay --tape data/tape --features data/features

Each command has more of them: tickwax replay --help
"""
_GREETING = """\
tickwax {version}: order books and market microstructure features, from exchanges and from recordings.

  tickwax demo           see it work: simulated exchanges on this machine, no data and no network needed
  tickwax features       watch a real market in a table; writes nothing
  tickwax import --help  begin with market data that you have

tickwax --help lists all commands.\
"""

# Headings of the list of commands.
BEGIN, LIVE, RECORDED, TOOLS = "Begin here", "From the exchanges", "From recorded data", "Tools"

app = App(
    name="tickwax",
    help="Crypto market microstructure: order books that are provably right, the same features in research and live.",
    epilog=_EXAMPLES,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tickwax {version('tickwax')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    tell_version: Annotated[
        bool, typer.Option("--version", "-V", is_eager=True, callback=_tell_version, help="Print the version.")
    ] = False,
    config: Config = None,
) -> None:
    """Take the flags that stand before the verb, and greet who gives none."""
    GIVEN.names, GIVEN.offered, GIVEN.config = {}, {}, config  # not those of an earlier command line in this process
    if context.invoked_subcommand is None:
        typer.echo(_GREETING.format(version=version("tickwax")))
