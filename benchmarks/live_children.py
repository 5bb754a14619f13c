"""The processes that ``bench_live.py`` starts: a simulated exchange, and a live run that measures itself.

    python benchmarks/live_children.py simulator|live '{"core": 1, …}'

The simulator prints its addresses as JSON, then answers each line of JSON on its standard input with one.
"""

import asyncio
import collections
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bytewax.testing import run_main
from prometheus_client import Counter, Histogram

from dataflows.assembly import live as live_flow
from dataflows.runtime import metrics, row_metrics
from dataflows.settings.model import Settings, load_settings
from operators.row_batch import RowBatch
from operators.schema import RECEIVE_TS
from simulator.connection import Connection
from simulator.log import Sent
from simulator.simulator import Simulator
from simulator.thread import simulator_thread
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.tape.batch import InstrumentBatch
from sources.venues.binance_futures.simulator import rest as binance_rest
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from tests.markets import market

_SECOND = 1e9
_SAMPLE_S = 0.5
_AGO_NS = 600 * 1_000_000_000
_STEP_NS = 5_000_000
_PAUSE_S = 0.002
_PATIENT = 1_000_000  # request weight a minute: what is measured is not the exchange's limit


def resident_mb() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def pin(core: int) -> None:
    """Keep this process on one core, if there is more than one."""
    if core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


# --- the simulated exchange


def write_log(simulator: Simulator, path: str) -> int:
    """What was sent, as Parquet; returns the number of messages."""
    rows = list(simulator.log)
    columns = list(zip(*rows, strict=True)) or [[] for _ in Sent._fields]
    pq.write_table(pa.table(dict(zip(Sent._fields, columns, strict=True))), path)
    return len(rows)


def simulator_command(simulator: Simulator, command: dict[str, Any]) -> Any:
    """Answer one line."""
    match command.pop("do"):
        case "fault":
            return simulator.fault(**command).applied
        case "clear":
            return simulator.clear()
        case "status":
            return {
                "time_ns": time.time_ns(),
                "cpu_s": time.process_time(),
                "sent": simulator.log.total,
                "unread": sum(c.unread for c in simulator.connections),
                "faults": [a.fault.kind for a in simulator.fault_log],
                "mb": resident_mb(),
            }
        case "log":
            return write_log(simulator, command["path"])
    raise ValueError(command)


def run_simulator(options: dict[str, Any]) -> None:
    """Both exchanges, until standard input ends."""
    pin(options.pop("core"))
    instruments = tuple(Instrument.parse(text) for text in options.pop("instruments"))
    weight = options.pop("weight", _PATIENT)
    cannon = Cannon() if options.pop("prepared", False) else None
    config = market(instruments=instruments, limits=BinanceLimits(weight_per_minute=weight), **options)
    with simulator_thread(config, cannon.clock if cannon else time.time_ns) as thread:
        print(json.dumps(thread.addresses), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            if cannon is not None and command["do"] == "load":
                answer = asyncio.run_coroutine_threadsafe(
                    thread.call(lambda simulator, frames=command["frames"]: cannon.load(simulator, frames)),
                    thread._loop,
                ).result()
            elif cannon is not None and command["do"] == "fire":
                answer = thread.call(lambda simulator, rate=command["rate"]: cannon.fire(simulator, rate))
            else:
                answer = thread.call(lambda simulator, command=command: simulator_command(simulator, command))
            print(json.dumps(answer), flush=True)
        if cannon is not None:
            thread.call(lambda simulator: cannon.stop())


class Cannon:
    """Sends what a simulator has said beforehand, for making the frames costs more than reading them.

    The exchange's clock stands still while clients subscribe. Then its market runs without them, as fast as it can, and
    the frames of each connection are kept; then they are sent at any pace. REST answers with the book at the beginning.
    """

    def __init__(self) -> None:
        self._now_ns = time.time_ns() - _AGO_NS  # an exchange time in the future would not be believed
        self._frames: list[tuple[Connection, bytes]] = []
        self._task: asyncio.Task[None] | None = None
        self.fired = 0
        self.frames = 0

    def clock(self) -> int:
        """The exchange's time."""
        return self._now_ns

    def fire(self, simulator: Simulator, rate: float) -> dict[str, float]:
        """Send so many frames a second from now on; tells how many have been."""
        self._rate = rate
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._fire(simulator))
        elif self._task.done():
            self._task.result()
        return {
            "time_ns": time.time_ns(),
            "fired": self.fired,
            "left": self.frames - self.fired,
            "unread": sum(c.unread for c in simulator.connections),
            "cpu_s": time.process_time(),
        }

    def stop(self) -> None:
        """Fire no more."""
        if self._task is not None:
            self._task.cancel()

    async def load(self, simulator: Simulator, frames: int) -> dict[str, float]:
        """Make so many frames."""
        assert simulator._pump_task is not None
        simulator._pump_task.cancel()
        feeds = list(simulator.all_feeds())
        replies = {feed: binance_rest.book_reply(feed, 1000, simulator.outlet.now_ms) for feed in feeds}
        binance_rest.book_reply = lambda feed, levels, now_ms: replies[feed]
        began, sim_began, kinds = time.perf_counter(), self._now_ns, len(simulator.log)
        connections = simulator.connections
        gc.disable()
        while self.frames < frames:
            for c in connections:  # answers to pings must not wait for the firing
                c.flush(self._now_ns)
            self._now_ns += _STEP_NS
            simulator.outlet.look()
            for feed in feeds:
                feed.advance()
            for c in connections:
                self._frames += [(c, frame) for frame in c.out]
                c.out.clear()
            self.frames = len(self._frames)
            await asyncio.sleep(0)  # clients ask whether anybody is there
        told = collections.Counter(entry.kind for entry in list(simulator.log)[kinds:])
        size = sum(len(frame) for _, frame in self._frames)
        return {
            "frames": self.frames,
            "bytes": size,
            "trades": told["trade"],
            "seconds": time.perf_counter() - began,
            "market_seconds": (self._now_ns - sim_began) / _SECOND,
        }

    async def _fire(self, simulator: Simulator) -> None:
        due, then = 0.0, time.perf_counter()
        while self.fired < self.frames:
            now = time.perf_counter()
            due += (now - then) * self._rate
            then = now
            stop = min(self.fired + int(due), self.frames)
            due -= stop - self.fired
            for connection, frame in self._frames[self.fired : stop]:
                connection.out.append(frame)
            for connection in simulator.connections:
                connection.flush(self._now_ns)
            self.fired = stop
            await asyncio.sleep(_PAUSE_S)


