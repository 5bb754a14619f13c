"""``tickwax import``: recorded market data of others becomes a tape."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from dataflows.app import app
from dataflows.importing import Reader, import_files
from dataflows.kernels import announce
from dataflows.settings import load_settings
from dataflows.verbs.import_summary import print_summary
from sources.errors import TickwaxError
from sources.importers import bybit_archive, cryptofeed, hftbacktest, tardis
from sources.instrument import Instrument
from sources.jit import CACHE as SOURCES
from sources.venues import venue

import_app = typer.Typer(no_args_is_help=True, help="Append recorded market data to a tape.")
app.add_typer(import_app, name="import")

Files = Annotated[list[Path], typer.Argument(help="Files, in the order of time.", metavar="FILES...")]
Tape = Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.", metavar="DIR")]
Compression = Annotated[str | None, typer.Option(help="Codec of Parquet; as in `tape.compression`.", metavar="CODEC")]


@import_app.command("hftbacktest")
def hftbacktest_verb(
    files: Files,
    symbol: Annotated[str, typer.Option("--symbol", help="The symbol to import.", metavar="SYMBOL")],
    tape: Tape = None,
    venue_name: Annotated[str, typer.Option("--venue", help=" or ".join(hftbacktest.VENUES))] = "binance_futures",
    compression: Compression = None,
) -> None:
    """Raw Binance captures: a line is a receive time (ns or µs) and the frame as it came; plain or gzip.

    Example: `tickwax import hftbacktest btcusdt_20240808.gz --venue binance_futures --symbol BTCUSDT --tape data/tape`
    """
    instrument = Instrument.parse(f"{venue_name}:{symbol}")
    _run(tape, files, partial(hftbacktest.read, instrument=instrument), instrument, compression)


@import_app.command("cryptofeed")
def cryptofeed_verb(
    files: Files,
    tape: Tape = None,
    venue_name: Annotated[str, typer.Option("--venue", help=" or ".join(cryptofeed.VENUES))] = "binance_futures",
    compression: Compression = None,
) -> None:
    """Raw captures of cryptofeed: stream and REST files, merged by receive time.

    Example: `tickwax import cryptofeed BINANCE_FUTURES.* --venue binance_futures --tape data/tape`
    """
    _run(tape, files, partial(cryptofeed.read, venue=venue(venue_name)), None, compression)


@import_app.command("bybit-archive")
def bybit_archive_verb(files: Files, tape: Tape = None, compression: Compression = None) -> None:
    """Bybit's public order book archive (zip); the exchange's send time stands for the receive time.

    Example: `tickwax import bybit-archive 2024-12-01_XRPUSDT_ob500.data.zip --tape data/tape`
    """
    _run(tape, files, bybit_archive.read, None, compression)


@import_app.command("tardis")
def tardis_verb(files: Files, tape: Tape = None, compression: Compression = None) -> None:
    """Tardis.dev CSV files, plain or gzip: `incremental_book_L2` and `trades`, merged by `local_timestamp`.

    Example: `tickwax import tardis book.csv.gz trades.csv.gz --tape data/tape`
    """
    _run(tape, files, tardis.read, None, compression)


def _run(
    tape: str | None, files: list[Path], reader: Reader, instrument: Instrument | None, compression: str | None
) -> None:
    settings = load_settings({"tape.path": tape, "tape.compression": compression})
    root = settings.tape.path
    if root is None:
        raise TickwaxError("tape.path: '' is no folder to write to; name one with --tape")
    for path in files:
        if not path.is_file():
            raise TickwaxError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    announce(SOURCES, "lines._index", 12)
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(path.stat().st_size for path in files))
        result = import_files(
            root, files, reader, instrument, settings.tape.compression, lambda count: progress.advance(task, count)
        )
    print_summary(result)
