"""The start and the end of every verb and dataflow module: what it needs, or one line and an exit code."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dataflows.reports.terminal import literal, output_error
from dataflows.settings.flags import as_written
from sources.errors import DamagedError, DiskFailure, TickwaxError
from sources.redaction import redacted

T = TypeVar("T")


def or_exit(prepare: Callable[[], T]) -> T:
    """What ``prepare`` gives; for ``python -m bytewax.run``, where no command line of ours stands around the import.

    Raises:
        SystemExit: it raised a `TickwaxError`, with its `exit_code`; the line is on standard error.
    """
    try:
        return prepare()
    except TickwaxError as e:
        say(str(e))
        sys.exit(exit_code(e))


def exit_code(error: BaseException, of_bad_input: int = 2) -> int:
    """2 where what was asked for is wrong; 1 where a file is damaged, or something failed half-way."""
    bad_input = isinstance(error, TickwaxError) and not isinstance(error, DamagedError | DiskFailure)
    return of_bad_input if bad_input else 1


def in_a_line(error: BaseException) -> str:
    """What went wrong; of an error that no user is meant to meet also where, so that it can be reported."""
    if isinstance(error, TickwaxError):
        return str(error)
    while error.__cause__ is not None:
        error = error.__cause__
    what = " ".join(str(error).split())
    steps = traceback.extract_tb(error.__traceback__)
    at = f" ({Path(steps[-1].filename).name}:{steps[-1].lineno})" if steps else ""
    return f"ended by an error: {type(error).__name__}{': ' if what else ''}{what}{at}"


def must_be_shown() -> None:
    """For a verb of which standard output is the whole result.

    Raises:
        SystemExit: not all of it could be written (code 1); `dataflows.cli` says why.
    """
    if output_error():
        sys.exit(1)


def say(line: str) -> None:
    """A line to the user, beside what is printed as a result: flags by their names, and no secrets of addresses."""
    print(f"tickwax: {literal(redacted(as_written(line)))}", file=sys.stderr, flush=True)
