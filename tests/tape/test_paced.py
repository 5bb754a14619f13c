"""A tape that keeps time: nothing comes early, and everything comes once, in the order of its receive times."""

from pathlib import Path

import numpy as np
import pytest

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from sources.instrument import Instrument
from sources.tape.batch import InstrumentBatch, concat
from sources.tape.paced import PacedTape
from sources.tape.reader import TapeReader

INSTRUMENTS = [Instrument("binance_futures", "BTCUSDT"), Instrument("bybit_linear", "ETHUSDT")]
START = 1_767_571_200_000_000_000
SECOND = 1_000_000_000


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now = 5_000 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("paced") / "tape"
    write_synthetic_tape(root, INSTRUMENTS, 3 * SECOND, 7, start_ns=START)
    return root


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0])
def test_rows_come_when_their_time_has_come(tape: Path, speed: float) -> None:
    clock, readers = Clock(), [TapeReader(tape, instrument) for instrument in INSTRUMENTS]
    source = PacedTape(readers, speed, clock, START).build("tape", 0, 1)
    found: list[InstrumentBatch] = []
    times = [0]
    while True:
        passed = clock.now - 5_000 * SECOND
        try:
            for _, item in source.next_batch():
                newest = int(item.batch.receive_ts.max())
                assert newest <= START + passed * speed
                assert newest > START + (passed - SECOND / 5) * speed - SECOND / 20  # nor much too late
                assert newest >= times[-1]
                times.append(newest)
                found.append(item)
        except StopIteration:
            break
        awake = source.next_awake()
        assert awake is None or awake.timestamp() * 1e9 >= clock.now - 1000
        clock.now += SECOND // 10
    for instrument, reader in zip(INSTRUMENTS, readers, strict=True):
        mine = [item for item in found if item.instrument == instrument]
        whole = concat(list(reader.batches()))
        for got, expected in zip(concat([item.batch for item in mine]), whole, strict=True):
            assert np.array_equal(got, expected)
        assert [item.ended for item in mine] == [False] * (len(mine) - 1) + [True]


def test_a_night_without_rows_is_not_waited_for(tape: Path, tmp_path: Path) -> None:
    write_synthetic_tape(tmp_path / "tape", INSTRUMENTS[:1], SECOND, 7, start_ns=START)
    write_synthetic_tape(tmp_path / "tape", INSTRUMENTS[1:], SECOND, 7, start_ns=START + 36_000 * SECOND)
    readers = [TapeReader(tmp_path / "tape", instrument) for instrument in INSTRUMENTS]
    clock = Clock()
    source = PacedTape(readers, 1.0, clock).build("tape", 0, 1)
    rows = 0
    while rows < sum(reader.rows for reader in readers):
        rows += sum(item.batch.rows for _, item in source.next_batch())
        clock.now += SECOND // 2
    assert clock.now < 5_020 * SECOND  # ten hours lie between the two
