"""A tap with instruments in each of their states, and the application on it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout

import pytest
from textual.pilot import Pilot

from operators.schema import column_row
from tests.window.conftest import CONFIG, NOW, rows
from window.tap import FEATURES, Tap
from window.terminal.app import Terminal
from window.terminal.log import LogLines

NAMES = ["binance_futures:BTCUSDT", "binance_futures:ETHUSDT", "bybit_linear:BTCUSDT", "bybit_linear:币安人生USDT"]
Z = "ofi_z_l0_1s"


def put(tap: Tap, key: str, first: int, count: int, *, restart: bool = False, since: int = 0, **values: float) -> None:
    """Feature rows of an instrument; ``since``: rows since the restart of the last of them."""
    batch = rows(first, count, restart=restart, mid=values.pop("mid", 100.0))
    if since:
        batch.integer[-1] = range(since - count + 1, since + 1)
    codes = {"warm", "regime"}
    for name, value in values.items():
        (batch.code if name in codes else batch.value)[column_row(CONFIG, name)] = value
    tap.put(FEATURES, key, batch)


@pytest.fixture
def market() -> Tap:
    """Three instruments with rows, of which one warms up, and one that is waited for."""
    made = Tap(CONFIG, lambda: NOW + 6_000_000_000, {})
    made.expect(NAMES)
    put(made, NAMES[0], 0, 50, mid=64000.5, regime=0, **{Z: 2.5})
    put(made, NAMES[1], 0, 40, mid=3300.25, regime=1, **{Z: -3.25})
    put(made, NAMES[2], 0, 30, mid=64010.0, since=579, warm=1 | 16 | 32 | 64, regime=-1, **{Z: 9.0})
    return made


class Shown:
    """The application under a pilot, and what it was asked to do."""

    def __init__(self, app: Terminal, pilot: Pilot[None], log: LogLines, stops: list[int]) -> None:
        self.app, self.pilot, self.log, self.stops = app, pilot, log, stops

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        for _ in range(2):  # a screen that is new knows its size only when it has been laid out
            self.app.renew()
            await self.pilot.pause()

    def text(self) -> str:
        """All lines of the screen."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips(self.app.size)[:height]
        return "\n".join(line.text[:width] for line in lines)

    def listed(self) -> list[str]:
        """The instruments in the table, from above."""
        return [line.split()[0] for line in self.text().splitlines() if ":" in line[:20] and "USDT" in line]


def on_screen(
    tap: Tap, look: Callable[[Shown], Awaitable[None]], size: tuple[int, int] = (140, 40), status: str = "features"
) -> None:
    """Run the application without a terminal, and look at it."""
    log, stops = LogLines(), list[int]()
    app = Terminal(tap, CONFIG, log, lambda: status, lambda: stops.append(1))

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            app.renew()
            await pilot.pause()
            await look(Shown(app, pilot, log, stops))

    with redirect_stdout(sys.stdout), redirect_stderr(sys.stderr):  # as they were, at the end
        asyncio.run(run())
