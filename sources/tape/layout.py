"""Where data sets lie: ``<root>/exchange=<venue>/symbol=<SYMBOL>/date=<YYYY-MM-DD>/*.parquet`` (Hive)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sources.instrument import Instrument

NS_PER_DAY = 86_400_000_000_000


def instrument_dir(root: Path, instrument: Instrument) -> Path:
    """The folder of one instrument."""
    return root / f"exchange={instrument.venue}" / f"symbol={instrument.symbol}"


def date_text(ts_ns: int) -> str:
    """UTC date of a time in nanoseconds since the epoch."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")


def is_data(path: Path) -> bool:
    """Whether a file holds data: names that begin with ``_`` or ``.`` do not."""
    return path.suffix == ".parquet" and not path.name.startswith(("_", "."))


def instruments(root: Path) -> Iterator[Instrument]:
    """Every instrument that has a data file under ``root``, sorted."""
    for folder in sorted(root.glob("exchange=*/symbol=*")):
        if any(is_data(p) for p in folder.glob("date=*/*.parquet")):
            yield Instrument(folder.parent.name.removeprefix("exchange="), folder.name.removeprefix("symbol="))


def data_files(root: Path, instrument: Instrument) -> list[Path]:
    """The data files of one instrument, by date and name."""
    return sorted(p for p in instrument_dir(root, instrument).glob("date=*/*.parquet") if is_data(p))
