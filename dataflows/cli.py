"""The ``tickwax`` command."""

import shutil
import signal
import sys
from types import FrameType
from typing import Any

import typer

from dataflows.command_line.verbs import app
from dataflows.reports.terminal import UNKNOWN_SIGNS, literal, output_error, ready_streams
from dataflows.runtime.exit_codes import exit_code, say
from sources.errors import TickwaxError

# Typer has its own copy of Click and exports only BadParameter, whose base this is.
UsageError: Any = typer.BadParameter.__base__
_TABLE = 100  # columns; in fewer a table of flags would cut their names, and plain help does not


def main() -> None:
    """Run a verb; bad input is one line on standard error and exit code 2, a damaged file 1, Ctrl-C 130."""
    ready_streams()
    if shutil.get_terminal_size().columns < _TABLE:
        typer.core.HAS_RICH = False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        sys.exit(app(prog_name="tickwax", standalone_mode=False))
    except UsageError as e:
        line = e.format_message()
        if "\n" in line:  # the help of a group that was given no verb; with tables it has been shown
            print(line)
        elif line:
            say(f"{line.rstrip('.')}; see {e.ctx.command_path if e.ctx else 'tickwax'} --help")
        sys.exit(e.exit_code)
    except TickwaxError as e:
        say(str(e))
        sys.exit(exit_code(e))
    except UnicodeEncodeError as e:
        name = literal(e.object[e.start : e.end])
        say(f"{name}: {UNKNOWN_SIGNS}")
        sys.exit(2)
    finally:
        if error := output_error():
            say(f"standard output: {error.strerror}; not all of what was said is there")


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # Typer ends the process with 130 on its own, but says nothing.
    print("\ntickwax: interrupted", file=sys.stderr)
    raise KeyboardInterrupt
