"""What training does beside its result."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


def _nothing(line: str) -> None:
    pass


class Work(NamedTuple):
    """Of a training that takes a while.

    Attributes:
        checkpoints: folder of the files that it goes on from after it was killed; None: none are written.
        say: is called with a line that tells how far it is.
    """

    checkpoints: Path | None = None
    say: Callable[[str], None] = _nothing


QUIET = Work()
