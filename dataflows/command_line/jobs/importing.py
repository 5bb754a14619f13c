"""Recorded market data of others, appended to a tape."""

from functools import partial
from pathlib import Path

from rich.progress import DownloadColumn, TimeRemainingColumn

from dataflows.assembly.importing import Reader, import_files
from dataflows.command_line.jobs.import_summary import print_summary
from dataflows.reports.progress import progress_bar
from dataflows.runtime.kernels import announce
from dataflows.settings.flags import settings_of
from dataflows.settings.model import load_settings
from sources.errors import TickwaxError
from sources.importers import (
    binance_vision,
    bybit_archive,
    bybit_trades,
    cryptofeed,
    hftbacktest,
    tardis,
    tardis_raw,
)
from sources.importers.venues import named_instrument
from sources.instrument import Instrument
from sources.jit import CACHE as SOURCES
from sources.venues.registry import venue

# By kind: a kernel that it needs, and how many seconds all of its kernels take to compile.
_COMPILED = {
    "hftbacktest": ("lines._index", 12),
    "tardis": ("csv_fields._split", 4),
    "bybit-trades": ("csv_fields._split", 4),
    "binance-vision": ("csv_fields._split", 3),
}
_NO_FILE = "is no regular file; only those are read, because they are read twice"


def import_hftbacktest(files: list[Path], name: str, tape: str | None, compression: str | None, salvage: bool) -> None:
    """Raw captures of the instrument ``name``."""
    instrument = named_instrument(name)
    _run(
        "hftbacktest",
        tape,
        files,
        partial(hftbacktest.read, instrument=instrument, salvage=salvage),
        instrument,
        compression,
    )


def import_cryptofeed(
    files: list[Path], venue_name: str, tape: str | None, compression: str | None, salvage: bool
) -> None:
    """Raw captures of cryptofeed."""
    _run(
        "cryptofeed", tape, files, partial(cryptofeed.read, venue=venue(venue_name), salvage=salvage), None, compression
    )


def import_bybit_archive(
    files: list[Path], tape: str | None, category: str | None, compression: str | None, salvage: bool
) -> None:
    """Bybit's archive."""
    bybit_archive.check_category(category)
    reader = partial(bybit_archive.read, salvage=salvage, category=category)
    _run("bybit-archive", tape, files, reader, None, compression)


def import_bybit_trades(files: list[Path], tape: str | None, compression: str | None, salvage: bool) -> None:
    """Bybit's archive of trades."""
    _run("bybit-trades", tape, files, partial(bybit_trades.read, salvage=salvage), None, compression)


def import_binance_vision(
    files: list[Path], symbol: str, market: str, tape: str | None, compression: str | None, salvage: bool
) -> None:
    """Binance's public data of one symbol."""
    instrument = binance_vision.instrument_of(symbol, market)
    reader = partial(binance_vision.read, symbol=symbol, market=market, salvage=salvage)
    _run("binance-vision", tape, files, reader, instrument, compression)


def import_tardis(files: list[Path], tape: str | None, compression: str | None, salvage: bool) -> None:
    """CSV of Tardis.dev."""
    _run("tardis", tape, files, partial(tardis.read, salvage=salvage), None, compression)


def import_tardis_raw(files: list[Path], name: str, tape: str | None, compression: str | None, salvage: bool) -> None:
    """Raw replay of Tardis.dev, of the instrument ``name``."""
    instrument = named_instrument(name)
    reader = partial(tardis_raw.read, instrument=instrument, salvage=salvage)
    _run("tardis-raw", tape, files, reader, instrument, compression)


def _run(
    kind: str,
    tape: str | None,
    files: list[Path],
    reader: Reader,
    instrument: Instrument | None,
    compression: str | None,
) -> None:
    settings = load_settings(
        settings_of({"--tape": ("tape.path", tape), "--compression": ("tape.compression", compression)})
    )
    root = settings.tape.path
    if root is None:
        raise TickwaxError("tape.path: '' is no folder to write to; name one with --tape")
    for path in files:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else _NO_FILE if path.exists() else "no such file"
            raise TickwaxError(f"{path}: {what}")
    announce(SOURCES, *_COMPILED.get(kind, ("decimals._books", 3)))
    with progress_bar("importing", DownloadColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("", total=sum(path.stat().st_size for path in files))
        result = import_files(
            root,
            files,
            reader,
            instrument,
            settings.tape.compression,
            lambda count: progress.advance(task, count),
            kind,
        )
    print_summary(result)
