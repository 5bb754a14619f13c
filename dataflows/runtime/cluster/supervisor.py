"""Starts the processes of a cluster on this machine, and sees to it that they end together.

What they say on standard error is passed on, and what all of them say, once. The first that fails is the one that is
heard: its peers lose their connection to it and break off with it, which tells a user nothing.
"""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from dataflows.runtime.cluster.child import PEER_DIED
from dataflows.runtime.cluster.messages import COMMIT, Computed, Failed, Message, Moved, Order, Verb, Written
from dataflows.runtime.exit_codes import say
from dataflows.runtime.interruption import on_interruption

_COMMAND = (sys.executable, "-P", "-m", "dataflows.runtime.cluster.child")
_ROOT = Path(__file__).parents[2]  # a process runs the code of its supervisor, wherever it is started
_PATIENCE = 2.0  # s that peers of a dead process have to tell whether it was they who died first
_GRACE = 6.0  # s that processes have to end once they were told to; a live run takes 5 at the most
_NOISE = "error connecting to worker"  # while processes wait for each other


class Ended(NamedTuple):
    """A process has ended, and all it said has been heard."""

    code: int  # negative: the signal that killed it


class Failure(Exception):
    """The cluster has ended with an exit code, and why has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class Supervisor:
    """The processes of one cluster. They import while the caller finds out what to order."""

    def __init__(self, processes: int, environment: dict[str, str]) -> None:
        """Start them.

        Args:
            environment: of the processes, beside that of this one; settings among it.
        """
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        around = {**os.environ, "PYTHONPATH": path, **environment}
        self._reserved = [_reserved() for _ in range(processes)]
        self._events: queue.Queue[tuple[int, Message | Ended]] = queue.Queue()
        self._chorus = _Chorus()
        self._codes: dict[int, int] = {}
        self._ordered = False
        self._committing = False
        self._signals: list[int] = []
        self._lock = threading.Lock()
        self._children: list[subprocess.Popen[bytes]] = []
        self.processes = processes
        self._release = on_interruption(self._interrupted)
        pipe = subprocess.PIPE
        # In groups of their own, so that Ctrl-C comes to them once, from here.
        for index in range(processes):
            child = subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, env=around, process_group=0)
            self._children.append(child)
            threading.Thread(target=self._listen, args=(index, child), daemon=True).start()

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let no process be left; a second call does nothing."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.wait()
        self._release()
        for reserved in self._reserved:
            reserved.close()

    def run(
        self,
        verb: Verb,
        workers: int,
        weights: dict[str, int],
        on_progress: Callable[[int, int], None] = lambda rows, market_ns: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> tuple[list[Computed], list[Written]]:
        """Order a run and see it through.

        Args:
            workers: threads a process.
            weights: as in `sources.placement.Placement`.
            on_progress: told of the rows read so far, and of the market time in them, ns.
            on_end: called when everything has been written.

        Raises:
            Failure: a process has failed or been killed, or an interruption has ended the run before its end.
        """
        addresses = [f"127.0.0.1:{reserved.getsockname()[1]}" for reserved in self._reserved]
        with self._lock:
            self._ordered = True
            for index in range(len(self._children)):
                self._send(index, msgspec.json.encode(Order(verb, index, addresses, workers, weights)) + b"\n")
        moved: dict[int, Moved | Computed] = {}
        computed: dict[int, Computed] = {}
        written: dict[int, Written] = {}
        while len(self._codes) < len(self._children):
            index, event = self._next()
            if isinstance(event, Moved | Computed):
                moved[index] = event
                if len(moved) == len(self._children):  # one that is ready earlier waits for the others
                    on_progress(sum(m.rows for m in moved.values()), max(m.market_ns for m in moved.values()))
            if isinstance(event, Computed):
                computed[index] = event
                if len(computed) == len(self._children):
                    self._commit()
            elif isinstance(event, Written):
                written[index] = event
                if len(written) == len(self._children):
                    on_end()
            elif _is_failure(event) and not self._signals:
                self._fail(index, event)
        if any(self._codes.values()):
            raise self._cut_short()
        return [computed[i] for i in sorted(computed)], [written[i] for i in sorted(written)]

    def _commit(self) -> None:
        with self._lock:
            if self._signals:
                return
            self._committing = True
            for index in range(len(self._children)):
                self._send(index, COMMIT)

    def _cut_short(self) -> Failure:
        """What an interruption has come to."""
        return Failure(next((c for c in self._codes.values() if c in (1, 2)), 128 + self._signals[0]))

    def _fail(self, index: int, event: Message | Ended) -> None:
        """Find out what came first, say it, and end the others.

        Raises:
            Failure: always.
        """
        deadline = time.monotonic() + _PATIENCE
        while isinstance(event, Ended) and event.code == PEER_DIED:
            if len(self._codes) == len(self._children) or (found := self._next_until(deadline)) is None:
                say("a process has failed, and Bytewax has not said why")
                break
            if _is_failure(found[1]):
                index, event = found
        self._chorus.solo = None if isinstance(event, Failed) else index
        self._chorus.everybody = False
        code = 1
        if isinstance(event, Failed):
            print(event.text, end="", file=sys.stderr, flush=True)
        elif isinstance(event, Ended) and event.code < 0:
            say(f"process {index + 1} of {len(self._children)} was killed by {signal.Signals(-event.code).name}")
        elif isinstance(event, Ended) and event.code != PEER_DIED:
            code = event.code
        self._tell(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while len(self._codes) < len(self._children) and self._next_until(deadline):
            pass
        raise Failure(code)

    def _next(self, timeout: float | None = None) -> tuple[int, Message | Ended]:
        """The next event.

        Raises:
            queue.Empty: there is none for so many seconds.
        """
        index, event = self._events.get(timeout=timeout)
        if isinstance(event, Ended):
            self._codes[index] = event.code
        return index, event

    def _next_until(self, deadline: float) -> tuple[int, Message | Ended] | None:
        with suppress(queue.Empty):
            return self._next(max(deadline - time.monotonic(), 0.0))
        return None

    def _interrupted(self, number: int) -> None:
        with self._lock:
            if self._committing:  # what appears now appears whole
                return
            if not self._ordered:  # nothing has been done, and the main thread may import or compile for long
                self._tell(signal.SIGKILL)
                say("interrupted")
                os._exit(128 + number)
            self._signals.append(number)
            self._tell(number)
        first = len(self._signals) == 1
        late = threading.Timer(_GRACE if first else 1.0, self._tell, (signal.SIGKILL,))
        late.daemon = True
        late.start()

    def _tell(self, number: int) -> None:
        for child in self._children:
            with suppress(ProcessLookupError):
                child.send_signal(number)

    def _send(self, index: int, line: bytes) -> None:
        stream = self._children[index].stdin
        assert stream is not None
        with suppress(BrokenPipeError):  # its end is told apart
            stream.write(line)
            stream.flush()

    def _listen(self, index: int, child: "subprocess.Popen[bytes]") -> None:
        assert child.stdout is not None
        assert child.stderr is not None
        said = threading.Thread(target=self._chorus.hear, args=(index, child.stderr), daemon=True)
        said.start()
        for line in child.stdout:
            self._events.put((index, msgspec.json.decode(line, type=Message)))
        said.join()
        self._events.put((index, Ended(child.wait())))


class _Chorus:
    """Passes on what processes say: of tickwax's own lines, one that several say is heard as often as one says it."""

    def __init__(self) -> None:
        self.everybody = True  # is heard; else the soloist alone, if there is one
        self.solo: int | None = None
        self._lock = threading.Lock()
        self._said: Counter[str] = Counter()

    def hear(self, index: int, stream: IO[bytes]) -> None:
        """Until the stream ends."""
        mine: Counter[str] = Counter()
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\n")
            with self._lock:
                if not line or _NOISE in line or not (self.everybody or self.solo == index):
                    continue
                if line.startswith("tickwax: "):
                    mine[line] += 1
                    if mine[line] <= self._said[line]:
                        continue
                    self._said[line] += 1
                print(line, file=sys.stderr, flush=True)


def _is_failure(event: Message | Ended) -> bool:
    return isinstance(event, Failed) or (isinstance(event, Ended) and event.code != 0)


def _reserved() -> socket.socket:
    """A free port of the loopback address that the system gives to nobody else while this is open.

    A process can listen on it nevertheless: of two sockets with SO_REUSEADDR only one that listens is in the way.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved
