"""``tickwax simulate``: an exchange on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import TOOLS, app, path_flag
from dataflows.runtime.process_tuning import quick_imports

_DEFAULT = "binance_futures:BTCUSDT,binance_futures:ETHUSDT,bybit_linear:BTCUSDT,bybit_linear:ETHUSDT"
_FAULTS_PER_MINUTE = 6.0
_EXAMPLES = """
Examples:

    tickwax simulate --port 9000 --symbols binance_futures:BTCUSDT,bybit_linear:BTCUSDT --seed 7

    tickwax simulate --port 9000 --faults

    tickwax simulate --port 9000 --capture btcusdt_20240808.gz --speed 10

    curl -X POST localhost:9000/control/fault -d '{"kind": "drop", "symbol": "BTCUSDT", "stream": "*@depth*"}'
"""


@app.command("simulate", rich_help_panel=TOOLS, epilog=_EXAMPLES, has_settings=False)
def simulate_verb(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")] = 9000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    symbols: Annotated[str | None, typer.Option(help="Instruments, `venue:SYMBOL`, separated by commas.")] = None,
    seed: Annotated[int, typer.Option(help="Of the markets and of the random faults.")] = 7,
    rate: Annotated[float, typer.Option(help="Orders, cancellations and trades per second and instrument.")] = 500.0,
    capture: Annotated[
        list[Path] | None,
        typer.Option(
            help="Raw Binance capture to play instead of a synthetic market; repeatable.",
            parser=path_flag,
            metavar="FILE",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(help="Of playback: 1 as recorded, 0 as fast as the clients read.")] = 1.0,
    block_trades: Annotated[
        int, typer.Option(min=0, help="One of so many prints of Bybit is a block trade, off the book; 0: none.")
    ] = 0,
    clock_offset: Annotated[
        str | None, typer.Option(help="The exchanges' clock is ahead by this long, such as `2h`; `-2h`: behind.")
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="Let things go wrong at random, from the seed.")] = False,
    faults_per_minute: Annotated[float | None, typer.Option(help="How often, in the mean; turns --faults on.")] = None,
) -> None:
    """Run **the exchanges on this machine**: websockets and REST of Binance and Bybit, from a synthetic market or a
    recorded one.

    Prints the settings that point tickwax there; runs until Ctrl-C. Faults are made with `POST /control/fault`. As at
    the exchanges, XAUUSDT and other contracts on what is no coin are TRADIFI_PERPETUAL, and Bybit symbols that end in
    PERP are settled in USDC."""
    named = symbols if symbols is not None else ("" if capture else _DEFAULT)
    if faults_per_minute is None:
        faults_per_minute = _FAULTS_PER_MINUTE if faults else 0.0
    with quick_imports():
        from dataflows.command_line.jobs.simulate import simulate
    simulate(
        [s.strip() for s in named.split(",") if s.strip()],
        seed=seed,
        host=host,
        port=port,
        events_per_second=rate,
        captures=tuple(capture or ()),
        speed=speed,
        faults_per_minute=faults_per_minute,
        block_trades_every=block_trades,
        clock_offset=clock_offset,
    )
