"""The ``tickwax`` command: one verb a module."""

import signal
import sys
from types import FrameType

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
    """Run a verb; bad input is one line on standard error and exit code 2, Ctrl-C one line and 130."""
    from dataflows import verbs  # noqa: F401  each module registers its verbs on `app`

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except TickwaxError as e:
        print(f"tickwax: {e}", file=sys.stderr)
        sys.exit(2)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # Typer ends the process with 130 on its own, but says nothing.
    print("\ntickwax: interrupted; nothing was written", file=sys.stderr)
    raise KeyboardInterrupt
