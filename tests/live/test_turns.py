"""The live source lets the connections' thread have its turn between two drains."""

import threading
from typing import Any

from sources.instrument import Instrument
from sources.live.source import _LivePartition
from sources.tape.batch import InstrumentBatch, concat

ITEM = InstrumentBatch(Instrument("v", "S"), concat([]))
MS = 1_000_000


class Connections:
    """In place of a `Collector`."""

    def __init__(self) -> None:
        self.waiting: list[InstrumentBatch] = []
        self.turns: list[threading.Event] = []

    def drain(self) -> list[InstrumentBatch]:
        taken, self.waiting = self.waiting, []
        return taken

    def turn(self) -> threading.Event:
        self.turns.append(threading.Event())
        return self.turns[-1]

    def stop(self, timeout: float) -> bool:
        return True


def started() -> tuple[Any, Connections, list[int]]:
    connections: Any = Connections()
    now = [0]
    live = _LivePartition(connections, lambda: now[0], threading.Event(), None, lambda error: None, str)
    connections.waiting = [ITEM]
    assert live.next_batch() == [("v:S", ITEM)]
    assert live.next_awake() is None  # called again when the dataflow is through with them
    assert live.next_batch() == []
    assert live.next_awake() is not None
    connections.waiting = [ITEM]
    return live, connections, now


def test_nothing_is_drained_before_the_thread_had_its_turn() -> None:
    live, connections, _ = started()
    assert live.next_batch() == []
    (turn,) = connections.turns
    turn.set()
    assert live.next_batch() == [("v:S", ITEM)]
    assert live.next_batch() == []
    assert len(connections.turns) == 2


def test_a_thread_that_takes_long_is_not_waited_for() -> None:
    live, _, now = started()
    now[0] = 19 * MS
    assert live.next_batch() == []
    now[0] = 20 * MS
    assert live.next_batch() == [("v:S", ITEM)]


def test_where_no_rows_come_no_turn_is_asked_for() -> None:
    live, connections, _ = started()
    connections.turns[0].set()
    connections.waiting = []
    for _ in range(3):
        assert live.next_batch() == []
    connections.waiting = [ITEM]
    assert live.next_batch() == [("v:S", ITEM)]
    assert len(connections.turns) == 1
