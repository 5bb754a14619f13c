"""Commands as processes of their own, forked from one that has imported and loaded what they need.

A start from nothing takes a second of processor time, of which a suite with hundreds of commands is mostly made.
`tests/dataflows/test_startup.py` and the commands of every page start from nothing.
"""

import atexit
import ctypes
import gc
import json
import os
import runpy
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TIMEOUT = 280.0  # s
TICKWAX = str(Path(sys.executable).with_name("tickwax"))

_LONGEST = 1 << 20
_PID = struct.Struct("<i")
_LOADED = ("backtest", "comparing", "live", "optimal_d", "paper", "reflecting", "replay", "rules", "sweep", "synth")
_ADOPTS_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
# Variables that Python and libraries read when they start.
_READ_AT_START = ("ARROW_", "HOME", "JAX_", "LANG", "LC_", "LD_", "MALLOC_", "NUMBA_", "OMP_", "OPENBLAS_", "PYTHON")
_READ_AT_START += ("TZ", "XDG_")


def launch(command: Sequence[object], **options: Any) -> "subprocess.Popen[str]":
    """Start ``python -c``, ``python -m`` or ``tickwax``, forked where that is no different to the command.

    Args:
        options: those of `subprocess.Popen`. With ``preexec_fn`` or an environment that Python would read at its start,
            the command starts from nothing.
    """
    words, environment = [str(word) for word in command], options.get("env")
    known = words[0] == TICKWAX or (words[0] == sys.executable and words[1:2] in (["-c"], ["-m"]))
    same = environment is None or _at_start(environment) == _at_start(os.environ)
    if not known or not same or "preexec_fn" in options:
        return subprocess.Popen(words, **options)
    return _Forked(words, **options)


def run(command: Sequence[object], *, timeout: float = TIMEOUT, **options: Any) -> "subprocess.CompletedProcess[str]":
    """As `subprocess.run` of a command that `launch` starts, which gives what it said as text."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = launch(command, **(pipes | options))
    try:
        said = process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, *said)


def tickwax(
    *arguments: object, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``tickwax`` with these arguments to its end.

    Args:
        environment: instead of that of the tests.
    """
    return run([TICKWAX, *arguments], cwd=cwd, env=environment, stdin=subprocess.DEVNULL)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    told = {name: text for name, text in environment.items() if name.startswith(_READ_AT_START)}
    if told.get("PYTHONPATH") == str(ROOT):  # where the tests are imported from, too
        del told["PYTHONPATH"]
    return told


class _Nursery:
    """The process that is forked, one for each that runs tests."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.owner, self.environment = os.getpid(), _at_start(os.environ)
        with theirs:
            fd = theirs.fileno()
            command = [sys.executable, "-m", "tests.commands", str(fd)]
            self._process = subprocess.Popen(command, pass_fds=[fd], cwd=ROOT, stdin=subprocess.DEVNULL)
        atexit.register(self.close)

    def close(self) -> None:
        """End it."""
        if self.owner == os.getpid():
            self._socket.close()
            self._process.wait()

    def fork(self, asked: dict[str, Any], fds: list[int]) -> int:
        """Start a command; its process, which is a child of this one."""
        message = json.dumps(asked).encode()
        assert len(message) < _LONGEST
        self._socket.settimeout(TIMEOUT)
        _adopt_orphans(True)
        try:
            socket.send_fds(self._socket, [message], fds)
            told = self._socket.recv(_PID.size)
        finally:
            _adopt_orphans(False)
        assert len(told) == _PID.size, "the process that commands are forked from has ended"
        return int(_PID.unpack(told)[0])


def _adopt_orphans(whether: bool) -> None:
    assert ctypes.CDLL(None).prctl(_ADOPTS_ORPHANS, int(whether), 0, 0, 0) == 0


_nursery: _Nursery | None = None


class _Forked(subprocess.Popen[str]):
    """A process that the nursery forks instead of `subprocess`."""

    def _execute_child(self, *given: Any) -> None:
        global _nursery
        if _nursery is None or _nursery.owner != os.getpid() or _nursery.environment != _at_start(os.environ):
            _nursery = _Nursery()
        options = dict(zip(signature(subprocess.Popen._execute_child).parameters, (self, *given), strict=True))  # type: ignore[attr-defined]
        ends = [options[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        environment = os.environ if options["env"] is None else options["env"]
        asked = {
            "command": list(options["args"]),
            "cwd": str(options["cwd"] or Path.cwd()),
            "environment": dict(environment),
            "own_session": options["start_new_session"],
        }
        self.pid = _nursery.fork(asked, [n if end == -1 else end for n, end in enumerate(ends)])
        self._child_created = True
        self._close_pipe_fds(*(options[name] for name in _PIPES))  # type: ignore[attr-defined]


_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


def _serve(fd: int) -> None:
    """Fork whenever it is asked for."""
    from dataflows.runtime.kernels import ready_features, ready_trading

    for job in _LOADED:
        import_module(f"dataflows.command_line.jobs.{job}")
    ready_features()
    ready_trading()
    gc.freeze()  # what has been loaded is nobody's garbage
    with socket.socket(fileno=fd) as asked:
        while True:
            message, fds, *_ = socket.recv_fds(asked, _LONGEST, 3)
            if not message:
                return
            if (pid := _orphan()) == 0:
                break
            for each in fds:
                os.close(each)
            asked.sendall(_PID.pack(pid))
    for n, each in enumerate(fds):
        os.dup2(each, n)
    for each in fds:
        os.close(each)
    _become(json.loads(message))


def _orphan() -> int:
    """As `os.fork`; but the new process has no parent, so that the one that adopts orphans can wait for it."""
    told, tell = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            os.close(told)
            os.close(tell)
            return 0
        os.write(tell, _PID.pack(pid))
        os._exit(0)
    os.close(tell)
    os.waitpid(between, 0)
    with os.fdopen(told, "rb") as pipe:
        return int(_PID.unpack(pipe.read(_PID.size))[0])


def _become(asked: dict[str, Any]) -> None:
    """Run the command in this process."""
    if asked["own_session"]:
        os.setsid()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    program, *words = asked["command"]
    sys.path[0] = ""
    if "PYTHONPATH" in os.environ:
        sys.path.insert(1, os.environ["PYTHONPATH"])
    if program == TICKWAX:
        from dataflows.cli import main

        sys.argv = asked["command"]
        sys.exit(main())
    elif words[0] == "-m":
        sys.argv = words[1:]
        sys.modules.pop(words[1], None)  # as if nobody had imported it
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
