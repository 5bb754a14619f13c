"""Arguments as settings, and errors that name the argument."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import PurePath
from typing import Any, Literal, TypedDict

from dataflows.settings.flags import renamed
from dataflows.settings.groups import FeatureSettings
from dataflows.settings.model import Settings, settings_from
from sources.errors import TickwaxError, TickwaxWarning

Path = str | os.PathLike[str]
Symbols = str | Sequence[str]
Time = str | datetime


class FeatureArguments(TypedDict, total=False):
    """What features are computed with, as in the settings ``features.*``."""

    windows: Sequence[str]
    depths: Sequence[int]
    ofi: Literal["cont", "depth"]
    zscore_window: int
    max_hold: str
    price_d: float
    volume_d: float
    d_file: Path
    ffd_threshold: float
    fdi_window: int
    fdi_interval: str
    fdi_method: Literal["variogram", "madogram", "sevcik", "chord"]
    volatility_window: int
    integrated_ofi: int
    normalised: bool
    derivatives: bool
    unknown: Literal["nan", "null"]


class ReplayArguments(FeatureArguments, total=False):
    """What every form of `tickwax.replay` takes."""

    symbols: Symbols | None
    sampling: str
    start: Time | None
    end: Time | None
    books: Path | None
    overwrite: bool
    workers: int
    progress: bool


_NAMES = {f"features.{name}": name for name in FeatureSettings.model_fields} | {
    "tape.path": "tape",
    "features.path": "to",
    "books.path": "books",
    "replay.start": "start",
    "replay.end": "end",
}
_OFFERED = {"features.overwrite": "overwrite=True"}


def as_settings(values: Mapping[str, Any], features: Mapping[str, Any]) -> Settings:
    """Settings from arguments.

    Args:
        values: by dotted key; None: not given.
        features: settings of the features by their own names.

    Raises:
        ValueError: one is unknown or out of range; the text begins with the argument's name.
    """
    taken = sorted(FeatureArguments.__annotations__)
    for name in features:
        if name not in taken:
            raise ValueError(f"{name}: unknown argument; settings of the features are {', '.join(taken)}")
    layer = {**values, **{f"features.{name}": value for name, value in features.items()}}
    given = {key: _as_text(value) if isinstance(value, os.PathLike) else value for key, value in layer.items()}
    symbols = given.get("symbols")
    if isinstance(symbols, str):
        given["symbols"] = [symbols]
    elif symbols is not None:
        if not isinstance(symbols, Iterable):
            raise ValueError(f"symbols: {symbols!r} is no name of an instrument, nor several")
        given["symbols"] = [str(symbol) for symbol in symbols]
    try:
        return settings_from(given)
    except TickwaxError as e:
        raise ValueError(in_arguments(str(e))) from None


def _as_text(path: os.PathLike[str]) -> str:
    return str(path) if isinstance(path, PurePath) else os.fspath(path)  # of a store's path only the text is a path


def in_arguments(line: str, **names: str) -> str:
    """The line with arguments in place of the keys of settings; ``names``: of those that have another one."""
    return renamed(line, _NAMES | names, _OFFERED)


@contextmanager
def naming_arguments(**names: str) -> Iterator[list[str]]:
    """Errors name arguments; lines that are put into the list are warnings at the end.

    Args:
        names: of arguments, by key, that have another one than elsewhere.

    Raises:
        TickwaxError: that of the body.
    """
    lines: list[str] = []
    try:
        yield lines
    except TickwaxError as e:
        e.args = (in_arguments(str(e), **names), *e.args[1:])
        raise
    for line in lines:
        warnings.warn(in_arguments(line, **names), TickwaxWarning, stacklevel=4)
