"""The simulated exchange beside hftbacktest: do the same orders fill alike, and how fast is each?

Run as ``python -m benchmarks.bench_exchange CAPTURE`` with a raw hftbacktest capture of Binance USD-M; needs
``pip install 'tickwax[bench]'``. Part one sends random limit orders, each cancelled after a while, to both and compares
what was filled of each. Part two repeats the capture until there are 10 million rows and quotes both sides anew every
100 ms, in Numba on either side: from memory, and from the files that each program has for it, Parquet here and npz
there. Every round runs every line once, and the fastest of each is shown.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from hftbacktest import GTC, GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest, ROIVectorMarketDepthBacktest
from hftbacktest.data.utils import binancefutures

from benchmarks.bench_replay import write_repeated
from dataflows.assembly.importing import import_files
from operators.config import FeatureConfig
from operators.execution.grid import Grid
from operators.execution.schedule import Schedule
from operators.execution.state import Commands, ExecutionConfig
from operators.execution.view import View, order
from operators.execution.words import CANCEL
from operators.execution.words import GTX as POST_ONLY
from operators.execution.words import LIMIT as LIMIT_ORDER
from operators.feature_engine import FeatureEngine
from operators.jit import kernel
from operators.trade_engine import TradeEngine
from sources.importers import hftbacktest
from sources.importers.files import read_ahead
from sources.instrument import Instrument
from sources.tape.batch import Float64s, TapeBatch, concat
from sources.tape.reader import TapeReader

SYMBOL = Instrument("binance_futures", "BTCUSDT")
GRID = Grid(Fraction(1, 10), Fraction(1, 1000))
SECOND = 1_000_000_000


def asset(source: Any, latency: int, partial_fills: bool = True) -> Any:
    """The same market as hftbacktest sees it; ``source``: files, or their events."""
    made = (
        BacktestAsset()
        .data(source)
        .linear_asset(1.0)
        .constant_order_latency(latency, latency)
        .power_prob_queue_model(3.0)
    )
    return (
        (made.partial_fill_exchange() if partial_fills else made.no_partial_fill_exchange())
        .tick_size(0.1)
        .lot_size(0.001)
        .roi_lb(0.0)
        .roi_ub(200_000.0)
    )


class Orders:
    """Random limit orders around the mid, each with the time at which it is cancelled."""

    def __init__(self, seed: int, count: int, ts: Any, mid: Any) -> None:
        rng = np.random.default_rng(seed)
        self.sent = np.sort(rng.integers(ts[0] + 10 * SECOND, ts[-1] - 60 * SECOND, count))
        near = mid[np.searchsorted(ts, self.sent) - 1]
        self.side = rng.choice([1, -1], count)
        self.price = np.round((near - self.side * rng.integers(-3, 25, count) * 0.1) * 10) / 10
        self.size = np.round(np.exp(rng.uniform(-6, 3.5, count)), 3) + 0.001
        self.ended = self.sent + rng.integers(1, 20, count) * SECOND

    def filled_there(self, npz: Path, latency: int) -> dict[int, "Filled"]:
        """What hftbacktest filled of each; of those that it came to before it gave up."""
        backtest = HashMapMarketDepthBacktest([asset([str(npz)], latency)])
        backtest.elapse(1)
        acts = sorted([(t, 0, i) for i, t in enumerate(self.sent)] + [(t, 1, i) for i, t in enumerate(self.ended)])
        for t, what, i in acts:
            if t > backtest.current_timestamp and backtest.elapse(int(t) - backtest.current_timestamp):
                break
            if what == 0:
                submit = backtest.submit_buy_order if self.side[i] > 0 else backtest.submit_sell_order
                if submit(0, i + 1, float(self.price[i]), float(self.size[i]), GTC, LIMIT, False):
                    break
            else:
                there = backtest.orders(0).get(i + 1)
                if there is not None and there.cancellable:
                    backtest.cancel(0, i + 1, False)
        backtest.elapse(SECOND)
        found = {i: backtest.orders(0).get(i + 1) for i in range(len(self.sent))}
        filled = {}
        for i, o in found.items():
            if o is not None:
                lots = round((o.qty - o.leaves_qty) * 1000)
                whole = lots > 0 and o.leaves_qty < 0.0005  # else the time may be that of the cancel
                filled[i] = Filled(lots, round(o.exec_price, 1) if lots else 0.0, o.exch_timestamp if whole else 0)
        backtest.close()
        return filled

    def filled_here(self, batches: list[TapeBatch], latency: int) -> dict[int, "Filled"]:
        """What we filled of each."""
        n = len(self.sent)
        ids, twice = np.arange(1, n + 1), partial(np.tile, reps=2)
        schedule = Schedule(
            np.concatenate([self.sent, self.ended]), twice(ids), twice(self.side).astype(np.int8),
            np.repeat([LIMIT_ORDER, CANCEL], n).astype(np.int8), np.repeat([0, -1], n).astype(np.int8),
            twice(self.price), twice(self.size),
        )  # fmt: skip
        execution = ExecutionConfig(latency_entry_ns=latency, latency_response_ns=latency)
        engine = TradeEngine(FeatureConfig(), execution, GRID, schedule=schedule)
        filled = dict.fromkeys(range(n), Filled(0, 0.0, 0))
        for batch in batches:
            for part in engine.trade(batch):
                (ts, ids), value = part.fills.integer, part.fills.value
                for t, order_id, price, size in zip(ts, ids, value[0], value[1], strict=True):
                    i = int(order_id) - 1
                    lots = filled[i].lots + round(size * 1000)
                    whole = lots == round(self.size[i] * 1000)
                    filled[i] = Filled(lots, round(float(price), 1), int(t) if whole else 0)
        return filled


class Filled(NamedTuple):
    """Of an order: lots; price and exchange time of the last fill, the time only where it was filled whole."""

    lots: int
    price: float
    ts: int


def agreement(npz: Path, batches: list[TapeBatch], runs: int) -> None:
    """Print how many orders were filled alike, by latency."""
    engine = TradeEngine(FeatureConfig(), ExecutionConfig(), GRID)
    parts = [part.equity for batch in batches for part in engine.trade(batch)]
    ts = np.concatenate([p.integer[0] for p in parts])
    mid = np.concatenate([p.value[3] for p in parts])
    for latency in (0, 1_000_000, 10_000_000, 50_000_000):
        total, sizes, prices, times, filled, whole = 0, 0, 0, 0, 0, 0
        odd: list[str] = []
        for seed in range(runs):
            orders = Orders(seed, 12, ts, mid)
            there, here = orders.filled_there(npz, latency), orders.filled_here(batches, latency)
            total += len(there)
            for i, theirs in there.items():
                ours = here[i]
                sizes += ours.lots == theirs.lots
                if theirs.lots and ours.lots:
                    filled += 1
                    prices += ours.price == theirs.price
                if theirs.ts and ours.ts:
                    whole += 1
                    times += ours.ts == theirs.ts
                if ours != theirs:
                    what = f"{'buys' if orders.side[i] > 0 else 'sells'} {orders.size[i]:.3f} at {orders.price[i]:.1f}"
                    later = f", {(ours.ts - theirs.ts) / 1e6:+.3f} ms" if ours.ts and theirs.ts else ""
                    odd.append(
                        f"  seed {seed}, order {i} {what}: there {theirs.lots} lots at {theirs.price}, "
                        f"here {ours.lots} at {ours.price}{later}"
                    )
        print(
            f"latency {latency / 1e6:g} ms: size alike {sizes} of {total}; of those filled price {prices} of {filled}, "
            f"of those filled whole time {times} of {whole}"
        )
        for line in odd:
            print(line)


@numba.njit
def quote_there(backtest: Any) -> tuple[int, int]:
    """Quote both sides anew every 100 ms in hftbacktest; returns the number of decisions, and why they ended (1: so did
    the data)."""
    decisions = 0
    while True:
        why = backtest.elapse(100_000_000)
        if why != 0:
            return decisions, why
        backtest.clear_inactive_orders(0)
        depth = backtest.depth(0)
        values = backtest.orders(0).values()
        while values.has_next():
            there = values.get()
            if there.cancellable:
                backtest.cancel(0, there.order_id, False)
        decisions += 1
        backtest.submit_buy_order(0, 2 * decisions, depth.best_bid, 0.01, GTX, LIMIT, False)
        backtest.submit_sell_order(0, 2 * decisions + 1, depth.best_ask, 0.01, GTX, LIMIT, False)


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    for i in range(view.orders):
        order(commands, view.working[0, i], 0, CANCEL, -1, 0.0, 0.0)
    order(commands, 0, 1, LIMIT_ORDER, POST_ONLY, view.columns[0], 0.01)
    order(commands, 0, -1, LIMIT_ORDER, POST_ONLY, view.columns[1], 0.01)


class Quote:
    """The same here."""

    columns = ("bid_price", "ask_price")
    parameters = ()
    memory = 0
    decide_kernel = staticmethod(_decide)


LESS = FeatureConfig(
    windows=(("1s", SECOND),), depths=(1,), zscore_window=2, price_d=1.0, volume_d=1.0, fdi_window=3,
    volatility_window=2,
)  # fmt: skip


def repeated_events(npz: Path, times: int, folder: Path) -> Path:
    """hftbacktest's file of its events, that often, a second apart; packed as its converter packs."""
    once = np.load(npz)["data"]
    span = int(once["local_ts"].max() - once["local_ts"].min()) + SECOND
    data = np.tile(once, times)
    shift = np.repeat(np.arange(times) * span, len(once))
    data["exch_ts"] += shift
    data["local_ts"] += shift
    path = folder / "repeated.npz"
    np.savez_compressed(path, data=data)
    return path


