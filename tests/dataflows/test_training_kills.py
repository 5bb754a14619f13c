"""`tickwax train qrdqn` killed again and again: it goes on where it was, and ends with the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from sources.instrument import Instrument
from sources.model_folder import read_model
from tests.dataflows.conftest import MIDNIGHT, SECOND

pytestmark = pytest.mark.soak

TICKWAX = Path(sys.executable).with_name("tickwax")
A = Instrument("okx_swap", "A-USDT-SWAP")
SMALL = {
    "TRAIN__COLUMNS": '["ofi_l5_1s"]', "TRAIN__BLOCKS": "3", "TRAIN__TEST_BLOCKS": "1", "AGENT__STEP": "200ms",
    "AGENT__STEPS": "12000", "AGENT__MEMBERS": "1", "AGENT__HIDDEN": "[8]", "AGENT__QUANTILES": "5",
    "AGENT__SIZE": "2", "EXECUTION__TAKER": "0",
}  # fmt: skip


def training(tape: Path, out: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **{f"TICKWAX_{key}": value for key, value in SMALL.items()}}
    command = [str(TICKWAX), "train", "qrdqn", "--tape", str(tape), "--out", str(out)]
    with (out.parent / "said.txt").open("ab") as said:
        return subprocess.Popen(command, env=environment, cwd=out.parent, stdout=said, stderr=said)


def test_killed_it_goes_on_and_ends_with_the_same_bits(tmp_path: Path) -> None:
    write_synthetic_tape(tmp_path / "tape", [A], 50 * SECOND, 3, start_ns=MIDNIGHT, edge=0.8)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    assert training(tmp_path / "tape", tmp_path / "whole/agent").wait() == 0
    random.seed(5)
    kept = tmp_path / "killed/.agent.checkpoints"
    for networks in (1, 2, 3):  # of four; a moment after the first checkpoint of one
        run = training(tmp_path / "tape", tmp_path / "killed/agent")
        while len(list(kept.glob("*"))) < networks:
            assert run.poll() is None, (tmp_path / "killed/said.txt").read_text()[-2000:]
            time.sleep(0.02)
        time.sleep(random.uniform(0.0, 0.5))
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        assert not (tmp_path / "killed/agent").exists()
    assert training(tmp_path / "tape", tmp_path / "killed/agent").wait() == 0
    assert not kept.exists()
    one, other = (read_model(tmp_path / name / "agent", "train.path") for name in ("whole", "killed"))
    assert one.card.identity == other.card.identity
    for name, array in one.arrays.items():
        assert other.arrays[name].tobytes() == array.tobytes(), name
    reports = [(tmp_path / name / "agent/report.json").read_text() for name in ("whole", "killed")]
    assert reports[0] == reports[1]
