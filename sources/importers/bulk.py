"""Parsed frames onto a tape: what continues the book goes in many rows at once, the rest message by message."""

from collections.abc import Callable

import numpy as np

from sources.builder import Levels
from sources.events import DELTA
from sources.feed import Feed
from sources.importers.frames import Frames
from sources.messages import BookMessage
from sources.sequencer import DiffSequencer, Numbers


def record(
    feed: Feed, sequencer: DiffSequencer, symbol: str, frames: Frames, decode: Callable[[int, int], None]
) -> None:
    """Record frames in their order.

    Args:
        feed: the instrument's.
        sequencer: that of ``feed``.
        symbol: the instrument's.
        frames: as the kernel parsed them.
        decode: records the frames ``start:stop``, which the kernel did not take.
    """
    count = len(frames.good)
    left = np.append(np.flatnonzero(~frames.good), count)
    deltas = np.flatnonzero(frames.good & frames.delta)
    at = 0
    while at < count:
        end = int(left[np.searchsorted(left, at)])  # of the good frames that follow
        if at == end:
            good = np.flatnonzero(frames.good[at:])
            end = at + int(good[0]) if len(good) else count
            decode(at, end)
            at = end
            continue
        chain = deltas[np.searchsorted(deltas, at) : np.searchsorted(deltas, end)]
        run = sequencer.run(Numbers(frames.first[chain], frames.final[chain], frames.previous[chain]))
        stop = int(chain[run]) if run < len(chain) else end
        rows = frames.tape_rows(int(frames.row[at]), int(frames.row[stop]))
        feed.builder.extend(rows, int(frames.final[chain[run - 1]]) if run else None)
        feed.trades += stop - at - run
        if stop < end:
            feed.book(_delta(frames, stop, symbol))
            stop += 1
        at = stop


def _delta(frames: Frames, frame: int, symbol: str) -> BookMessage:
    """The message of one frame, with levels of its own: it may be held for long, and must not hold its block too."""
    start, stop = int(frames.row[frame]), int(frames.row[frame + 1])
    rows = frames.rows
    levels = Levels(rows.side[start:stop].copy(), rows.price[start:stop].copy(), rows.size[start:stop].copy())
    return BookMessage(
        symbol,
        DELTA,
        int(frames.exchange_ts[frame]),
        int(frames.receive_ts[frame]),
        int(frames.first[frame]),
        int(frames.final[frame]),
        int(frames.previous[frame]),
        levels,
    )
