"""``tickwax import``: recorded market data of others becomes a tape."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, App, app, path_flag
from dataflows.runtime.process_tuning import quick_imports
from sources.importers.venues import CAPTURED

_EXAMPLES = """
Examples:

    tickwax import hftbacktest btcusdt_20240808.gz --venue binance_futures --symbol BTCUSDT --tape data/tape

    tickwax import tardis book.csv.gz trades.csv.gz --tape data/tape

    tickwax import bybit-archive 2024-12-01_XRPUSDT_ob500.data.zip XRPUSDT2024-12-01.csv.gz --tape data/tape

Then: tickwax replay --tape data/tape --features data/features
"""

import_app = App(no_args_is_help=True, help="Append recorded market data to a tape.", epilog=_EXAMPLES)
app.add_typer(import_app, name="import", rich_help_panel=RECORDED)

Files = Annotated[list[Path], typer.Argument(help="Files, in the order of time.", parser=path_flag, metavar="FILES...")]
Tape = Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.", metavar="DIR")]
Compression = Annotated[str | None, typer.Option(help="Codec of Parquet; as in `tape.compression`.", metavar="CODEC")]
Salvage = Annotated[
    bool, typer.Option("--salvage", help="Take what stands before and behind a damage; a reset stands there.")
]


@import_app.command("hftbacktest")
def hftbacktest_verb(
    files: Files,
    symbol: Annotated[str, typer.Option("--symbol", help="The symbol to import.", metavar="SYMBOL")],
    tape: Tape = None,
    venue_name: Annotated[str, typer.Option("--venue", help=" or ".join(CAPTURED))] = "binance_futures",
    compression: Compression = None,
    salvage: Salvage = False,
) -> None:
    """Raw captures of hftbacktest's collector: a line is a receive time (ns or µs) and the frame; plain or gzip.

    Of several streams of the symbol each update and trade is taken once; of several depths (Bybit) one is taken.

    Example: `tickwax import hftbacktest btcusdt_20240808.gz --venue binance_futures --symbol BTCUSDT --tape data/tape`
    """
    with quick_imports():
        from dataflows.command_line.jobs.importing import import_hftbacktest
    import_hftbacktest(files, f"{venue_name}:{symbol}", tape, compression, salvage)


@import_app.command("cryptofeed")
def cryptofeed_verb(
    files: Files,
    tape: Tape = None,
    venue_name: Annotated[str, typer.Option("--venue", help=" or ".join(CAPTURED))] = "binance_futures",
    compression: Compression = None,
    salvage: Salvage = False,
) -> None:
    """Raw captures of cryptofeed: stream and REST files, merged by receive time.

    Example: `tickwax import cryptofeed BINANCE_FUTURES.* --venue binance_futures --tape data/tape`
    """
    with quick_imports():
        from dataflows.command_line.jobs.importing import import_cryptofeed
    import_cryptofeed(files, venue_name, tape, compression, salvage)


@import_app.command("bybit-archive")
def bybit_archive_verb(
    files: Files,
    tape: Tape = None,
    category: Annotated[
        str | None, typer.Option(help="Market of the files: linear. Spot archives have the same names.")
    ] = None,
    compression: Compression = None,
    salvage: Salvage = False,
) -> None:
    """Bybit's public order books (zip, or unpacked), and trades beside them; exchange times stand for receive times.

    Example: `tickwax import bybit-archive 2024-12-01_XRPUSDT_ob500.data.zip XRPUSDT2024-12-01.csv.gz --tape data/tape`
    """
    with quick_imports():
        from dataflows.command_line.jobs.importing import import_bybit_archive
    import_bybit_archive(files, tape, category, compression, salvage)


@import_app.command("bybit-trades")
def bybit_trades_verb(
    files: Files, tape: Tape = None, compression: Compression = None, salvage: Salvage = False
) -> None:
    """Bybit's public archive of trades; the exchange's time stands for the receive time.

    Example: `tickwax import bybit-trades BTCUSDT2024-12-01.csv.gz --tape data/tape`
    """
    with quick_imports():
        from dataflows.command_line.jobs.importing import import_bybit_trades
    import_bybit_trades(files, tape, compression, salvage)


@import_app.command("binance-vision")
def binance_vision_verb(
    files: Files,
    symbol: Annotated[str, typer.Option("--symbol", help="The symbol of the files.", metavar="SYMBOL")],
    tape: Tape = None,
    market: Annotated[str, typer.Option(help="Market of the files: um (USD-M futures) or spot.")] = "um",
    compression: Compression = None,
    salvage: Salvage = False,
) -> None:
    """Binance's public data: `trades`, `aggTrades`, `T_DEPTH`; the exchange's time stands for the receive time.

    Example: `tickwax import binance-vision BTCUSDT-aggTrades-2023-05.zip --symbol BTCUSDT --tape data/tape`
    """
    with quick_imports():
        from dataflows.command_line.jobs.importing import import_binance_vision
    import_binance_vision(files, symbol, market, tape, compression, salvage)


@import_app.command("tardis")
def tardis_verb(files: Files, tape: Tape = None, compression: Compression = None, salvage: Salvage = False) -> None:
    """Tardis.dev CSV files: `incremental_book_L2`, `book_snapshot_N`, `trades`, merged by `local_timestamp`.

    Example: `tickwax import tardis book.csv.gz trades.csv.gz --tape data/tape`
    """
    with quick_imports():
        from dataflows.command_line.jobs.importing import import_tardis
    import_tardis(files, tape, compression, salvage)


@import_app.command("tardis-raw")
def tardis_raw_verb(
    files: Files,
    symbol: Annotated[str, typer.Option("--symbol", help="The symbol to import.", metavar="SYMBOL")],
    tape: Tape = None,
    venue_name: Annotated[str, typer.Option("--venue", help=" or ".join(CAPTURED))] = "binance_futures",
    compression: Compression = None,
    salvage: Salvage = False,
) -> None:
    """Tardis.dev's raw replay: a line is the time of arrival in ISO 8601 and the frame as it came; plain or gzip.

    Example: `tickwax import tardis-raw btcusdt.ndjson.gz --venue binance_futures --symbol BTCUSDT --tape data/tape`
    """
    with quick_imports():
        from dataflows.command_line.jobs.importing import import_tardis_raw
    import_tardis_raw(files, f"{venue_name}:{symbol}", tape, compression, salvage)
