"""The start of every dataflow module: what it needs, or one line and exit code 2."""

import sys
from collections.abc import Callable
from typing import TypeVar

from sources.errors import TickwaxError

T = TypeVar("T")


def or_exit(prepare: Callable[[], T]) -> T:
    """What ``prepare`` gives; for ``python -m bytewax.run``, where no command line of ours stands around the import.

    Raises:
        SystemExit: it raised a `TickwaxError` (code 2); the line is on standard error.
    """
    try:
        return prepare()
    except TickwaxError as e:
        say(str(e))
        sys.exit(2)


def say(line: str) -> None:
    """A line to the user, beside what is printed as a result."""
    print(f"tickwax: {line}", file=sys.stderr, flush=True)
