"""The small cases once more with the kernels as plain Python: what Numba compiles is what is written."""

import os
import subprocess
import sys

import pytest


@pytest.mark.soak
def test_small_cases_pass_with_compilation_off() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-m", "jit_off", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run([*command, "tests/operators"], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:]
    assert "passed" in run.stdout
