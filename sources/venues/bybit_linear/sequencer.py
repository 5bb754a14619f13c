"""The sequence rule of Bybit V5 linear books.

Exchange documentation, "Orderbook" (V5 WebSocket): a snapshot comes first and may come again at any time, and replaces
the book; ``u == 1`` means a service restart and replaces it too (the decoder calls that a snapshot); a delta continues
when its ``u`` is the ``u`` before plus 1.
"""

from sources.sequencer import NUMBERED, UNNUMBERED, SnapshotSequencer


def sequencer(numbered: bool = True) -> SnapshotSequencer:
    """A sequencer of one topic's book; ``numbered``: a snapshot of a known book may show that messages are missing."""
    return SnapshotSequencer(NUMBERED if numbered else UNNUMBERED)
