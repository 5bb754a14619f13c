"""What the page in a browser costs the run, and how soon and how smoothly it is there.

    python -m benchmarks.bench_window cost [--instruments 20] [--updates 20]
    python -m benchmarks.bench_window paint
    python -m benchmarks.bench_window held [--rate 5000] [--rounds 2]

``cost`` is processor time, of the dataflow's thread and of the server's, while a browser's stand-in in another process
reads everything. ``paint`` wants Chromium and Selenium: first contentful paint, bytes, and frames a second while 2000
instruments are scrolled, each with new numbers once a second, beside a page that has nothing but a table of text.
``held`` fires frames at a live run as `bench_live.py` does, in turn with and without the page
being looked at.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bench_live import LIVE_CORE, fire, slope
from operators.row_batch import RowBatch
from tests.ports import free_ports
from tests.window.chromium import chromium
from tests.window.conftest import BTC, CONFIG, rows
from window.server import WindowServer
from window.tap import FEATURES, Tap

STAND_IN = """
import asyncio, sys, aiohttp
async def read(url, symbol):
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.ws_connect(url + "stream", headers={"Origin": url.rstrip("/")}) as socket:
                    await socket.send_json({"do": "watch", "symbol": symbol})
                    async for message in socket:
                        pass
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
asyncio.run(read(*sys.argv[1:]))
"""


def stand_in(url: str, symbol: str) -> "subprocess.Popen[bytes]":
    """What reads the stream as a browser does; not on the core that a live run is kept on."""
    process = subprocess.Popen([sys.executable, "-c", STAND_IN, url, symbol])
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(process.pid, os.sched_getaffinity(0) - {LIVE_CORE})
    return process


def made_tap() -> Tap:
    return Tap(CONFIG, time.time_ns, {"run": "bench", "mode": "live", "speed": 1})


def measure_cost(options: argparse.Namespace) -> Table:
    """Rows at a steady rate into a tap, one at a time, as a live run has them."""
    tap = made_tap()
    keys = [BTC, *(f"bybit_linear:S{n:03d}USDT" for n in range(options.instruments - 1))]
    batches = [rows(n, 1) for n in range(int(options.updates * options.seconds))]
    for key in keys:
        tap.put(FEATURES, key, rows(-1, 1))
    server = WindowServer(tap, "127.0.0.1", 0)
    reader = stand_in(server.url, BTC)
    time.sleep(2)
    clock = time.pthread_getcpuclockid(server._thread.ident or 0)
    begin, served, own = time.perf_counter(), time.clock_gettime(clock), time.thread_time()
    idle = 0.0
    for n, batch in enumerate(batches):
        due = begin + n / options.updates
        before = time.thread_time()
        time.sleep(max(0.0, due - time.perf_counter()))
        idle += time.thread_time() - before
        for key in keys:
            tap.put(FEATURES, key, batch)
    wall = time.perf_counter() - begin
    taken, served = time.thread_time() - own - idle, time.clock_gettime(clock) - served
    reader.kill()
    reader.wait()
    server.close()
    table = Table(
        "part", "share of a core", "a row", title=f"{options.instruments} instruments, {options.updates:g} updates/s"
    )
    count = len(batches) * len(keys)
    table.add_row("dataflow's thread: the tap", f"{taken / wall:.1%}", f"{taken / count * 1e6:.0f} µs")
    table.add_row("server's thread, one browser", f"{served / wall:.1%}", f"{served / count * 1e6:.0f} µs")
    table.add_row("together", f"{(taken + served) / wall:.1%}", f"{(taken + served) / count * 1e6:.0f} µs")
    return table


SCROLL = """
const done = arguments[arguments.length - 1], rows = document.getElementById("rows");
let frames = 0; const begin = performance.now();
const step = (now) => {
  rows.scrollTop += 40; frames += 1;
  if (now - begin < 3000) requestAnimationFrame(step); else done(1000 * frames / (now - begin));
};
requestAnimationFrame(step);
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
MANY = 2000
PLAIN = (
    '<!doctype html><title>plain</title><div id="rows" style="height: 800px; overflow: auto"><table>'
    + "".join(f'<tr style="height: 36px">{"".join(f"<td>{n * k}</td>" for k in range(8))}</tr>' for n in range(MANY))
    + "</table></div>"
)


def moving(first: int, mid: float, rng: np.random.Generator) -> RowBatch:
    """A row with prices and sizes of its own."""
    made = rows(first, 1, mid=mid + round(float(rng.normal()), 1))
    made.book[20:40] *= rng.exponential(size=(20, 1))
    made.book[60:80] *= rng.exponential(size=(20, 1))
    return made


def crowd(tap: Tap, second: int, rng: np.random.Generator) -> None:
    """A row of each of many instruments; a tenth of them have the same."""
    batches = [moving(10 * second, 100.0, rng) for _ in range(10)]
    for n in range(MANY):
        tap.put(FEATURES, f"binance_futures:X{n:04}", batches[n % 10])


