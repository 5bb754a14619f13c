"""Threads that ask for decoders of the same types at once."""

import subprocess
import sys

from tests.conftest import ROOT

ASK = """
import sys, threading
import msgspec
from sources.json_decoder import json_decoder

sys.setswitchinterval(1e-6)
for _ in range(300):
    inner = msgspec.defstruct("Inner", [(f"i{k}", "int", 0) for k in range(20)])
    kind = msgspec.defstruct("Kind", [(f"f{k}", inner, None) for k in range(20)])
    together = threading.Barrier(4)

    def ask():
        together.wait()
        for k in range(3):
            assert MADE.decode(b'{"f1": {"i2": 3}}').f1.i2 == 3

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("done")
"""


def asked(made: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", ASK.replace("MADE", made)], capture_output=True, text=True, cwd=ROOT, timeout=100
    )


def test_one_asks_after_the_other() -> None:
    done = asked("json_decoder(kind)")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
