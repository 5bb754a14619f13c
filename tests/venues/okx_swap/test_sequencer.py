"""The sequence rule of OKX books, against a server written from the exchange's documentation.

The documentation ("WS / Order book channel", "Sequence ID"): "The prevSeqId in the new message matches with seqId of
the previous message. The smallest possible sequence ID value is 0, except in snapshot messages where the prevSeqId is
always -1." "If there are no updates to the depth for an extended period […], OKX will send a message with 'asks': [],
'bids': []" whose "seqId is the same as the last sent message and prevSeqId equals to seqId." "The sequence number may
be reset due to maintenance, and in this case, users will receive an incremental message with seqId smaller than
prevSeqId. However, subsequent messages will follow the regular sequencing rule."
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.messages import BookMessage
from sources.sequencer import Outcome
from sources.tape.batch import DELTA, SNAPSHOT
from sources.tape.collected import NO_LEVELS
from sources.venues.okx_swap.sequencer import sequencer

EMIT, DROP, GAP = Outcome.EMIT, Outcome.DROP, Outcome.GAP


def message(kind: int, previous: int, number: int, time: int = 0) -> BookMessage:
    return BookMessage("BTC-USDT-SWAP", kind, time, time, number, number, previous, NO_LEVELS)


def test_the_documentations_example() -> None:
    """Snapshot 10; 10 → 15; no update, 15 → 15; sequence reset, 15 → 3; 3 → 5."""
    s = sequencer()
    assert s.delta(message(DELTA, 8, 10)) is DROP
    assert [m.final for m in s.snapshot(message(SNAPSHOT, -1, 10))] == [10]
    for previous, number in ((10, 15), (15, 15), (15, 3), (3, 5)):
        assert s.delta(message(DELTA, previous, number)) is EMIT
    assert s.gaps == 0


@pytest.mark.parametrize("previous", [-1, 0, 9, 11, 14, 16])
def test_a_message_that_names_another_one_is_a_gap(previous: int) -> None:
    s = sequencer()
    s.snapshot(message(SNAPSHOT, -1, 15))
    assert s.delta(message(DELTA, previous, 20)) is GAP
    assert not s.synced
    assert s.delta(message(DELTA, 20, 25)) is DROP
    s.snapshot(message(SNAPSHOT, -1, 25))
    assert s.delta(message(DELTA, 25, 26)) is EMIT


def test_a_snapshot_of_another_state_shows_a_hole() -> None:
    s = sequencer()
    s.snapshot(message(SNAPSHOT, -1, 10))
    assert not s.skips(message(SNAPSHOT, -1, 10))
    assert s.skips(message(SNAPSHOT, -1, 12))
    assert s.skips(message(SNAPSHOT, -1, 3))  # after a reset of the numbers
    assert s.gaps == 2


class Server:
    """Sends what the documentation describes; every message knows the state of the book before and after it."""

    def __init__(self) -> None:
        self.number = 10
        self.state = 0  # counts the changes of the book: what the client's book must be, whatever the numbers
        self._used = {10}

    def send(self, what: str, width: int) -> tuple[BookMessage, int]:
        """A message, and the state of the book that it continues."""
        before, state = self.number, self.state
        if what == "snapshot":
            return message(SNAPSHOT, -1, before), state
        if what != "idle":
            # Numbers that come again after a reset could not be told apart by anyone: here they do not.
            lower = [n for n in range(before) if n not in self._used]
            higher = [n for n in range(before + 1, before + 1000) if n not in self._used]
            self.number = lower[-1] if what == "reset" and lower else higher[width - 1]
            self._used.add(self.number)
            self.state += 1
        return message(DELTA, before, self.number), state


WHAT = st.sampled_from(["update"] * 5 + ["idle", "reset", "snapshot"])
STEPS = st.lists(st.tuples(WHAT, st.integers(1, 7), st.sampled_from(["sent"] * 3 + ["lost"])), max_size=60)


@given(STEPS)
def test_the_book_is_held_for_known_exactly_while_nothing_is_missing(steps: list[tuple[str, int, str]]) -> None:
    """Whatever is lost on the way: a delta is emitted if and only if the client has the book that it continues."""
    server, s = Server(), sequencer()
    mine: int | None = None  # state of the client's book
    for what, width, fate in steps:
        m, base = server.send(what, width)
        if fate == "lost":
            continue
        if m.kind == SNAPSHOT:
            # A hole is told exactly if changes are missing before the snapshot.
            assert s.skips(m) == (mine is not None and mine != base)
            assert list(s.snapshot(m)) == [m]
            mine = base
        elif mine is None:
            assert s.delta(m) is DROP
        elif mine == base:
            assert s.delta(m) is EMIT
            mine = server.state
        else:
            assert s.delta(m) is GAP
            mine = None
        assert s.synced == (mine is not None)


def test_another_connections_chain_is_joined_at_the_same_message() -> None:
    """ "The set of sequence ID received by users is the same if users are connecting to the same channel through
    multiple websocket connections." """
    s = sequencer()
    s.snapshot(message(SNAPSHOT, -1, 10, time=100))
    s.delta(message(DELTA, 10, 15, time=200))
    chain = [message(SNAPSHOT, -1, 12, time=150), message(DELTA, 12, 15, time=200), message(DELTA, 15, 18, time=300)]
    assert s.splice(chain[:1]) is None
    rest = s.splice(chain)
    assert rest is not None
    assert [m.final for m in rest] == [18]
    assert s.delta(message(DELTA, 18, 19, time=400)) is EMIT
