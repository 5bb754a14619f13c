"""The flag ``--processes`` of several verbs."""

from typing import Annotated

import typer

from sources.errors import TickwaxError

MOST = 128  # processes; a machine that could use more would be news


def process_count(text: object) -> int:
    """The number of processes that a flag asks for.

    Raises:
        TickwaxError: it is none.
    """
    digits = str(text)
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= MOST:
        raise TickwaxError(f"--processes: '{text}' is not a whole number from 1 to {MOST}")
    return int(digits)


Processes = Annotated[
    int,
    typer.Option(
        "--processes",
        parser=process_count,
        metavar="N",
        help="Processes on this machine, each with its share of the instruments; as many as there are cores.",
    ),
]
