"""The sequence rule of Binance spot books.

Exchange documentation, "How to manage a local order book correctly" (spot): buffer the stream, fetch a snapshot, drop
every event with ``u <= lastUpdateId``; the first event applied has ``U <= lastUpdateId + 1 <= u``; each next event's
``U`` is the ``u`` before plus 1. Spot events have no ``pu``.
"""

from typing import Any

from sources.messages import BookMessage
from sources.sequencer import BUFFER_LIMIT, ChainRule, DiffSequencer, Numbers


def _stale(delta: BookMessage, snapshot: int) -> bool:
    return delta.final <= snapshot


def _joins(delta: BookMessage, snapshot: int) -> bool:
    return delta.first <= snapshot + 1 <= delta.final


def _follows(delta: BookMessage | Numbers, final: Any) -> Any:
    return delta.first == final + 1


RULE = ChainRule(_stale, _joins, _follows)


def sequencer(limit: int = BUFFER_LIMIT) -> DiffSequencer:
    """A sequencer that holds at most ``limit`` deltas while it waits for a snapshot."""
    return DiffSequencer(RULE, limit)