def measure_paint(options: argparse.Namespace) -> Table:
    """In a browser that has nothing in its cache."""
    tap, rng = made_tap(), np.random.default_rng(0)
    tap.put(FEATURES, BTC, rows(0, 600, restart=True))
    for second in range(60):
        crowd(tap, second, rng)
    server = WindowServer(tap, "127.0.0.1", 0)
    paints, firsts, scrolls, plains, size = [], [], [], [], 0
    ended = threading.Event()

    def feed() -> None:
        for n in range(600, 100_000):
            if ended.wait(0.05):
                return
            tap.put(FEATURES, BTC, moving(n, 100.0, rng))
            if n % 20 == 0:
                crowd(tap, n // 10, rng)

    threading.Thread(target=feed, daemon=True).start()
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name, chromium(Path(name) / "profile") as page:
            page.open(server.url)
            page.until("window.tickwax?.store.of('features').length > 600", 60)
            firsts.append(page.js("performance.now()"))
            paints.append(page.until(PAINT))
            size = page.js("performance.getEntriesByType('resource').reduce((sum, each) => sum + each.transferSize, 0)")
            time.sleep(1)  # the page is still loading, and only scrolling is to be measured
            scrolls.append(page.driver.execute_async_script(SCROLL))
            (Path(name) / "plain.html").write_text(PLAIN)
            page.open((Path(name) / "plain.html").as_uri())
            time.sleep(1)
            plains.append(page.driver.execute_async_script(SCROLL))
    ended.set()
    server.close()
    page_bytes = sum(f.stat().st_size for f in (Path(__file__).parent.parent / "window" / "page").iterdir())
    table = Table("figure", "median", "each", title=f"load {os.getloadavg()[0]:.1f}")
    table.add_row("first contentful paint", f"{median(paints):.0f} ms", str([round(p) for p in paints]))
    table.add_row("first rows drawn, at the latest", f"{median(firsts):.0f} ms", str([round(p) for p in firsts]))
    table.add_row("scrolling 2001 instruments", f"{median(scrolls):.0f} frames/s", str([round(s) for s in scrolls]))
    table.add_row("as many rows of plain text", f"{median(plains):.0f} frames/s", str([round(s) for s in plains]))
    table.add_row("bytes sent for the page", f"{size:,}", f"in the package {page_bytes:,}")
    return table


def measure_held(options: argparse.Namespace) -> Table:
    """Frames received of those fired, in turn with and without the page."""
    table = Table("", "fired/s", "received/s", "held", "processor time a frame", "a core takes at most", "load")
    for _ in range(options.rounds):
        for shown in (False, True):
            (port,) = free_ports(1)
            url = f"http://127.0.0.1:{port}/"
            reader = stand_in(url, "binance_futures:S000USDT") if shown else None
            salvo = fire(options, [options.rate], **({"ui.on": True, "ui.port": port} if shown else {}))
            if reader is not None:
                reader.kill()
                reader.wait()
            _, begin, end = salvo.spans[0]
            sent = [f for f in salvo.fired if begin <= f["time_ns"] <= end]
            seen = [s for s in salvo.run.samples if begin <= s["time_ns"] <= end]
            fired, received = slope(sent, "fired"), slope(seen, "frames")
            each = slope(seen, "cpu_s") / received
            words = "with the page looked at" if shown else "without"
            table.add_row(
                *(words, f"{fired:.0f}", f"{received:.0f}", f"{received / fired:.3f}", f"{each * 1e6:.0f} µs"),
                *(f"{1 / each:.0f}/s", f"{os.getloadavg()[0]:.1f}"),
            )
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    cost, paint, held = (verbs.add_parser(name) for name in ("cost", "paint", "held"))
    cost.add_argument("--instruments", type=int, default=20)
    cost.add_argument("--updates", type=float, default=20.0, help="a second, of each")
    cost.add_argument("--seconds", type=float, default=20.0)
    cost.set_defaults(run=measure_cost)
    paint.add_argument("--rounds", type=int, default=3)
    paint.set_defaults(run=measure_paint)
    held.add_argument("--rate", type=float, default=5000.0, help="frames/s")
    held.add_argument("--hold", type=float, default=8.0, help="seconds")
    held.add_argument("--rounds", type=int, default=2)
    held.add_argument(
        "--market-rate",
        type=float,
        default=1000.0,
        help="events/s of each instrument; frames of at most 10 min are made",
    )
    held.add_argument("--instruments", type=int, default=10, help="of each venue")
    held.add_argument("--bybit-depth", type=int, default=50)
    held.set_defaults(run=measure_held)
    options = parser.parse_args()
    Console(width=130).print(options.run(options))


if __name__ == "__main__":
    main()
