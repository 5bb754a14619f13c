"""How a venue writes its market."""

from typing import NamedTuple


class Style(NamedTuple):
    """Cadence of a venue's book, and its way to write prices and sizes."""

    interval_ms: int  # of the fastest book stream; the slower ones join several changes
    padding: int = 0  # zeros that prices have beyond their tick
    bare_zero: bool = False  # a removed level has the size ``0``, not ``0.000``
