"""Ctrl-C where the main thread hears nothing."""

import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

_DEAF = """
import hashlib
from dataflows.runtime.interruption import ending_within
with ending_within(0.1):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # a quarter of an hour in one call of C
"""
_HEARS = """
import time
from dataflows.runtime.interruption import ending_within
with ending_within(60):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up")
"""


def interrupted(code: str) -> tuple[int, str, str, float]:
    """Exit code, both streams, and the seconds that the end took."""
    kinds = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([sys.executable, "-c", code], **kinds) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)  # the call that follows has begun
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err, time.monotonic() - began


def test_a_call_that_hears_no_signal_does_not_hold_the_process() -> None:
    assert interrupted(_DEAF)[:3] == (130, "", "tickwax: interrupted\n")


def test_what_ends_by_itself_does() -> None:
    code, out, err, seconds = interrupted(_HEARS)
    assert (code, out, err) == (130, "cleaned up\n", "")
    assert seconds < 30