def speed(npz: Path, batches: list[TapeBatch], millions: float, rounds: int, folder: Path) -> None:
    """Print the time of each, and the ratios."""
    rows = write_repeated(concat(batches), millions, folder / "repeated", SYMBOL)
    big = list(TapeReader(folder / "repeated", SYMBOL).batches())
    events = repeated_events(npz, round(rows / sum(batch.rows for batch in batches)), folder)
    data = np.load(events)["data"]

    def here(config: FeatureConfig, tape: Iterable[TapeBatch]) -> int:
        engine = TradeEngine(config, ExecutionConfig(), GRID, strategy=Quote())
        return sum(len(part.equity.integer[0]) for batch in tape for part in engine.trade(batch))

    def features(config: FeatureConfig) -> int:
        engine = FeatureEngine(config, gil_rows=0)
        return sum(part.rows for batch in big for part in engine.parts(batch))

    def there(kind: Any, source: Any) -> int:
        # Where fills may be partial, hftbacktest 2.4.4 ends this run after 332 decisions with InvalidOrderStatus.
        backtest = kind([asset(source, 10_000_000, partial_fills=False)])
        decisions, why = quote_there(backtest)
        backtest.close()
        if why != 1:
            raise SystemExit(f"hftbacktest ended with {why} after {decisions} decisions")
        return decisions

    def from_files(config: FeatureConfig) -> int:
        with closing(read_ahead(TapeReader(folder / "repeated", SYMBOL).batches())) as tape:  # as a backtest reads
            return here(config, tape)

    array, hashed = ROIVectorMarketDepthBacktest, HashMapMarketDepthBacktest
    lines: dict[str, Callable[[], int]] = {
        "features alone": partial(features, FeatureConfig()),
        "few features alone": partial(features, LESS),
        "quoting, all features": partial(here, FeatureConfig(), big),
        "quoting, few features": partial(here, LESS, big),
        "hftbacktest, array book": partial(there, array, data),
        "hftbacktest, hash map book": partial(there, hashed, data),
        "quoting, all features, from files": partial(from_files, FeatureConfig()),
        "quoting, few features, from files": partial(from_files, LESS),
        "hftbacktest, array book, from files": partial(there, array, [str(events)]),
    }
    fastest = {name: (float("inf"), float("inf"), 0) for name in lines}
    for _ in range(rounds + 1):  # the first compiles
        for name, run in lines.items():
            wall, cpu = time.perf_counter(), time.process_time()
            decisions = run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            fastest[name] = min(fastest[name][0], cpu), min(fastest[name][1], wall), decisions
    print(f"{rows:,} rows, {len(data):,} events there; seconds of processor time, and by the clock")
    for name, (cpu, wall, decisions) in fastest.items():
        peer = fastest["hftbacktest, array book" + ", from files" * name.endswith("from files")]
        print(
            f"{name:36s} {cpu:6.3f} s {rows / cpu / 1e6:6.2f} M rows/s {peer[0] / cpu:5.2f} x    {wall:6.3f} s "
            f"{peer[1] / wall:5.2f} x    {decisions:,} decisions"
        )


def main() -> None:
    """Run both parts."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("capture", type=Path, help="raw hftbacktest capture of Binance USD-M, BTCUSDT")
    arguments.add_argument("--runs", type=int, default=30, help="schedules of 12 orders")
    arguments.add_argument("--rows", type=float, default=10.0, help="millions of them, quoted on")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        npz, tape = Path(folder) / "capture.npz", Path(folder) / "tape"
        binancefutures.convert(str(given.capture), str(npz))
        import_files(tape, [given.capture], partial(hftbacktest.read, instrument=SYMBOL), SYMBOL)
        batches = list(TapeReader(tape, SYMBOL).batches())
        agreement(npz, batches, given.runs)
        speed(npz, batches, given.rows, given.rounds, Path(folder))


if __name__ == "__main__":
    main()