# --- the live run


class Probe(metrics.LiveTelemetry):
    """Beside what a run tells anyway: the longest lag, exact latencies if wanted, and when books came and went."""

    def __init__(self, exact: bool) -> None:
        super().__init__()
        self.exact = exact
        self.most_buffered = 0
        self.worst_lag_ns = 0
        self.to_sink: list[np.ndarray[Any, np.dtype[np.int64]]] = []
        self.events: list[tuple[int, str, str, str]] = []

    def _note(self, kind: str, instrument: Instrument, text: str = "") -> None:
        self.events.append((time.time_ns(), kind, str(instrument), text))

    def buffered(self, rows: int) -> None:
        super().buffered(rows)
        self.most_buffered = max(self.most_buffered, rows)

    def gap(self, instrument: Instrument, stream: str) -> None:
        super().gap(instrument, stream)
        self._note("gap", instrument, stream)

    def lost(self, instrument: Instrument, reason: str) -> None:
        super().lost(instrument, reason)
        self._note("lost", instrument, reason)

    def synced(self, instrument: Instrument, seconds: float, first: bool) -> None:
        super().synced(instrument, seconds, first)
        self._note("first" if first else "synced", instrument, f"{seconds:.6f}")

    def tape_rows(self, item: InstrumentBatch) -> None:
        """Instead of `row_metrics.count_tape`."""
        row_metrics.count_tape(item)
        self.worst_lag_ns = max(self.worst_lag_ns, time.time_ns() - int(item.batch.receive_ts[0]))

    def feature_rows(self, rows: RowBatch) -> None:
        """Instead of `row_metrics.count_features`."""
        row_metrics.count_features(rows)
        if self.exact:
            self.to_sink.append(time.time_ns() - rows.integer[RECEIVE_TS])

    def sample(self) -> dict[str, float]:
        """How things stand."""
        most, worst = self.most_buffered, self.worst_lag_ns
        self.most_buffered = self.worst_lag_ns = 0
        return {
            "time_ns": time.time_ns(),
            "cpu_s": time.process_time(),
            "mb": resident_mb(),
            "buffered": most,
            "lag_s": worst / _SECOND,
            "frames": total(metrics.FRAMES),
            "bytes": total(metrics.BYTES),
            "gaps": total(metrics.GAPS),
            "lost": total(metrics.LOST),
            "known": sum(s.value for m in metrics.KNOWN.collect() for s in m.samples),
            "resyncs": total(metrics.SYNCED, "_count"),
            "overflows": total(metrics.OVERFLOWS),
            "bad": total(metrics.BAD),
            "disconnects": total(metrics.RECONNECTS),
            "rows": total(row_metrics.ROWS),
        }


def total(metric: Counter | Histogram, suffix: str = "_total") -> float:
    """Over all labels."""
    return sum(s.value for m in metric.collect() for s in m.samples if s.name.endswith(suffix))


def other_config(
    plain: Callable[[Settings], LiveConfig], weight: int, changes: dict[str, float]
) -> Callable[[Settings], LiveConfig]:
    """The live configuration with another budget of request weight, and other fields."""

    def config(settings: Settings) -> LiveConfig:
        live = plain(settings)
        return replace(live, **changes).with_venue("binance_futures", weight_per_minute=weight)

    return config


def run_live(options: dict[str, Any]) -> None:
    """A live run; what it measured is written to ``options["result"]``."""
    pin(options["core"])
    probe = Probe(options.get("exact", False))
    # Resolved when the flow is put together, so the run itself is the one that users have.
    live_flow.LiveTelemetry = lambda **_: probe  # type: ignore[misc,assignment]
    live_flow.count_tape = probe.tape_rows
    live_flow.count_features = probe.feature_rows
    live_flow.live_config = other_config(
        live_flow.live_config, options.get("weight", _PATIENT), options.get("config", {})
    )
    live = live_flow.prepare_live(load_settings(options["settings"]), paper=options.get("paper", False))
    live.ready()
    samples: list[dict[str, float]] = []
    over = threading.Event()
    told = Path(options["result"] + ".samples")  # for the parent while the run goes on

    def watch() -> None:
        while not over.wait(_SAMPLE_S):
            samples.append(probe.sample())
            with told.open("a") as file:
                file.write(json.dumps(samples[-1]) + "\n")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    live.stop_on_signals()
    run_main(live.flow)
    over.set()
    watcher.join()
    latencies = np.concatenate(probe.to_sink or [np.zeros(0, np.int64)])
    np.save(options["result"] + ".npy", latencies)
    Path(options["result"]).write_text(json.dumps({"samples": samples, "events": probe.events}))


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """One of the two."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    run = {"simulator": run_simulator, "live": run_live}[sys.argv[1]]
    run(json.loads(sys.argv[2]))


if __name__ == "__main__":
    main()
