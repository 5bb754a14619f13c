"""Which folder a data set may be written to: never one with other data in it, or in whose data it would lie."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from sinks.identity import data_set_of
from sources.errors import TickwaxError
from sources.parquet import read_schema
from sources.tape.layout import data_files, instruments

_PARTITION = "exchange="  # begins the folders of every data set


def check_target(root: Path, data_set: str, key: str) -> None:
    """Refuse a folder that holds another kind of data set, or lies in one or around one.

    Replacing what is there would destroy it, and rows of two kinds in one folder are read by nobody.

    Args:
        data_set: what is to be written.
        key: of the setting or flag that names the folder; begins the message.

    Raises:
        TickwaxError: that is so.
    """
    for instrument in instruments(root):
        for file in data_files(root, instrument)[:1]:
            try:
                schema = read_schema(file)
            except TickwaxError:  # whoever reads or replaces it tells of it
                continue
            there = data_set_of(schema)
            if there and there != data_set:
                raise TickwaxError(f"{key}: {root} holds {_named(there)}, not {_named(data_set)}; name another folder")
            if not there and "ts" not in schema.names:
                raise TickwaxError(f"{key}: {root} holds files of another program, such as {file}; name another folder")
    check_outside(root, key)
    if other := next(_inside(root), None):
        raise TickwaxError(f"{key}: {root} holds the data set {other}; every data set needs a folder of its own")


def check_outside(path: Path, key: str) -> None:
    """Refuse a path that lies in the folder of a data set.

    Raises:
        TickwaxError: that is so.
    """
    for folder in path.absolute().parents:
        if folder.name.startswith(_PARTITION) or any(_partitions(folder)):
            outer = folder.parent if folder.name.startswith(_PARTITION) else folder
            raise TickwaxError(f"{key}: {path} lies inside the data set {outer}; name a folder outside of it")


def _partitions(folder: Path) -> Iterable[Path]:
    try:
        return [child for child in folder.iterdir() if child.name.startswith(_PARTITION) and child.is_dir()]
    except OSError:
        return []


def _inside(root: Path) -> Iterator[Path]:
    try:
        children = sorted(root.iterdir())
    except OSError:
        return iter(())
    return (child for child in children if not child.name.startswith(_PARTITION) and any(_partitions(child)))


def _named(data_set: str) -> str:
    return f"a {data_set}" if data_set in ("tape", "sweep") else data_set
