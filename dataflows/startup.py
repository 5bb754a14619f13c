"""The start and the end of every verb and dataflow module: what it needs, or one line and an exit code."""

import sys
from collections.abc import Callable
from typing import TypeVar

from dataflows.flags import as_written
from dataflows.terminal import literal, output_error
from sources.errors import DamagedError, TickwaxError
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


def exit_code(error: TickwaxError) -> int:
    """1 where a file is damaged, 2 where what was asked for is wrong."""
    return 1 if isinstance(error, DamagedError) else 2


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
