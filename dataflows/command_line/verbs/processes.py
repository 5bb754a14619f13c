"""The flag ``--processes`` of several verbs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sources.errors import TickwaxError

if TYPE_CHECKING:
    from dataflows.runtime.cluster.supervisor import Supervisor

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


@contextmanager
def started(count: int, flags: dict[str, Any]) -> Iterator["Supervisor | None"]:
    """The processes of a cluster, which import while this one does; None where this one is enough.

    Args:
        flags: settings, by dotted key.

    Raises:
        SystemExit: a process has failed, or the run was interrupted; why has been said.
    """
    if count == 1:
        yield None
        return
    from dataflows.runtime.cluster.supervisor import Failure, Supervisor
    from dataflows.settings.layers import for_children

    try:
        with Supervisor(count, for_children(flags)) as supervisor:
            yield supervisor
    except Failure as e:
        raise SystemExit(e.code) from None


Processes = Annotated[
    int,
    typer.Option(
        "--processes",
        parser=process_count,
        metavar="N",
        help="Processes on this machine, each with its share of the instruments; as many as there are cores.",
    ),
]
