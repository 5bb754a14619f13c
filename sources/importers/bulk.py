"""Parsed frames onto a tape: what continues the book goes in many rows at once, the rest message by message."""

from collections.abc import Callable

import numpy as np

from sources.importers.feed_handler import RecordedFeedHandler
from sources.importers.frames import AGGREGATE, Frames
from sources.messages import BookMessage, TradeMessage
from sources.sequencer import DiffSequencer, Numbers
from sources.tape.batch import DELTA, Int64s
from sources.tape.collected import Levels


def record(
    handler: RecordedFeedHandler,
    sequencer: DiffSequencer,
    frames: Frames,
    decode: Callable[[int, int], None],
    apply: Callable[[int, int], None],
) -> tuple[int, int]:
    """Record frames in their order; gives how many messages, and of these deltas, were recorded here.

    Args:
        handler: the instrument's.
        sequencer: that of ``handler``.
        frames: as the kernel parsed them.
        decode: records the frames ``start:stop``, which the kernel did not take.
        apply: records the frames ``start:stop``, which must be judged one by one.
    """
    count = len(frames.good)
    left = np.append(np.flatnonzero(~frames.good), count)
    deltas = np.flatnonzero(frames.good & frames.delta)
    prints = np.flatnonzero(frames.good & ~frames.delta)
    at = messages = books = 0
    while at < count:
        end = int(left[np.searchsorted(left, at)])  # of the good frames that follow
        if at == end:
            good = np.flatnonzero(frames.good[at:])
            end = at + int(good[0]) if len(good) else count
            decode(at, end)
            at = end
            continue
        told = _between(prints, at, end)
        stop = at_most(end, told, _fresh(handler, frames, told))
        chain = _between(deltas, at, stop)
        numbers = (frames.first, frames.final, frames.previous, frames.exchange_ts)
        run = sequencer.run(Numbers._make(column[chain] for column in numbers))
        stop = at_most(stop, chain, run)
        told = _between(told, at, stop)
        if len(told):
            handler.prints.take(
                stream_of(frames, int(told[0])), frames.final[told], frames.previous[told], frames.exchange_ts[told]
            )
        rows = frames.tape_rows(int(frames.row[at]), int(frames.row[stop]))
        handler.builder.extend(rows, int(frames.final[chain[run - 1]]) if run else None)
        handler.trades += len(told)
        messages, books = messages + stop - at, books + run
        if stop < end:
            apply(stop, stop + 1)
            stop += 1
        at = stop
    return messages, books


def at_most(end: int, frames: Int64s, count: int) -> int:
    """The place before which the first ``count`` of ``frames`` stand, and none other; ``end`` if all do."""
    return int(frames[count]) if count < len(frames) else end


def stream_of(frames: Frames, frame: int) -> str:
    """Kind of the stream of a print."""
    return "aggTrade" if frames.what[frame] == AGGREGATE else "trade"


def message(frames: Frames, frame: int, symbol: str, beside: str) -> BookMessage | TradeMessage:
    """The message of one frame, with levels of its own: it may be held for long, and must not hold its block too.

    Args:
        beside: as in `BookMessage`.
    """
    start, stop = int(frames.row[frame]), int(frames.row[frame + 1])
    rows = frames.rows
    exchange_ts, receive_ts = int(frames.exchange_ts[frame]), int(frames.receive_ts[frame])
    first, final, previous = int(frames.first[frame]), int(frames.final[frame]), int(frames.previous[frame])
    if not frames.delta[frame]:
        side, price, size = int(rows.side[start]), float(rows.price[start]), float(rows.size[start])
        stream = stream_of(frames, frame)
        return TradeMessage(
            symbol, exchange_ts, receive_ts, final, side, price, size, stream=stream, first=first, final=previous
        )
    levels = Levels(rows.side[start:stop].copy(), rows.price[start:stop].copy(), rows.size[start:stop].copy())
    return BookMessage(symbol, DELTA, exchange_ts, receive_ts, first, final, previous, levels, beside)


def _fresh(handler: RecordedFeedHandler, frames: Frames, prints: Int64s) -> int:
    """How many of the prints, from the first on, are of one stream and new."""
    if len(prints) == 0:
        return 0
    what = frames.what[prints]
    same = prints[: at_most(len(what), np.flatnonzero(what != what[0]), 0)]
    return handler.prints.fresh(stream_of(frames, int(prints[0])), frames.final[same])


def _between(places: Int64s, start: int, stop: int) -> Int64s:
    return places[np.searchsorted(places, start) : np.searchsorted(places, stop)]
