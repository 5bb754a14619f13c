"""Real runs, killed at random moments: every row that had reached a sink is there, once, and with the same bits."""

import time

from dataflows.synthesis import write_synthetic_tape
from sources.simulator.config import SimulatorConfig
from sources.simulator.thread import simulator_thread
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND, processes
from tests.dataflows.test_replay import MODULE
from tests.kills import LiveKills, ReplayKills


def test_live_runs_that_are_killed(tmp_path):
    with simulator_thread(SimulatorConfig(instruments=tuple(INSTRUMENTS)), time.time_ns) as exchange:
        kills = LiveKills(tmp_path, exchange.addresses, seed=4)
        for _ in range(5):
            kills.kill()
            kills.check_unrecovered()
        kills.finish()
    kills.check()
    kills.found.assert_good()


def test_replays_that_are_killed(tmp_path):
    tape = tmp_path / "tape"
    write_synthetic_tape(tape, INSTRUMENTS, 240 * SECOND, 7, start_ns=MIDNIGHT - 4 * SECOND)
    with processes() as start:
        paths = {"tape.path": tape, "features.path": tmp_path / "undisturbed"}
        assert start(paths, *MODULE).wait(120) == 0
    kills = ReplayKills(tmp_path / "killed", tape, tmp_path / "undisturbed", seed=5)
    kills.run(3)
    kills.run(3)
    kills.found.assert_good()
    assert kills.found.kills >= 5
    assert kills.found.resumed > 0
