"""`tickwax` as a process of its own, forked from one that has imported and loaded what commands need.

A start from nothing takes a second, of which a suite with hundreds of commands is mostly made.
`tests/dataflows/test_startup.py` and every page's commands start from nothing.
"""

import atexit
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
TIMEOUT = 280.0  # s
_LONGEST = 1 << 20
_CODE = struct.Struct("<i")
_JOBS = ("backtest", "comparing", "reflecting", "replay", "rules", "sweep", "synth")


class _Nursery:
    """The process that is forked."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            command = [sys.executable, "-m", "tests.commands", str(fd)]
            self._process = subprocess.Popen(command, pass_fds=[fd], cwd=ROOT, stdin=subprocess.DEVNULL)
        atexit.register(self.close)

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()

    def run(self, arguments: list[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        asked = json.dumps({"arguments": arguments, "cwd": str(cwd), "environment": dict(environment)}).encode()
        assert len(asked) < _LONGEST
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
            self._socket.settimeout(TIMEOUT)
            socket.send_fds(self._socket, [asked], [out.fileno(), error.fileno()])
            told = self._socket.recv(_CODE.size)
            assert len(told) == _CODE.size, "the process that commands are forked from has ended"
            said = []
            for file in (out, error):
                file.seek(0)
                said.append(file.read().decode())
        return subprocess.CompletedProcess(["tickwax", *arguments], _CODE.unpack(told)[0], *said)


_nursery: _Nursery | None = None


def tickwax(
    *arguments: object, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``tickwax`` with these arguments.

    Args:
        environment: instead of that of the tests.
    """
    global _nursery
    if _nursery is None:
        _nursery = _Nursery()
    return _nursery.run(
        [str(a) for a in arguments], cwd or Path.cwd(), os.environ if environment is None else environment
    )


def _serve(fd: int) -> None:
    from dataflows.cli import main
    from dataflows.runtime.kernels import ready_features, ready_trading

    for job in _JOBS:
        import_module(f"dataflows.command_line.jobs.{job}")
    ready_features()
    ready_trading()
    with socket.socket(fileno=fd) as asked:
        while True:
            message, fds, *_ = socket.recv_fds(asked, _LONGEST, 2)
            if not message:
                return
            if (child := os.fork()) == 0:
                break
            for each in fds:
                os.close(each)
            _, status = os.waitpid(child, 0)
            asked.sendall(_CODE.pack(os.waitstatus_to_exitcode(status)))
    for n, each in enumerate(fds, 1):
        os.dup2(each, n)
        os.close(each)
    told = json.loads(message)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = ["tickwax", *told["arguments"]]
    sys.path[0] = ""
    sys.exit(main())


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
