"""The ``tickwax`` command: one verb a module."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from sources.errors import TickwaxError

app = typer.Typer(
    name="tickwax",
    help="Crypto market microstructure: order books that are provably right, the same features in research and live.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a verb; bad input is one line on standard error and exit code 2."""
    from dataflows import verbs  # noqa: F401  each module registers its verbs on `app`

    run(app)


def run(command: Callable[..., Any]) -> None:
    """Call ``command``, turning an error that a user is meant to read into one line."""
    try:
        command()
    except TickwaxError as e:
        print(f"tickwax: {e}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("tickwax: interrupted", file=sys.stderr)
        sys.exit(130)
