"""Where data sets lie: ``<root>/exchange=<venue>/symbol=<SYMBOL>/date=<YYYY-MM-DD>/*.parquet`` (Hive)."""

import itertools
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.store.path import StorePath

NS_PER_DAY = 86_400_000_000_000
JOURNALS = "journal"  # the folder beside a data set
DAMAGED = ".damaged"  # ends the name of a file that was set aside


def instrument_dir(root: Path, instrument: Instrument) -> Path:
    """The folder of one instrument."""
    return root / f"exchange={instrument.venue}" / f"symbol={instrument.symbol}"


def date_text(ts_ns: int) -> str:
    """UTC date of a time in nanoseconds since the epoch."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")


def is_data(name: str) -> bool:
    """Whether a file holds data: names that begin with ``_`` or ``.`` do not."""
    return name.endswith(".parquet") and not name.startswith(("_", "."))


def instruments(root: Path) -> Iterator[Instrument]:
    """Every instrument that has a data file under ``root``, sorted."""
    if isinstance(root, StorePath):
        yield from sorted({instrument for instrument, _, _ in _stored(root.sizes())})
        return
    for venue in _values(str(root), "exchange"):
        for symbol in _values(f"{root}/exchange={venue}", "symbol"):
            try:
                there = any(True for _ in _data_names(f"{root}/exchange={venue}/symbol={symbol}"))
            except TickwaxError:  # whoever opens it is told why
                there = True
            if there:
                yield Instrument(venue, symbol)


def data_files(root: Path, instrument: Instrument) -> list[Path]:
    """The data files of one instrument, by date and name.

    Raises:
        TickwaxError: a folder cannot be read: what it holds must not pass for nothing.
    """
    if isinstance(root, StorePath):
        folder = root / f"exchange={instrument.venue}" / f"symbol={instrument.symbol}"
        keys = [f"exchange={instrument.venue}/symbol={instrument.symbol}/{key}" for key in folder.sizes()]
        return [folder / date / name for _, date, name in sorted(_stored(keys))]
    place = f"{root}/exchange={instrument.venue}/symbol={instrument.symbol}"
    return [Path(f"{place}/{date}/{name}") for date, name in sorted(_data_names(place))]


def _stored(keys: Iterable[str]) -> Iterator[tuple[Instrument, str, str]]:
    """Instrument, date's folder and name of every data file among paths within a data set; in no order."""
    for key in keys:
        match key.split("/"):
            case [venue, symbol, date, name] if is_data(name):
                if venue.startswith("exchange=") and symbol.startswith("symbol=") and date.startswith("date="):
                    yield Instrument(venue.removeprefix("exchange="), symbol.removeprefix("symbol=")), date, name


def _data_names(folder: str) -> Iterator[tuple[str, str]]:
    """Date's folder and name of every data file of an instrument; in no order. A pattern takes many times as long."""
    for date in _all_names(folder):
        if date.startswith("date="):
            yield from ((date, name) for name in _all_names(f"{folder}/{date}") if is_data(name))


def _values(folder: str, key: str) -> list[str]:
    """Of the folders of the form ``key=value``, sorted."""
    return sorted(name.removeprefix(f"{key}=") for name in _names(folder) if name.startswith(f"{key}="))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _all_names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        raise TickwaxError(f"{folder}: cannot be read: {e.strerror}") from e


def workplace(root: Path) -> Path:
    """The folder on this machine beside which lies what belongs to a data set: its own, unless it is in a store."""
    return root.workplace if isinstance(root, StorePath) else root


def free_name(path: Path) -> Path:
    """The path, with a number behind it if there is such a file."""
    numbered = (path.with_name(f"{path.name}{n or ''}") for n in itertools.count())
    return next(free for free in numbered if not os.path.lexists(free))


def set_aside_of(root: Path, instrument: Instrument) -> list[Path]:
    """Damaged files of an instrument that were moved out of the data set at ``root``."""
    folders = (instrument_dir(folder, instrument) for folder in besides(root, DAMAGED.removeprefix(".")))
    return sorted(path for folder in folders for path in folder.glob(f"date=*/*{DAMAGED}*"))


def beside(root: Path, name: str) -> Path:
    """A path for what belongs to a data set and is none of its data: ``.<root>.<name>`` in the folder above.

    Some readers of a whole folder stumble over files that are not Parquet. Inside it, as ``.<name>``, where the folder
    is mounted, because files cannot be renamed from one mount to another, not even of the same file system.
    """
    outside, inside = besides(root, name)
    root = workplace(root)
    same = _mount(root) == _mount(root.parent)
    return outside if same and os.access(root.parent, os.W_OK) else inside


def journal_files(root: Path) -> list[Path]:
    """The journals of a data set: rows that are not in its Parquet files yet."""
    # In both places: who reads may not have the rights by which the writer chose.
    return sorted(path for folder in besides(root, JOURNALS) for path in folder.glob("*.journal"))


def besides(root: Path, name: str) -> tuple[Path, Path]:
    """The two places of which `beside` takes one; the folder itself may be missing."""
    root = workplace(root)
    return root.parent / f".{root.name}.{name}", root / f".{name}"


def _mount(folder: Path) -> int:
    """What names the mount that a folder lies on; its file system where the system does not tell."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{handle}") as lines:  # proc_pid_fdinfo(5)
            return next(int(line.removeprefix("mnt_id:")) for line in lines if line.startswith("mnt_id:"))
    except (OSError, StopIteration):
        return os.fstat(handle).st_dev
    finally:
        os.close(handle)
