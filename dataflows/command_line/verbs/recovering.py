"""The flags of verbs whose runs can be resumed."""

from typing import Annotated

import typer

from sources.errors import TickwaxError

_YEAR = 31_536_000  # s

RecoveryFolder = Annotated[
    str | None,
    typer.Option(
        "--recovery",
        "-r",
        help="Folder, made if need be, from which the same command goes on where it was killed. Of one process.",
    ),
]
SnapshotInterval = Annotated[
    int,
    typer.Option("--snapshot-interval", "-s", min=0, max=_YEAR, help="Seconds of work that a kill costs at the most."),
]
BackupInterval = Annotated[
    int,
    typer.Option(
        "--backup-interval", "-b", min=0, max=_YEAR,
        help="Seconds for which older states are kept, for copies of the folder.",
    ),
]  # fmt: skip


def check_alone(recovery: str | None, processes: int) -> None:
    """Refuse a resumption of several processes.

    Raises:
        TickwaxError: that is asked for.
    """
    if recovery and processes > 1:
        raise TickwaxError(
            f"--recovery: not with --processes {processes}; use --workers, or start each with bytewax.run, -i and -a"
        )
