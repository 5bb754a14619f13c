"""``tickwax synth``: a tape of a synthetic market."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

_EXAMPLES = """
Examples:

    tickwax synth --span 1m --symbols binance_futures:BTCUSDT --tape data/tape

    tickwax synth --span 1h --seed 42 --start 2026-02-02T00:00:00Z --tape data/another

    tickwax synth --span 1h --edge 0 --tape data/null

Then: tickwax replay --tape data/tape --features data/features
"""


@app.command("synth", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def synth_verb(
    tape: Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.")] = None,
    symbols: Annotated[str | None, typer.Option(help="Instruments, `venue:SYMBOL`, separated by commas.")] = None,
    span: Annotated[str, typer.Option(help="Market time to make, such as 10m.")] = "10m",
    seed: Annotated[int, typer.Option(help="The same seed gives the same tape, to the bit.")] = 7,
    start: Annotated[str, typer.Option(help="Exchange time of the first row, UTC.")] = "2026-01-05T00:00:00Z",
    edge: Annotated[
        float | None, typer.Option(help="Plant a price that can be foretold: 0 not at all, 1 well.")
    ] = None,
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Mark prices, funding, open interest and liquidations, too.")
    ] = False,
    compression: Annotated[str | None, typer.Option(help="Codec of Parquet; as in `tape.compression`.")] = None,
) -> None:
    """Write the tape of a **synthetic market**: order books and trades from a seed, without any exchange."""
    flags = settings_of(
        {
            "--tape": ("tape.path", tape),
            "--compression": ("tape.compression", compression),
            "--symbols": ("symbols", listed(symbols)),
        }
    )
    with quick_imports():
        from dataflows.command_line.jobs.synth import synth
    synth(flags, span, seed, start, edge, derivatives)
