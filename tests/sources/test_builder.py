"""The tape's invariants, kept by the builder whatever it is told."""

import numpy as np
import pytest

from sources.tape.batch import DELTA, FUNDING, LIQUIDATION, TRADE, TapeBatch, tape_batch
from sources.tape.builder import TapeBuilder, TapeTail
from sources.tape.collected import NO_LEVELS, Levels
from tests.importers.captures import check_invariants, kinds

LEVELS = Levels(np.array([1, -1], np.int8), np.array([1.0, 2.0]), np.array([3.0, 4.0]))


def rows(kind: int, count: int = 1) -> TapeBatch:
    return tape_batch(
        ordinal=[0] * count, exchange_ts=[7] * count, receive_ts=[8] * count, sequence=[9] * count,
        kind=[kind] * count, side=[1] * count, price=[1.0] * count, size=[1.0] * count, last=[True] * count,
    )  # fmt: skip


def test_rows_and_messages_keep_their_order() -> None:
    builder = TapeBuilder()
    builder.trade(1, 1, 1, -1, 1.5, 2.5)
    builder.snapshot(2, 2, 5, LEVELS)
    builder.extend(rows(DELTA, 2), 6)
    builder.trade(3, 3, 2, 1, 1.5, 2.5)
    builder.delta(4, 4, 7, LEVELS)
    builder.delta(5, 5, 8, NO_LEVELS)
    builder.reset(6)
    builder.reset(7)
    batch = builder.take()
    assert batch is not None
    assert kinds(batch) == ["trade", "snapshot", "delta", "delta", "trade", "delta", "reset"]
    assert (batch.sequence[-1], batch.exchange_ts[-1], batch.receive_ts[-1]) == (8, 4, 6)
    assert batch.price.tolist() == [1.5, 1.0, 2.0, 1.0, 1.0, 1.5, 1.0, 2.0, 0.0]
    check_invariants(batch)
    assert builder.take() is None


def test_prints_of_blocks_are_rows_as_one_by_one() -> None:
    both = TapeBuilder(), TapeBuilder()
    blocks = [rows(TRADE, 5)._replace(price=np.arange(5) + 10.0 * n, sequence=np.arange(5) * n) for n in (1, 2)]
    plan = [(0, 0, 2), (1, 0, 3), (0, 2, 5), (1, 3, 4)]
    taken: list[list[TapeBatch | None]] = [[], []]
    for turn, (n, start, stop) in enumerate(plan):
        block = blocks[n]
        for builder, made in zip(both, taken, strict=True):
            builder.snapshot(100 + turn, 200 + turn, 5 + turn, LEVELS)
            if builder is both[0]:
                builder.prints(block, start, stop)
            else:
                for row in range(start, stop):
                    times = int(block.exchange_ts[row]), int(block.receive_ts[row])
                    builder.trade(*times, int(block.sequence[row]), int(block.side[row]),
                                  float(block.price[row]), float(block.size[row]))  # fmt: skip
            builder.derivative(FUNDING, 3, 4, 5, 0, 0.1, 8.0)
            if turn == 1:
                builder.extend(rows(DELTA, 2), 9)
            if turn != 2:
                made.append(builder.take())
        assert both[0].tail == both[1].tail
        assert both[0].received == both[1].received
    for quick, slow in zip(*taken, strict=True):
        assert quick is not None
        assert slow is not None
        assert all(np.array_equal(a, b) for a, b in zip(quick, slow, strict=True))


def test_derivatives_stand_where_they_came_and_leave_the_book_alone() -> None:
    builder = TapeBuilder()
    builder.derivative(FUNDING, 1, 2, 3, 0, -1e-4, 8.0)
    builder.snapshot(4, 4, 5, LEVELS)
    builder.derivative(LIQUIDATION, 6, 6, 0, -1, 99.0, 0.5)
    builder.delta(7, 7, 6, LEVELS)
    batch = builder.take()
    assert batch is not None
    assert kinds(batch) == ["funding", "snapshot", "liquidation", "delta"]
    assert batch.side.tolist() == [0, 1, -1, -1, 1, -1]
    assert batch.price.tolist() == [-1e-4, 1.0, 2.0, 99.0, 1.0, 2.0]
    assert batch.sequence.tolist() == [3, 5, 5, 0, 6, 6]
    assert builder.tail.book_sequence == 6
    assert builder.tail.next_ordinal == 6


def test_delta_needs_a_book() -> None:
    builder = TapeBuilder()
    builder.extend(rows(TRADE), None)
    with pytest.raises(ValueError, match="before the snapshot"):
        builder.extend(rows(DELTA), 6)
    with pytest.raises(ValueError, match="before the snapshot"):
        builder.delta(1, 1, 1, LEVELS)


@pytest.mark.parametrize("tail", [TapeTail(5, 1, 4, True, False), TapeTail(5, 1, 4, False, True)])
def test_known_or_torn_tape_goes_on_with_a_reset(tail: TapeTail) -> None:
    builder = TapeBuilder(tail)
    builder.extend(rows(TRADE), None)
    batch = builder.take()
    assert batch is not None
    assert kinds(batch) == ["reset", "trade"]
    assert batch.ordinal.tolist() == [5, 6]
    assert (batch.sequence[0], batch.exchange_ts[0], batch.receive_ts[0]) == (4, 1, 8)


def test_empty_snapshot_is_a_reset() -> None:
    builder = TapeBuilder()
    builder.snapshot(1, 1, 5, LEVELS)
    builder.snapshot(2, 2, 6, NO_LEVELS)
    batch = builder.take()
    assert batch is not None
    assert kinds(batch) == ["snapshot", "reset"]
