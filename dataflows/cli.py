"""The ``tickwax`` command."""

import signal
import sys
from types import FrameType

from dataflows.verbs import app
from sources.errors import TickwaxError


def main() -> None:
    """Run a verb; bad input is one line on standard error and exit code 2, Ctrl-C one line and 130."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except TickwaxError as e:
        print(f"tickwax: {e}", file=sys.stderr)
        sys.exit(2)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # Typer ends the process with 130 on its own, but says nothing.
    print("\ntickwax: interrupted", file=sys.stderr)
    raise KeyboardInterrupt
