"""Damaged files out of the way of the others: moved, never deleted, and known from then on by another name."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sinks.disk import cannot_write, move
from sources.errors import DamagedError
from sources.tape.layout import DAMAGED, beside, free_name

T = TypeVar("T")


def set_aside(root: Path, file: Path) -> Path:
    """Move a file that nobody can read out of the data set at ``root``, where it would cost the readers all others.

    Returns:
        where it is now: in a folder beside the data set, under its own path and a name that no pattern takes for data.

    Raises:
        TickwaxError: it cannot be moved.
    """
    try:
        folder = beside(root, DAMAGED.removeprefix(".")) / file.relative_to(root).parent
        folder.mkdir(parents=True, exist_ok=True)
        to = free_name(folder / f"{file.name}{DAMAGED}")
        move(file, to)
        with contextlib.suppress(OSError):  # the last of its date
            file.parent.rmdir()
    except OSError as e:
        raise cannot_write(root, e) from e
    return to


def without_damaged(root: Path, read: Callable[[], T], told: Callable[[DamagedError, Path], None]) -> T:
    """What ``read`` gives once the damaged files that it meets in the data set at ``root`` are set aside.

    Args:
        told: of each, with where it is now.

    Raises:
        TickwaxError: as ``read``, if no content is to blame: a disk that does not answer may do so later.
    """
    while True:
        try:
            return read()
        except DamagedError as e:
            if e.path is None:
                raise
            told(e, set_aside(root, e.path))
