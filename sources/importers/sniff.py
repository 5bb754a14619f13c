"""Whose frames a capture holds, for the hint in a refusal."""

from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.archive import capture_blocks
from sources.importers.files import text_blocks
from sources.importers.lines import index_lines, stream_table
from sources.importers.stats import ImportStats
from sources.messages import BookMessage, Frame
from sources.venues.registry import VENUES

_LOOK_FRAMES = 1000


def other_venue(name: str, frame: Frame) -> str | None:
    """The venue, not the one of that name, whose book frame this is; None if there is none.

    >>> other_venue("binance_futures", (0, b'{"topic":"publicTrade.BTCUSDT","data":[]}')) is None
    True
    """
    for other in VENUES.values():
        if other.name != name and any(isinstance(m, BookMessage) for m in other.decoder().decode([frame])):
            return other.name
    return None


def venue_of(path: Path, name: str) -> str | None:
    """The venue, not the one of that name, of the first book frame of a capture that belongs to any."""
    with suppress(TickwaxError), closing(capture_blocks(path, lambda _: None, ImportStats())) as blocks:
        for block in islice(text_blocks(blocks), 1):
            lines = index_lines(block, stream_table())
            for row in range(min(len(lines.start), _LOOK_FRAMES)):
                frame = (int(lines.receive_ts[row]), block[lines.start[row] : lines.stop[row]])
                if other := other_venue(name, frame):
                    return other
    return None
