"""Sequence rules: what is emitted is a snapshot and an unbroken chain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.messages import BookMessage
from sources.sequencer import Numbers, Outcome
from sources.tape.batch import DELTA, SNAPSHOT
from sources.tape.collected import NO_LEVELS
from sources.venues.binance_futures.sequencer import sequencer as futures
from sources.venues.binance_spot.sequencer import sequencer as spot
from sources.venues.bybit_linear.sequencer import sequencer as bybit

EMIT, HOLD, DROP, GAP = Outcome.EMIT, Outcome.HOLD, Outcome.DROP, Outcome.GAP


def delta(first: int, final: int, previous: int = -1) -> BookMessage:
    return BookMessage("X", DELTA, 0, 0, first, final, previous, NO_LEVELS)


def snapshot(number: int) -> BookMessage:
    return BookMessage("X", SNAPSHOT, 0, 0, number, number, -1, NO_LEVELS)


@pytest.mark.parametrize(("first", "final", "previous", "outcome"), [
    (90, 99, 89, DROP),
    (90, 100, 89, EMIT),  # U <= L <= u
    (95, 110, 94, EMIT),
    (103, 110, 100, EMIT),  # pu == L
    (101, 110, 99, GAP),
])  # fmt: skip
def test_futures_join(first: int, final: int, previous: int, outcome: Outcome) -> None:
    s = futures()
    assert [m.final for m in s.snapshot(snapshot(100))] == [100]
    assert s.delta(delta(first, final, previous)) is outcome


@pytest.mark.parametrize(("first", "final", "outcome"), [
    (90, 100, DROP), (90, 101, EMIT), (101, 101, EMIT), (101, 120, EMIT), (102, 110, GAP),
])  # fmt: skip
def test_spot_join(first: int, final: int, outcome: Outcome) -> None:
    s = spot()
    s.snapshot(snapshot(100))
    assert s.delta(delta(first, final)) is outcome


def test_held_deltas_follow_their_snapshot() -> None:
    s = futures()
    for i in range(5):
        assert s.delta(delta(10 * i + 1, 10 * i + 10, 10 * i)) is HOLD
    assert [m.final for m in s.snapshot(snapshot(25))] == [25, 30, 40, 50]
    assert (s.dropped, s.held) == (2, 0)
    assert s.delta(delta(51, 60, 50)) is EMIT
    assert s.delta(delta(71, 80, 70)) is GAP
    assert not s.synced
    assert [m.final for m in s.snapshot(snapshot(75))] == [75, 80]


def test_snapshot_that_is_too_old_is_of_no_use() -> None:
    s = futures()
    s.delta(delta(11, 20, 10))
    assert s.snapshot(snapshot(5)) == ()
    assert (s.snapshots_unusable, s.held, s.synced) == (1, 1, False)
    assert [m.final for m in s.snapshot(snapshot(15))] == [15, 20]


def test_snapshot_of_a_known_book_is_ignored() -> None:
    s = futures()
    s.snapshot(snapshot(5))
    assert s.snapshot(snapshot(7)) == ()
    assert s.snapshots_ignored == 1
    assert s.delta(delta(4, 6, 3)) is EMIT


def test_buffer_is_bounded_and_keeps_the_newest() -> None:
    s = futures(limit=3)
    for i in range(10):
        s.delta(delta(10 * i + 1, 10 * i + 10, 10 * i))
    assert (s.held, s.overflowed) == (3, 7)
    assert [m.final for m in s.snapshot(snapshot(85))] == [85, 90, 100]


def test_break_among_held_deltas_forgets_the_older_ones() -> None:
    s = spot()
    s.delta(delta(1, 5))
    s.delta(delta(9, 12))
    assert (s.gaps, s.held, s.dropped) == (1, 1, 1)
    assert s.snapshot(snapshot(3)) == ()
    assert [m.final for m in s.snapshot(snapshot(8))] == [8, 12]


def test_bybit_snapshot_replaces_at_any_time() -> None:
    s = bybit()
    assert s.delta(delta(5, 5)) is DROP
    assert len(s.snapshot(snapshot(10))) == 1
    assert s.delta(delta(11, 11)) is EMIT
    assert len(s.snapshot(snapshot(11))) == 1  # re-sent
    assert s.delta(delta(12, 12)) is EMIT
    assert len(s.snapshot(snapshot(1))) == 1  # restart
    assert s.delta(delta(2, 2)) is EMIT
    assert s.delta(delta(4, 4)) is GAP
    assert s.delta(delta(5, 5)) is DROP


STEPS = st.lists(
    st.tuples(st.sampled_from(["delta"] * 6 + ["skip", "snapshot", "old", "lost"]), st.integers(1, 5)), max_size=60
)


@pytest.mark.parametrize("make", [futures, spot, bybit])
@given(steps=STEPS)
def test_emitted_chain_is_unbroken(make: object, steps: list[tuple[str, int]]) -> None:
    """Whatever the feed does: from a snapshot on, every message emitted continues the one before."""
    s = make()  # type: ignore[operator]
    final = 100
    emitted: int | None = None  # number of the last message emitted since a reset
    fresh = False  # that was a snapshot
    for step, width in steps:
        if step == "skip":
            final += width
        elif step == "lost":
            s.lost()
            emitted = None
        elif step in ("snapshot", "old"):
            number = final if step == "snapshot" else final - width
            out = s.snapshot(snapshot(number))
            if out:
                assert out[0].kind == SNAPSHOT
                emitted, fresh = number, True
                for m in out[1:]:
                    check(make, m, emitted, fresh)
                    emitted, fresh = m.final, False
        else:
            width = 1 if make is bybit else width
            m = delta(final + 1, final + width, final)
            final = m.final
            outcome = s.delta(m)
            if outcome is EMIT:
                assert emitted is not None
                check(make, m, emitted, fresh)
                emitted, fresh = m.final, False
            elif outcome is GAP:
                emitted = None
            elif outcome is HOLD:
                assert emitted is None
            else:  # dropped: in the snapshot already, or there is no book
                assert emitted is None or (fresh and m.final <= emitted)
        assert s.synced == (emitted is not None)


def check(make: object, m: BookMessage, before: int, fresh: bool) -> None:
    if make is bybit or not fresh:
        assert m.first == before + 1
    else:  # it overlaps the snapshot, or continues it
        assert m.first <= before + 1 <= m.final + 1


@given(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=1, max_size=20))
def test_run_is_delta_by_delta(holes: list[int]) -> None:
    messages, at = [], 0
    for hole in holes:
        at += hole
        messages.append(delta(at + 1, at + 1, at))
        at += 1
    one, many = futures(), futures()
    for s in (one, many):
        s.snapshot(snapshot(0))
        assert s.delta(delta(0, 0, -1)) is EMIT
    columns = Numbers(*(np.array([getattr(m, name) for m in messages]) for name in Numbers._fields))
    count = many.run(columns)
    assert [one.delta(m) is EMIT for m in messages[: count + 1]] == ([True] * count + [False])[: len(messages)]
