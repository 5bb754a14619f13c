"""Tasks over forks of one process: what an interruption says."""

import signal
import subprocess
import sys
import time

import pytest

TASKS = """
import time
from dataflows.runtime.forked import forked
with forked(time.sleep, 60, {processes}, left="half of it was written") as results:
    print("begun", flush=True)
    for _ in results:
        time.sleep(0.1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_an_interruption_says_what_there_is(processes):
    code = [sys.executable, "-c", TASKS.format(processes=processes)]
    process = subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert said == "tickwax: interrupted; half of it was written\n"
    assert process.returncode == 128 + signal.SIGINT
