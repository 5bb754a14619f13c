"""The ``tickwax`` command."""

import signal
import sys
from types import FrameType

from dataflows.startup import say
from dataflows.terminal import literal, output_error, ready_streams
from dataflows.verbs import app
from sources.errors import TickwaxError


def main() -> None:
    """Run a verb; bad input is one line on standard error and exit code 2, Ctrl-C one line and 130."""
    ready_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except TickwaxError as e:
        say(str(e))
        sys.exit(2)
    except UnicodeEncodeError as e:
        name = literal(e.object[e.start : e.end])
        say(f"{name}: signs that the encoding of this locale does not know; LC_ALL=C.UTF-8 sets one that does")
        sys.exit(2)
    finally:
        if error := output_error():
            say(f"standard output: {error.strerror}; not all of what was said is there")


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # Typer ends the process with 130 on its own, but says nothing.
    print("\ntickwax: interrupted", file=sys.stderr)
    raise KeyboardInterrupt
