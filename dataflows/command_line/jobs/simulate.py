"""The exchanges on this machine, until they are stopped."""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataflows.reports.terminal import line
from dataflows.runtime.kernels import announce
from simulator.config import SimulatorConfig
from simulator.simulator import Simulator
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.binance_futures.simulator.venue import SimulatedBinanceFutures
from sources.venues.bybit_linear.simulator.venue import SimulatedBybitLinear
from sources.venues.simulated import simulated_venues
from synthetic.jit import CACHE as SYNTHETIC


def simulate(
    names: list[str],
    clock_offset: str | None = None,
    captures: tuple[Path, ...] = (),
    speed: float = 1.0,
    block_trades_every: int = 0,
    **choices: Any,
) -> None:
    """Run until Ctrl-C.

    Args:
        clock_offset: a duration with a sign.
        captures, speed: as in `SimulatedBinanceFutures`.
        block_trades_every: as in `SimulatedBybitLinear`.
        choices: as in `SimulatorConfig`.

    Raises:
        TickwaxError: a value is out of its range, or the port cannot be listened to.
    """
    try:
        offset_s = 0.0
        if clock_offset:
            sign = -1.0 if clock_offset.startswith("-") else 1.0
            offset_s = sign * Duration.parse(clock_offset.lstrip("+-")).ns / 1e9
        bybit = SimulatedBybitLinear(block_trades_every=block_trades_every)
        venues = simulated_venues(SimulatedBinanceFutures(captures=captures, speed=speed), bybit)
        instruments = tuple(map(Instrument.parse, names))
        config = SimulatorConfig(venues, instruments, clock_offset_s=offset_s, **choices)
    except ValueError as e:
        raise TickwaxError(f"simulate: {e}") from None
    announce(SYNTHETIC, "kernel.advance", 6)
    asyncio.run(_run(Simulator(config, time.time_ns)))


async def _run(simulator: Simulator) -> None:
    """Run until SIGINT or SIGTERM; every connection is closed in order."""
    loop = asyncio.get_running_loop()
    async with simulator:
        running = asyncio.create_task(simulator.wait())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        for text in described(simulator):
            line(text)
        sys.stdout.flush()  # whoever reads them from a pipe waits for them
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
