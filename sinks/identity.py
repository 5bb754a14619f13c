"""What a data file says of itself in its Parquet metadata, so that rows of two meanings never stand side by side.

Keys: ``tickwax.data_set``, ``tickwax.schema_version``, ``tickwax.engine_version``, ``tickwax.settings`` (a JSON object
of every setting that decides a value, those of the instrument included) and ``tickwax.span`` (of the rows' times).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import read_schema
from sources.tape.layout import data_files, instruments
from sources.tape.schema import EDGE, SETTINGS, TAPE_SCHEMA

SCHEMA_VERSION = 1  # rises when a column changes its meaning
SPAN = "tickwax.span"
DATA_SET, _SCHEMA, _ENGINE = (f"tickwax.{name}" for name in ("data_set", "schema_version", "engine_version"))


class Difference(NamedTuple):
    """The first setting in which two files differ."""

    setting: str
    there: str
    here: str


@dataclass(frozen=True)
class Identity:
    """Which data set a file belongs to, and with which settings its values were computed, as text by name."""

    data_set: str
    settings: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by `venue:SYMBOL`, where they differ

    def of(self, instrument: Instrument | None) -> dict[str, str]:
        """All settings of an instrument."""
        return {**self.settings, **self.own.get(str(instrument), {})}

    def metadata(self, instrument: Instrument | None) -> dict[str, str]:
        """What is written into a file of the instrument."""
        return {
            DATA_SET: self.data_set,
            _SCHEMA: str(SCHEMA_VERSION),
            _ENGINE: engine_version(),
            SETTINGS: json.dumps(self.of(instrument), sort_keys=True),
        }

    def as_json(self) -> dict[str, Any]:
        """For a journal's description."""
        return {
            "data_set": self.data_set,
            "settings": dict(self.settings),
            "own": {k: dict(v) for k, v in self.own.items()},
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """As `as_json` gave it."""
        return cls(found["data_set"], found["settings"], found["own"])


@cache
def engine_version() -> str:
    """The version of this program."""
    try:
        return version("tickwax")
    except PackageNotFoundError:  # run from its sources
        return "unknown"


def data_set_of(schema: pa.Schema) -> str:
    """The name of a file's data set; empty if the file does not tell and is no tape."""
    told: bytes | None = (schema.metadata or {}).get(DATA_SET.encode())
    if told is not None:
        return told.decode(errors="replace")
    return "tape" if schema.names == TAPE_SCHEMA.names else ""


def settings_in(path: Path) -> dict[str, str] | None:
    """The settings that a file was written with; None in a file of an older version, which does not tell.

    Raises:
        TickwaxError: it cannot be read, or is of a newer version.
    """
    metadata = read_schema(path).metadata or {}
    if SETTINGS.encode() not in metadata:
        return None
    try:
        written_as = int(metadata[_SCHEMA.encode()])
        found = json.loads(metadata[SETTINGS.encode()])
        settings = {str(key): str(value) for key, value in found.items()}
    except (ValueError, LookupError, AttributeError):
        raise TickwaxError(f"{path}: its metadata {SETTINGS} cannot be read") from None
    if written_as > SCHEMA_VERSION:
        raise TickwaxError(f"{path}: of schema version {written_as}; this program reads up to {SCHEMA_VERSION}")
    return settings


def difference(there: Mapping[str, str], here: Mapping[str, str], leave: frozenset[str]) -> Difference | None:
    """The first difference between two files' settings, but for those in ``leave``."""
    for name in sorted({*there, *here} - leave):
        if there.get(name) != here.get(name):
            return Difference(name, there.get(name, "none"), here.get(name, "none"))
    return None


def check_folder(root: Path, identity: Identity, replaced: set[Instrument], appended: bool) -> None:
    """Refuse to write into a data set that holds rows of other settings, or of unknown ones.

    Args:
        replaced: instruments whose files will go.
        appended: rows may be added to instruments that are there already, so that even their own settings must agree.

    Raises:
        TickwaxError: that is so; names the first difference.
    """
    own = _OF_THE_MARKET if appended else _OWN
    for instrument in instruments(root):
        if instrument in replaced:
            continue
        file = data_files(root, instrument)[-1]
        there = settings_in(file)
        if there is None:
            raise TickwaxError(
                f"{identity.data_set}.path: {file} was written by an older version, which did not note its settings; "
                "write to a new folder"
            )
        found = difference(there, identity.of(instrument), own)
        if found is not None:
            name, was, now = found
            raise TickwaxError(
                f"{identity.data_set}.path: {file} was written with other settings: {name} was {was} and is {now}; "
                "write to a new folder, or overwrite every instrument"
            )


# In which instruments may differ.
_OF_THE_MARKET = frozenset({EDGE})  # each file tells it of its own rows
_OWN = _OF_THE_MARKET | {"features.d_file.price_d", "features.d_file.volume_d", "execution.grid"}
