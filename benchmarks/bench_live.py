"""How fast, how late and how steady the live path is: each figure beside its bound.

    python benchmarks/bench_live.py throughput [--rates 10000 15000 20000]
    python benchmarks/bench_live.py latency [--paper]
    python benchmarks/bench_live.py resync
    python benchmarks/bench_live.py soak --minutes 10
    python benchmarks/bench_live.py start

Everything runs against the simulated exchange, which has a
process and a core of its own; the live run has another. They want two idle cores: what else runs shows in "busy" and in
the lags. ``throughput`` makes the frames beforehand, for the exchange alone could not make as many as are read.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.table import Table

from benchmarks.live_accounts import account

CHILDREN = Path(__file__).with_name("live_children.py")
AROUND = os.environ | {
    "PYTHONPATH": str(Path(__file__).parents[1])
}  # a script does not find what lies beside its folder
_WARM_S = 4.0
_SUBSCRIBE_S = 6.0
_MOST_LINES = 40
LIVE_CORE, SIMULATOR_CORE = 0, 1
SECOND = 1_000_000_000
VENUES = ("binance_futures", "bybit_linear")
REAL_WEIGHT, SNAPSHOT_WEIGHT = 2400, 20  # exchange documentation: a minute and address; of a book of 1000 levels


# --- processes


def universe(each: int, venues: Sequence[str] = VENUES) -> list[str]:
    """So many made-up instruments a venue."""
    return [f"{venue}:S{i:03d}USDT" for venue in venues for i in range(each)]


class Exchange:
    """A simulated exchange in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert process.stdout is not None
        self.addresses: dict[str, str] = json.loads(process.stdout.readline())

    def ask(self, **command: Any) -> Any:
        """Send one command; gives the answer."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(command) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())


@contextmanager
def exchange(instruments: Sequence[str], **options: Any) -> Iterator[Exchange]:
    """Run a simulated exchange."""
    text = json.dumps({"core": SIMULATOR_CORE, "instruments": instruments, **options})
    process = subprocess.Popen(
        [sys.executable, str(CHILDREN), "simulator", text],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=AROUND,
    )  # fmt: skip
    try:
        yield Exchange(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


@dataclass
class Run:
    """A live run that is over."""

    samples: list[dict[str, float]]
    events: list[tuple[int, str, str, str]]
    latency_s: np.ndarray[Any, np.dtype[np.float64]]

    def steady(self, all_known: int) -> list[dict[str, float]]:
        """Samples from when all books were known first, but for the last, which sees the end."""
        first = next((i for i, s in enumerate(self.samples) if s["known"] >= all_known), len(self.samples))
        return self.samples[first + 2 : -1]


class Live:
    """A live run in a process of its own."""

    def __init__(
        self, work: Path, address: dict[str, str], symbols: Sequence[str], duration: str, **options: Any
    ) -> None:
        settings = {
            **address,
            **options.pop("settings", {}),
            "symbols": list(symbols),
            "duration": duration,
            "tape.path": str(work / "tape"),
            "features.path": str(work / "features"),
            "paper.path": str(work / "paper"),
        }
        self._result = work / "result.json"
        text = json.dumps({"core": LIVE_CORE, "settings": settings, "result": str(self._result), **options})
        self._log = work / "live.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen([sys.executable, str(CHILDREN), "live", text], stderr=log, env=AROUND)

    def told(self) -> list[dict[str, float]]:
        """Samples so far."""
        path = Path(f"{self._result}.samples")
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def log_tail(self, characters: int = 2000) -> str:
        """The end of what the run has logged."""
        return self._log.read_text()[-characters:]

    def wait(self) -> Run:
        """Wait for the end."""
        if self.process.wait():
            raise SystemExit(f"the live run failed:\n{self.log_tail()}")
        told = json.loads(self._result.read_text())
        return Run(told["samples"], told["events"], np.load(str(self._result) + ".npy") / SECOND)


def slope(samples: Sequence[dict[str, float]], key: str) -> float:
    """Mean growth a second."""
    first, last = samples[0], samples[-1]
    return (last[key] - first[key]) / ((last["time_ns"] - first["time_ns"]) / SECOND)


def milliseconds(seconds: float) -> str:
    """As text."""
    return f"{seconds * 1e3:.1f} ms"


# --- throughput


def stop(live: Live) -> None:
    """End a run in order."""
    live.process.send_signal(signal.SIGINT)


@dataclass
class Salvo:
    """A live run that was fired at."""

    run: Run
    loaded: dict[str, float]
    fired: list[dict[str, float]]
    spans: list[tuple[float, int, int]]  # rate, and when it began and ended, ns
    before: float  # frames received before anything was fired: the first snapshots


def fire(
    options: argparse.Namespace, rates: Sequence[float], exact: bool = False, paper: bool = False, **settings: Any
) -> Salvo:
    """Fire frames made beforehand at a live run, at each rate in turn."""
    symbols = universe(options.instruments)
    total = int(sum(rates) * options.hold + rates[0] * _WARM_S)
    with tempfile.TemporaryDirectory() as name, exchange(
        symbols, prepared=True, events_per_second=options.market_rate, truth_rows=1
    ) as simulator:  # fmt: skip
        live = Live(
            Path(name), simulator.addresses, symbols, "10m", exact=exact, paper=paper,
            settings={"venues.bybit_linear.depth": options.bybit_depth, **settings},
            config={"book_silence": 600.0, "trade_silence": 600.0, "answer_timeout": 600.0},
        )  # fmt: skip
        while len(live.told()) < 1:
            time.sleep(0.2)
        time.sleep(_SUBSCRIBE_S)  # no request may be on its way
        loaded = simulator.ask(do="load", frames=total)
        fired = []
        begin = time.time()
        while live.told()[-1]["known"] < len(symbols):
            fired.append(simulator.ask(do="fire", rate=rates[0] / 4))
            time.sleep(0.1)
            if time.time() - begin > _WARM_S * 3:
                raise SystemExit(f"the books were not known in time:\n{live.log_tail()}")
        spans = []
        before = live.told()[0]["frames"]
        for rate in rates:
            begin = time.time_ns()
            while time.time_ns() - begin < options.hold * SECOND:
                fired.append(simulator.ask(do="fire", rate=rate))
                time.sleep(0.1)
            spans.append((rate, begin, time.time_ns()))
        stop(live)
        return Salvo(live.wait(), loaded, fired, spans, before)


def measure_throughput(options: argparse.Namespace) -> Table:
    """At rising rates, until the live run falls behind."""
    salvo = fire(options, options.rates, **{"tape.derivatives": not options.no_derivatives})
    without = "without streams of derivatives, " if options.no_derivatives else ""
    run, loaded, fired = salvo.run, salvo.loaded, salvo.fired
    lost = Counter(text for _, kind, _, text in run.events if kind == "lost")
    mix = f"{loaded['trades'] / loaded['frames']:.0%} prints, {loaded['bytes'] / loaded['frames']:.0f} bytes a frame"
    made = loaded["frames"] / loaded["seconds"]
    table = Table(
        *("offered/s", "fired/s", "received/s", "tape and feature rows/s", "live busy", "exchange busy"),
        *("frames behind at the end", "most buffered rows", "worst receive to sink", "overflows", "resets"),
        title=f"{options.instruments} instruments a venue, {without}{mix}; the simulator makes {made:.0f} frames/s",
        caption=f"resets: {dict(lost)}" if lost else None,
    )
    for rate, begin, end in salvo.spans:
        sent = [f for f in fired if begin <= f["time_ns"] <= end]
        seen = [s for s in run.samples if begin <= s["time_ns"] <= end]
        behind = np.interp(
            [s["time_ns"] for s in seen], [f["time_ns"] for f in fired], [f["fired"] for f in fired]
        ) - [s["frames"] - salvo.before for s in seen]  # fmt: skip
        table.add_row(
            *(f"{rate:g}", f"{slope(sent, 'fired'):.0f}", f"{slope(seen, 'frames'):.0f}"),
            *(f"{slope(seen, 'rows'):.0f}", f"{slope(seen, 'cpu_s'):.0%}", f"{slope(sent, 'cpu_s'):.0%}"),
            *(f"{behind[-1]:.0f}", f"{max(s['buffered'] for s in seen):.0f}"),
            milliseconds(max(s["lag_s"] for s in seen)),
            *(f"{seen[-1]['overflows'] - seen[0]['overflows']:g}", f"{seen[-1]['lost'] - seen[0]['lost']:g}"),
        )
    return table


# --- latency, resync, soak: against the simulator in real time


def quantile(values: np.ndarray[Any, np.dtype[np.float64]], share: float) -> float:
    """Not a number when there are no values."""
    return float(np.quantile(values, share)) if len(values) else float("nan")


def measure_latency(options: argparse.Namespace) -> Table:
    """From receiving a frame to handing its feature row to the sink, every row; on paper a decision lies between."""
    quotes = {"strategy.name": "glft", "strategy.size": 0.01} if options.paper else {}
    salvo = fire(options, [options.rate], True, options.paper, **{"features.sampling": "update", **quotes})
    _, begin, end = salvo.spans[0]
    steady = [s for s in salvo.run.samples if begin <= s["time_ns"] <= end][1:]
    # The newest rows, without those of the warm-up.
    latency = salvo.run.latency_s[-int(len(salvo.run.latency_s) * options.hold / (options.hold + _WARM_S)) :]
    what, median, p99 = ("decision", "2 ms", "12 ms") if options.paper else ("feature", "3 ms", "12 ms")
    table = Table("figure", "value", "bound", title=f"sampling=update, {options.instruments} instruments a venue")
    table.add_row("frames/s", f"{slope(steady, 'frames'):.0f}", f"{options.rate:g}")
    table.add_row("tape and feature rows/s", f"{slope(steady, 'rows'):.0f}", "")
    table.add_row("live process busy", f"{slope(steady, 'cpu_s'):.0%}", "100%")
    for share, bound in ((0.5, median), (0.9, ""), (0.99, p99), (0.999, ""), (1.0, "")):
        table.add_row(f"wire to {what}, p{share * 100:g}", milliseconds(quantile(latency, share)), bound)
    return table


def measure_resync(options: argparse.Namespace) -> Table:
    """One message dropped, again and again: how long the book is unknown."""
    symbols = universe(options.instruments)
    with tempfile.TemporaryDirectory() as name, exchange(symbols, events_per_second=options.market_rate) as simulator:
        live = Live(Path(name), simulator.addresses, symbols, "10m")
        while not live.told() or live.told()[-1]["known"] < len(symbols):
            time.sleep(0.2)
        for i in range(options.gaps):
            for venue, stream in zip(VENUES, ("*@depth*", "orderbook.*"), strict=True):
                symbol = f"S{i % options.instruments:03d}USDT"
                simulator.ask(do="fault", kind="drop", venue=venue, symbol=symbol, stream=stream)
            time.sleep(options.pause)
        time.sleep(3)
        stop(live)
        run = live.wait()
    table = Table("venue", "gaps", "synced", "median", "p90", "longest", "bound", title="from a gap to a known book")
    for venue in VENUES:
        seconds = np.array([float(text) for _, kind, i, text in run.events if kind == "synced" and i.startswith(venue)])
        gaps = sum(kind == "gap" and i.startswith(venue) for _, kind, i, _ in run.events)
        table.add_row(
            *(venue, f"{gaps} of {options.gaps}", str(len(seconds))),
            *(milliseconds(quantile(seconds, share)) for share in (0.5, 0.9, 1.0)),
            "median 1 s",
        )
    return table


def recoveries(run: Run) -> Table:
    """How long books were unknown, by what they were lost to."""
    seconds: dict[str, list[float]] = defaultdict(list)
    reason_of: dict[str, str] = {}
    for _, kind, instrument, text in run.events:
        if kind == "lost":
            reason_of[instrument] = re.sub(r"\d+(\.\d+)?", "…", text.partition(":")[0])
        elif kind == "synced":
            seconds[f"{instrument.partition(':')[0]}, {reason_of[instrument]}"].append(float(text))
    table = Table("lost to", "times", "median", "p90", "longest", title="recovery")
    for reason, values in sorted(seconds.items()):
        figures = (milliseconds(quantile(np.array(values), share)) for share in (0.5, 0.9, 1.0))
        table.add_row(reason, str(len(values)), *figures)
    return table


def measure_soak(options: argparse.Namespace) -> Group:
    """Faults throughout."""
    symbols = universe(options.instruments)
    messages = int(options.minutes * 60 * 12_000)
    kept = nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory()
    with kept as name, exchange(
        symbols, events_per_second=options.market_rate, faults_per_minute=options.faults, log_messages=messages,
    ) as simulator:  # fmt: skip
        work = Path(name)
        settings = {"venues.bybit_linear.depth": options.bybit_depth}
        live = Live(work, simulator.addresses, symbols, f"{options.minutes * 60:g}s", settings=settings)
        run = live.wait()
        faults = Counter(simulator.ask(do="status")["faults"])
        simulator.ask(do="log", path=str(work / "log.parquet"))
        begin = next(s["time_ns"] for s in run.samples if s["known"] >= 0.95 * len(symbols))
        # When the sockets were closed: the files take a while longer.
        end = max(s["time_ns"] for s in run.samples if s["frames"] < run.samples[-1]["frames"])
        accounts = account(work, work / "log.parquet", int(begin), int(end) - 5 * SECOND)
    table = Table(
        *("until s", "frames/s", "busy", "MB", "worst lag", "most buffered", "gaps", "resets", "resyncs"),
        *("disconnects", "bad frames", "overflows", "known"),
        title=f"{options.instruments} instruments a venue, faults: {dict(faults)}",
    )
    parts = np.array_split(np.arange(len(run.samples)), min(10, len(run.samples) // 4))
    for part in parts:
        some = [run.samples[i] for i in part]
        last = some[-1]
        table.add_row(
            f"{(last['time_ns'] - run.samples[0]['time_ns']) / SECOND:.0f}",
            *(f"{slope(some, 'frames'):.0f}", f"{slope(some, 'cpu_s'):.0%}", f"{last['mb']:.0f}"),
            *(milliseconds(max(s["lag_s"] for s in some)), f"{max(s['buffered'] for s in some):.0f}"),
            *(f"{last[key]:g}" for key in ("gaps", "lost", "resyncs", "disconnects", "bad", "overflows", "known")),
        )
    table.caption = "; ".join(f"{key}: {count}" for key, count in sorted(accounts.counts.items()))
    return Group(table, recoveries(run), *accounts.missing[:_MOST_LINES])


def measure_start(options: argparse.Namespace) -> Table:
    """A whole universe from nothing, under the exchange's own budget of request weight."""
    symbols = universe(options.instruments, ["binance_futures"])
    with tempfile.TemporaryDirectory() as name, exchange(
        symbols, events_per_second=options.market_rate, weight=REAL_WEIGHT
    ) as simulator:  # fmt: skip
        work = Path(name)
        began = time.time_ns()
        live = Live(work, simulator.addresses, symbols, "20m", weight=REAL_WEIGHT)
        while not live.told() or live.told()[-1]["known"] < len(symbols):
            time.sleep(0.5)
        stop(live)
        run = live.wait()
        log = live.log_tail(sys.maxsize)
    known = sorted((time_ns - began) / SECOND for time_ns, kind, _, _ in run.events if kind == "first")
    # RateLimiter of the first minute at once, then as it comes free again, a minute later.
    rounds = -(-len(symbols) * SNAPSHOT_WEIGHT // REAL_WEIGHT)
    table = Table("books known", "after", title=f"{len(symbols)} instruments of Binance, {REAL_WEIGHT} weight a minute")
    for share in (0.01, 0.25, 0.5, 0.75, 1.0):
        count = max(1, int(share * len(known)))
        table.add_row(str(count), f"{known[count - 1]:.1f} s")
    table.caption = (
        f"the budget allows no less than {(rounds - 1) * 60} s; requests refused: {log.count('throttled')}; "
        f"books lost on the way: {dict(Counter(text for _, kind, _, text in run.events if kind == 'lost'))}"
    )
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("throughput")
    verb.add_argument("--rates", type=float, nargs="+", default=[10e3, 12.5e3, 15e3, 17.5e3, 20e3], help="frames/s")
    verb.add_argument("--hold", type=float, default=5.0, help="seconds at each rate")
    verb.add_argument("--market-rate", type=float, default=200.0, help="events/s of each instrument")
    verb.add_argument("--no-derivatives", action="store_true", help="follow books and trades alone")
    verb.set_defaults(run=measure_throughput)
    verbs_of_simulator = [verb]
    for name, run, market_rate in (
        ("latency", measure_latency, 200.0),
        ("resync", measure_resync, 40.0),
        ("soak", measure_soak, 40.0),
        ("start", measure_start, 2.0),
    ):
        verb = verbs.add_parser(name)
        verb.add_argument("--market-rate", type=float, default=market_rate, help="events/s of each instrument")
        verb.set_defaults(run=run)
        verbs_of_simulator.append(verb)
    _, latency, resync, soak, start = verbs_of_simulator
    latency.add_argument("--rate", type=float, default=5000.0, help="frames/s")
    latency.add_argument("--hold", type=float, default=10.0, help="seconds")
    latency.add_argument("--paper", action="store_true", help="a strategy decides at each feature row")
    resync.add_argument("--gaps", type=int, default=40, help="of each venue")
    resync.add_argument("--pause", type=float, default=0.4, help="seconds between two")
    soak.add_argument("--minutes", type=float, default=10.0)
    soak.add_argument("--keep", metavar="DIR", help="keep the tape, and the log of what was sent, here")
    soak.add_argument("--faults", type=float, default=60.0, help="a minute")
    for verb in verbs_of_simulator:
        verb.add_argument("--instruments", type=int, default=500 if verb is start else 200, help="of each venue")
        verb.add_argument("--bybit-depth", type=int, default=50, help="50 speaks every 20 ms, 200 every 100 ms")
    options = parser.parse_args()
    Console(width=160).print(options.run(options))


if __name__ == "__main__":
    main()
