"""Damage as disks do it, at seeded places, and how what comes of it is named; `benchmarks/bench_damage.py` counts it.

A subject is a class with a ``name`` that makes sound files in a folder of its own when it is made, and whose ``hurt``
damages a copy of them once, looks at what comes of it, and returns a `Finding`.
"""

from enum import Enum
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

PAGE = 4096


class Outcome(Enum):
    """What came of a damage."""

    SAME = "same rows"
    TOLD = "rows missing, and said"  # how many, and of which file
    REFUSED = "refused in a line"  # that names the file; exit code 1 or 2
    WRONG = "other rows"
    SILENT = "rows missing without a word"
    UNKNOWABLE = "other rows, without a checksum"  # of older files and other producers
    TRACEBACK = "traceback or unclear line"
    SIGNAL = "died of a signal"


GOOD = (Outcome.SAME, Outcome.TOLD, Outcome.REFUSED, Outcome.UNKNOWABLE)


class Finding(NamedTuple):
    """One damage and what came of it."""

    outcome: Outcome
    wound: str  # file, kind and place
    said: str = ""  # lines on standard error, or the error


class Subject(Protocol):
    """Files that are damaged."""

    name: str

    def hurt(self, random: Random) -> Finding:
        """Damage a copy once and see."""


def wound(
    path: Path,
    random: Random,
    kinds: tuple[str, ...] = ("flip", "flips", "zeros", "noise", "cut"),
    span: tuple[int, int] | None = None,
) -> str:
    """Damage a file that is not empty; returns in words how.

    Args:
        kinds: to choose from: one bit, some bits within 64 bytes, a page of zeros, a sector of noise, a missing end.
        span: first byte and end of where the damage begins; anywhere by default.
    """
    data = bytearray(path.read_bytes())
    kind, place = random.choice(kinds), random.randrange(*(span or (0, len(data))))
    if kind == "flip":
        data[place] ^= 1 << random.randrange(8)
    elif kind == "flips":
        for at in range(place, min(place + 64, len(data))):
            data[at] ^= random.getrandbits(8)
    elif kind == "zeros":
        place -= place % PAGE
        data[place : place + PAGE] = bytes(len(data[place : place + PAGE]))
    elif kind == "noise":
        place -= place % 512
        data[place : place + 512] = random.randbytes(len(data[place : place + 512]))
    else:
        del data[place:]
    path.write_bytes(data)
    return f"{path.name}: {kind} at {place:,}"
