"""Health is the age of progress, by a clock that the test sets."""

from dataflows.runtime.liveness import Liveness


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_ages_rise_while_nothing_is_done() -> None:
    clock, told = Clock(), []
    liveness = Liveness(30.0, lambda s: told.append(("behind", s)), lambda s: told.append(("on", s)), clock)
    assert (liveness.turn_age, liveness.trouble()) == (0.0, "")  # not begun
    liveness.turn()
    liveness.row()
    clock.now += 29.0
    assert (liveness.turn_age, liveness.row_age, liveness.trouble()) == (29.0, 29.0, "")
    clock.now += 2.0
    assert liveness.trouble() == "the dataflow has stood still for 31 s"
    liveness.turn()
    assert (liveness.turn_age, liveness.trouble()) == (0.0, "")
    assert liveness.row_age == 31.0  # a silent market is no trouble of ours
    assert told == [("behind", 31.0), ("on", 31.0)]
    clock.now += 4.0
    liveness.turn()
    assert len(told) == 2


def test_rows_that_wait_for_the_disk() -> None:
    clock, age = Clock(), [0.0]
    liveness = Liveness(30.0, now=clock)
    liveness.watch_sync("tape", lambda: age[0], 10.0)
    age[0] = 39.0
    assert (liveness.sync_age("tape"), liveness.trouble()) == (39.0, "")
    age[0] = 41.0
    assert liveness.trouble() == "tape: rows have waited for the disk for 41 s"
