"""``tickwax simulate``: an exchange on this machine."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dataflows.app import app
from dataflows.kernels import announce
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.jit import CACHE as SOURCES
from sources.simulator.config import SimulatorConfig
from sources.simulator.simulator import Simulator

_DEFAULT = "binance_futures:BTCUSDT,binance_futures:ETHUSDT,bybit_linear:BTCUSDT,bybit_linear:ETHUSDT"
_FAULTS_PER_MINUTE = 6.0
_EXAMPLES = """
Examples:

    tickwax simulate --port 9000 --symbols binance_futures:BTCUSDT,bybit_linear:BTCUSDT --seed 7

    tickwax simulate --port 9000 --faults

    tickwax simulate --port 9000 --capture btcusdt_20240808.gz --speed 10

    curl -X POST localhost:9000/control/fault -d '{"kind": "drop", "symbol": "BTCUSDT", "stream": "*@depth*"}'
"""


@app.command("simulate", epilog=_EXAMPLES)
def simulate_verb(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")] = 9000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    symbols: Annotated[str | None, typer.Option(help="Instruments, `venue:SYMBOL`, separated by commas.")] = None,
    seed: Annotated[int, typer.Option(help="Of the markets and of the random faults.")] = 7,
    rate: Annotated[float, typer.Option(help="Orders, cancellations and trades per second and instrument.")] = 500.0,
    capture: Annotated[
        list[Path] | None, typer.Option(help="Raw Binance capture to play instead of a synthetic market; repeatable.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Of playback: 1 as recorded, 0 as fast as the clients read.")] = 1.0,
    faults: Annotated[bool, typer.Option("--faults", help="Let things go wrong at random, from the seed.")] = False,
    faults_per_minute: Annotated[float | None, typer.Option(help="How often, in the mean; turns --faults on.")] = None,
) -> None:
    """Run **both exchanges on this machine**: websockets and REST of Binance and Bybit, from a synthetic market or a
    recorded one. Prints the settings that point tickwax there; runs until Ctrl-C. Faults are made with
    `POST /control/fault`."""
    named = symbols if symbols is not None else ("" if capture else _DEFAULT)
    if faults_per_minute is None:
        faults_per_minute = _FAULTS_PER_MINUTE if faults else 0.0
    try:
        config = SimulatorConfig(
            instruments=tuple(Instrument.parse(s.strip()) for s in named.split(",") if s.strip()),
            seed=seed,
            host=host,
            port=port,
            events_per_second=rate,
            captures=tuple(capture or ()),
            speed=speed,
            faults_per_minute=faults_per_minute,
        )
    except ValueError as e:
        raise TickwaxError(f"simulate: {e}") from None
    announce(SOURCES, "kernel.advance", 6)
    asyncio.run(_run(Simulator(config, time.time_ns)))


async def _run(simulator: Simulator) -> None:
    """Run until SIGINT or SIGTERM; every connection is closed in order."""
    loop = asyncio.get_running_loop()
    async with simulator:
        running = asyncio.create_task(simulator.wait())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        console = Console()
        for line in described(simulator):
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        await asyncio.wait([running])
        if not running.cancelled():
            await running


def described(simulator: Simulator) -> Sequence[str]:
    """Where the exchanges are, as lines for a shell and for a settings file."""
    addresses = simulator.addresses
    instruments = [str(feed.instrument) for feed in simulator.all_feeds()]
    shell = [f"export TICKWAX_{key.replace('.', '__').upper()}={address}" for key, address in addresses.items()]
    lines = [
        f"# {len(instruments)} instruments, Ctrl-C ends; in the shell of the client:",
        *shell,
        "# or in the file named by TICKWAX_CONFIG:",
    ]
    table = ""
    for key, address in addresses.items():
        group, _, name = key.rpartition(".")
        if group != table:
            table = group
            lines.append(f"[{group}]")
        lines.append(f'{name} = "{address}"')
    return lines
