"""The sequence rule of Binance USD-M futures books.

Exchange documentation, "How to manage a local order book correctly" (USD-M futures): buffer the stream, fetch a
snapshot, drop every event with ``u < lastUpdateId``; the first event applied has ``U <= lastUpdateId <= u``; each next
event's ``pu`` equals the ``u`` before. Live, the first event may also have ``pu == lastUpdateId``.
"""

from typing import Any

from sources.messages import BookMessage
from sources.sequencer import BUFFER_LIMIT, ChainRule, DiffSequencer, Numbers


def _stale(delta: BookMessage, snapshot: int) -> bool:
    return delta.final < snapshot


def _joins(delta: BookMessage, snapshot: int) -> bool:
    return delta.first <= snapshot <= delta.final or delta.previous == snapshot


def _follows(delta: BookMessage | Numbers, final: Any) -> Any:
    return delta.previous == final


RULE = ChainRule(_stale, _joins, _follows)


def sequencer(limit: int = BUFFER_LIMIT) -> DiffSequencer:
    """A sequencer that holds at most ``limit`` deltas while it waits for a snapshot."""
    return DiffSequencer(RULE, limit)
