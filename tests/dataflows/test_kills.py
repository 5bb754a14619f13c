"""Real runs, killed at random moments: every row that had reached a sink is there, once, and with the same bits."""

import subprocess
import time

import pytest

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from simulator.thread import simulator_thread
from sources.tape.batch import concat
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND, processes
from tests.dataflows.test_replay import MODULE
from tests.kills import LiveKills, ReplayKills, checksum
from tests.markets import market

LIVE_MODULE = ("-m", "bytewax.run", "dataflows.live")


@pytest.mark.soak
def test_live_runs_that_are_killed(tmp_path):
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as exchange:
        kills = LiveKills(tmp_path, exchange.addresses, seed=4)
        for _ in range(5):
            kills.kill()
            kills.check_unrecovered()
        kills.finish()
    kills.check()
    kills.found.assert_good()


@pytest.mark.soak
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


def test_a_live_run_on_a_disk_that_fills_up(start, tmp_path):
    """One line, and all that was written before is there once there is room again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=768k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    try:
        busy = market(instruments=tuple(INSTRUMENTS), events_per_second=4000.0)
        with simulator_thread(busy, time.time_ns) as exchange:
            settings = {**exchange.addresses, "symbols": '["binance_futures:*"]', "features.path": ""}
            settings["tape.path"] = disk / "tape"
            process = start(settings, *LIVE_MODULE)
            _, stderr = process.communicate(timeout=60)
            assert process.returncode == 1
            assert stderr.splitlines()[-1] == f"tickwax: cannot write to {disk}/tape: No space left on device"
            before = {i: concat(list(TapeReader(disk / "tape", i).batches())) for i in INSTRUMENTS[:3]}
            assert sum(rows.rows for rows in before.values()) > 2000
            subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
            assert start({**settings, "duration": "1s"}, *LIVE_MODULE).wait(60) == 0
        for instrument, rows in before.items():
            after = concat(list(TapeReader(disk / "tape", instrument).batches()))
            assert after.rows > rows.rows
            assert checksum(after.slice(0, rows.rows)) == checksum(rows)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
