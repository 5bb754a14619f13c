"""The grid of a sweep: which settings are varied over which values, from a TOML file."""

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataflows.settings.layers import shortened
from sources.errors import TickwaxError

Value = bool | int | float | str

GROUPS = ("strategy", "execution", "placement")
MOST_RUNS = 10_000
_NEVER_VARIED = {
    "execution.grids": "a grid belongs to its instrument; set it in the file of settings",
    "placement.tapes": "`tickwax train placement` estimates a model from them; a backtest does not look at them",
    "placement.size": "`tickwax train placement` estimates a model with it; a backtest does not look at it",
}
_KEYS = ("symbols", *GROUPS)


@dataclass(frozen=True)
class SweepGrid:
    """Values of settings, of which every combination is run.

    Attributes:
        path: the file.
        symbols: instruments, as the setting of that name; None: the file names none.
        values: by dotted key, in the order of the file, each at least one.
    """

    path: Path
    symbols: list[str] | None
    values: Mapping[str, list[Value]]

    @property
    def runs(self) -> int:
        """Combinations of the values."""
        return math.prod(map(len, self.values.values()))

    def combinations(self) -> Iterator[dict[str, Value]]:
        """Every combination, by dotted key; the last key changes first."""
        for values in itertools.product(*self.values.values()):
            yield dict(zip(self.values, values, strict=True))

    def refused(self, what: str) -> TickwaxError:
        """The line that says what is wrong in the file."""
        return TickwaxError(f"--sweep: {self.path}: {what}")


def read_grid(path: Path) -> SweepGrid:
    """The grid in a TOML file: ``symbols``, and keys of ``[strategy]``, ``[execution]`` and ``[placement]`` with lists
    of values.

    A value that stands alone is a list of one. Whether the values are good for their keys is not known here.

    Raises:
        TickwaxError: the file cannot be read or is not TOML; a key is none of these; a list is empty, has a value twice
            or one that is no number, text or truth value; there are more than `MOST_RUNS` combinations.
    """
    found = _read(path)
    grid = SweepGrid(path, None, {})
    if odd := next((key for key in found if key not in _KEYS), None):
        raise grid.refused(f"{odd}: unknown key; a sweep has {', '.join(_KEYS)}")
    symbols = _values(grid, "symbols", found["symbols"]) if "symbols" in found else None
    if symbols is not None and (wrong := next((s for s in symbols if not isinstance(s, str)), None)) is not None:
        raise grid.refused(f"symbols: {wrong!r} is not an instrument such as venue:SYMBOL")
    values: dict[str, list[Value]] = {}
    for group in GROUPS:
        if not isinstance(table := found.get(group, {}), dict):
            raise grid.refused(f"{group}: {_short(table)} is not a table of keys with lists of values")
        for key, given in _leaves(grid, group, table):
            values[key] = _values(grid, key, given)
    if not values:
        raise grid.refused(f"there is nothing to vary; it needs keys in {_tables()}")
    whole = SweepGrid(path, None if symbols is None else [str(s) for s in symbols], values)
    if whole.runs > MOST_RUNS:
        lengths = " × ".join(str(len(each)) for each in values.values() if len(each) > 1)
        raise grid.refused(f"{lengths} = {whole.runs:,} combinations; at most {MOST_RUNS:,}")
    return whole


def _tables() -> str:
    names = [f"[{group}]" for group in GROUPS]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as e:
        raise TickwaxError(f"--sweep: cannot read {path}: {e.strerror}") from None
    except UnicodeDecodeError:
        raise TickwaxError(f"--sweep: {path} is not UTF-8 text") from None
    except RecursionError:
        raise TickwaxError(f"--sweep: {path} is not TOML: nested too deeply") from None
    except ValueError as e:
        raise TickwaxError(f"--sweep: {path} is not TOML: {e}") from None


def _leaves(grid: SweepGrid, above: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys of a table and of the tables in it, in dotted form."""
    for name, given in table.items():
        key = f"{above}.{name}"
        if "." in name or not name:
            raise grid.refused(f"{above}: {name!r} is no key")
        if key in _NEVER_VARIED:
            raise grid.refused(f"{key}: {_NEVER_VARIED[key]}")
        if isinstance(given, dict):
            yield from _leaves(grid, key, given)
        else:
            yield key, given


def _values(grid: SweepGrid, key: str, given: Any) -> list[Value]:
    values = given if isinstance(given, list) else [given]
    if not values:
        raise grid.refused(f"{key}: [] is empty; at least one value is needed")
    for value in values:
        if not _is_value(value):
            raise grid.refused(f"{key}: {_short(value)} is not a finite number of 64 bits, a text, true or false")
    seen: set[tuple[bool, Value]] = set()
    for value in values:
        if (same := (isinstance(value, bool), value)) in seen:  # True is 1, and 1 is 1.0
            raise grid.refused(f"{key}: {_short(value)} stands twice")
        seen.add(same)
    return values


def _is_value(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return isinstance(value, str)


def _short(value: Any) -> str:
    try:
        return shortened(repr(value))
    except ValueError:  # Python does not write out whole numbers of more than 4300 digits
        return "a whole number of thousands of digits"
