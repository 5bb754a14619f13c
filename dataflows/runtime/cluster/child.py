"""One process of a cluster, started by `supervisor`: ``python -m dataflows.runtime.cluster.child``.

It ends in order, as by SIGTERM, when the supervisor's end of its standard input closes, so none is left behind.
"""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from dataflows.runtime.cluster.messages import COMMIT, Computed, DataSet, Failed, Message, Moved, Order, Written
from dataflows.runtime.process_tuning import quick_imports

if TYPE_CHECKING:
    from dataflows.reports import summary
    from dataflows.reports.progress import ReplayProgress
    from dataflows.runtime.replay_run import Replay
    from sources.instrument import Instrument
    from sources.placement import Placement

PEER_DIED = 75  # exit code: this process is well, but another one of the cluster is gone
_PEER_DIED_TEXT = "thread panic"  # what Bytewax says then
_TOLD_EVERY = 0.25  # s
_PATIENCE = 30.0  # s; then Bytewax itself waits
_LISTENS = "0A"  # state of a socket in /proc/net/tcp


class Channel:
    """The line to the supervisor."""

    def __init__(self) -> None:
        # What anything prints must not be taken for a message.
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self._in: BinaryIO = sys.stdin.buffer
        self._lock = threading.Lock()
        self._commit = threading.Event()

    def order(self) -> Order:
        """The supervisor's first line; from then on it is watched."""
        line = self._in.readline()
        if not line:
            os._exit(1)
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()
        return msgspec.json.decode(line, type=Order)

    def tell(self, message: Message) -> None:
        """Send a message; nothing happens if nobody listens."""
        with self._lock, contextlib.suppress(OSError):
            self._out.write(msgspec.json.encode(message) + b"\n")

    def wait_for_commit(self) -> None:
        """Until all processes have come so far."""
        self._commit.wait()

    def _watch(self) -> None:
        while line := self._in.readline():
            if line == COMMIT:
                self._commit.set()
        # Nobody reads what this process says any more, and a closed pipe would be an error.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Take an order and carry it out; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)  # until the run has handlers of its own
    channel = Channel()
    sys.excepthook = lambda kind, error, trace: channel.tell(
        Failed("".join(traceback.format_exception(kind, error, trace)))
    )
    # Imports take seconds: signals are heard already, and the supervisor finds out meanwhile what to order.
    with quick_imports():
        import dataflows.assembly.replay  # noqa: F401
    from dataflows.runtime.exit_codes import exit_code, say
    from sources.errors import TickwaxError

    order = channel.order()
    os.environ["BYTEWAX_ADDRESSES"] = ";".join(order.addresses)  # what `engine_options.cluster` reads
    port = os.environ.get("BYTEWAX_DATAFLOW_API_PORT", "3030")
    os.environ["BYTEWAX_DATAFLOW_API_PORT"] = str(int(port) + order.index)
    try:
        (_replay if order.verb in ("replay", "backtest") else _live)(order, channel)
    except TickwaxError as e:
        say(str(e))
        return exit_code(e)
    except BaseException as e:
        if _PEER_DIED_TEXT in str(e):
            return PEER_DIED
        sys.excepthook(type(e), e, e.__traceback__)
        return 1
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def _share(order: Order) -> "tuple[Placement, Callable[[Instrument], bool]]":
    """Where instruments live, and whether that is here."""
    from sources.placement import Placement

    placement, workers = Placement(order.weights), order.workers * len(order.addresses)
    return placement, lambda instrument: placement.home(instrument, workers) // order.workers == order.index


def _replay(order: Order, channel: Channel) -> None:
    from bytewax.run import cli_main

    from dataflows.runtime.kernels import ready_features, ready_trading
    from dataflows.settings.model import load_settings
    from sources.placement import Share

    placement, mine = _share(order)
    settings = load_settings()
    replay: Replay
    ready: Callable[[], None]
    if order.verb == "replay":
        from dataflows.assembly.replay import prepare_replay

        replay, ready = prepare_replay(settings, share=Share(placement, mine)), ready_features
    else:
        from dataflows.assembly.backtest import prepare_backtest

        replay, ready = prepare_backtest(settings, Share(placement, mine)), ready_trading
    try:
        replay.stop_on_signals()
        ready()
        _wait_for_peers(order)
        with _told(replay.progress, channel):
            cli_main(
                replay.flow,
                workers_per_process=order.workers,
                process_id=order.index,
                addresses=order.addresses,
            )
        progress = replay.progress
        # What is read from a topic lives where the topic's partitions do.
        astray = [] if settings.tape.topic else [str(i) for i in replay.engines if not mine(i)]
        channel.tell(
            Computed(progress.rows, progress.market_ns, list(replay.quality), astray, progress.latencies.state())
        )
        channel.wait_for_commit()
        replay.commit()
        channel.tell(Written(_sets(replay.sinks)))
    finally:
        replay.abort()


def _live(order: Order, channel: Channel) -> None:
    from bytewax.run import cli_main

    from dataflows.assembly.live import prepare_live
    from dataflows.settings.model import load_settings

    placement, mine = _share(order)
    live = prepare_live(load_settings(), placement=placement, paper=order.verb == "paper", mine=mine)
    live.ready()
    live.stop_on_signals()
    _wait_for_peers(order)
    try:
        cli_main(live.flow, workers_per_process=order.workers, process_id=order.index, addresses=order.addresses)
    finally:
        live.release()
    live.telemetry.tell_counts()
    latencies = live.telemetry.latencies.state()
    channel.tell(Written(_sets(live.sinks), latencies, live.left, live.failure, live.nothing))


def _wait_for_peers(order: Order) -> None:
    """Until those with a lower index listen: a process connects to them, and tries again only after a second."""
    wanted = {int(address.rpartition(":")[2]) for address in order.addresses[: order.index]}
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if wanted <= {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS}:
            return
        time.sleep(0.01)


def _sets(sinks: "Mapping[str, summary.Written]") -> dict[str, DataSet]:
    return {name: DataSet(str(s.root), s.rows_written, [str(f) for f in s.files]) for name, s in sinks.items()}


@contextlib.contextmanager
def _told(progress: "ReplayProgress", channel: Channel) -> Iterator[None]:
    """Tell now and then how far the run is."""
    over = threading.Event()

    def tell() -> None:
        while True:
            channel.tell(Moved(progress.rows, progress.market_ns))
            if over.wait(_TOLD_EVERY):
                return

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Threads of a dataflow that broke off would hold up the interpreter's own end.
    os._exit(code)
