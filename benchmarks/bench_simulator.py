"""How many messages the simulated exchange sends from one core: ``python benchmarks/bench_simulator.py``.

Half of the instruments at either venue, depth and trades of all of them, to a client in a process of its own that only
reads. Prints messages per second, the share of a core they took, and how late they left after their matching time.
"""

import argparse
import asyncio
import multiprocessing
import os
import time

import websockets

from simulator.simulator import Simulator
from sources.instrument import Instrument
from tests.markets import market

TARGET = 20_000
_WARM_UP_S = 3.0
_PER_CONNECTION = 100


def read_all(public: str, market: str, bybit: str, count: int, core: int) -> None:
    """The client: subscribes to everything and reads bytes without a look at them."""
    os.sched_setaffinity(0, {core})
    asyncio.run(_read_all(public, market, bybit, count))


async def _read_all(public: str, market: str, bybit: str, count: int) -> None:
    await asyncio.gather(
        *(
            _read(f"{base}/stream?streams=" + "/".join(f"s{n}usdt@{kind}" for n in range(first, last)))
            for base, kind in ((public, "depth@100ms"), (market, "aggTrade"))
            for first, last in _parts(count)
        ),
        *(
            _read(
                bybit, [topic for n in range(*part) for topic in (f"orderbook.200.S{n}USDT", f"publicTrade.S{n}USDT")]
            )
            for part in _parts(count)
        ),
    )


def _parts(count: int) -> list[tuple[int, int]]:
    return [(first, min(first + _PER_CONNECTION, count)) for first in range(0, count, _PER_CONNECTION)]


async def _read(address: str, topics: list[str] | None = None) -> None:
    async with websockets.connect(address, compression=None, max_size=None) as socket:
        if topics:
            args = ",".join(f'"{topic}"' for topic in topics)
            await socket.send(f'{{"op":"subscribe","args":[{args}]}}')
        # Below the library: what it costs to parse frames is the client's affair, not the exchange's.
        sock = socket.transport.get_extra_info("socket")
        socket.transport.pause_reading()
        while True:
            try:
                while sock._sock.recv(1 << 20):
                    pass
            except BlockingIOError:
                await asyncio.sleep(0.002)


async def measure(count: int, events: float, seconds: float) -> float:
    """Messages per second."""
    instruments = tuple(Instrument(v, f"S{n}USDT") for v in ("binance_futures", "bybit_linear") for n in range(count))
    config = market(instruments, events_per_second=events, binance_interval_ms=100, bybit_interval_ms=100)
    async with Simulator(config, time.time_ns) as simulator:
        at = simulator.addresses
        addresses = (
            at["venues.binance_futures.public_ws"],
            at["venues.binance_futures.market_ws"],
            at["venues.bybit_linear.ws"],
        )
        client = multiprocessing.get_context("spawn").Process(target=read_all, args=(*addresses, count, 1), daemon=True)
        client.start()
        await asyncio.sleep(_WARM_UP_S)
        sent, began, busy = simulator.log.total, time.perf_counter(), time.process_time()
        lags = []
        while (span := time.perf_counter() - began) < seconds:
            await asyncio.sleep(0.02)
            newest = simulator.log.newest()
            lags.append(newest.time_ns / 1e6 - newest.exchange_ms)
        rate, share = (simulator.log.total - sent) / span, (time.process_time() - busy) / span
        client.kill()
    lags.sort()
    late = ", ".join(f"p{p} {lags[len(lags) * p // 100]:.0f} ms" for p in (50, 99))
    print(f"{2 * count} instruments: {rate:,.0f} messages/s with {share:.0%} of a core; late by {late}")
    return rate


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--instruments", type=int, default=400)
    arguments.add_argument("--events", type=float, default=1000.0, help="per second and instrument")
    arguments.add_argument("--seconds", type=float, default=10.0)
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {0})
    rate = asyncio.run(measure(chosen.instruments // 2, chosen.events, chosen.seconds))
    print(f"target at least {TARGET:,}: {'met' if rate >= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
