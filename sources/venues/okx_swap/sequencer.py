"""The sequence rule of OKX order books.

Exchange documentation, "WS / Order book channel", section "Sequence ID" (OKX API v5): the ``prevSeqId`` of a message
matches the ``seqId`` of the one before it; numbers have holes; a snapshot's ``prevSeqId`` is -1. After about 60 s
without a change a message with empty sides comes whose ``seqId`` and ``prevSeqId`` both equal the last ``seqId``.
Numbers may be reset for maintenance: one message then has a ``seqId`` below its ``prevSeqId``, and the next ones follow
it. All connections to a channel are sent the same numbers. So the one rule below holds of every delta, heartbeats and
resets among them.
"""

from sources.sequencer import SnapshotSequencer, StreamRule

_RULE = StreamRule(
    follows=lambda delta, before: delta.previous == before,
    # Numbers have holes, so only a snapshot of the very state that is known is known to have nothing before it.
    skips=lambda snapshot, before: snapshot.final != before,
)


def sequencer() -> SnapshotSequencer:
    """A sequencer of one instrument's book."""
    return SnapshotSequencer(_RULE)
