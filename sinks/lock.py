"""One writer at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sources.errors import TickwaxError


@contextmanager
def only_writer(root: Path) -> Iterator[None]:
    """Hold the data set at ``root`` against other processes that write to it; the system lets go of a dead one.

    Raises:
        TickwaxError: another process holds it, or the folder cannot be written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)  # the folder is its own lock: no file that stays behind
    except OSError as e:
        raise TickwaxError(f"cannot write to {root}: {e.strerror}") from e
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TickwaxError(f"{root}: another process is writing to it; wait for its end") from None
        yield
    finally:
        os.close(folder)
