"""Tick and lot of each instrument: named, found on its tape, or asked of its venue."""

import math
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, DecimalException
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from dataflows.runtime.exit_codes import say
from dataflows.settings.groups import GridSettings
from dataflows.settings.model import Settings
from operators.execution.grid import Grid, StepSearch, as_decimal
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.files import Steps
from sources.tape.reader import TapeReader

if TYPE_CHECKING:  # a backtest asks no exchange, and aiohttp is a tenth of its start
    from sources.live.instruments import Listing

_TABLES = TypeAdapter(dict[str, GridSettings])


def named_grids(settings: Settings) -> dict[Instrument, Grid]:
    """Those that the settings name, one by one or in a file.

    Raises:
        TickwaxError: one is wrong, or the file cannot be read.
    """
    path = settings.execution.grid_file
    in_file = {} if path is None else read_grids(path)
    return in_file | _grids("execution.grids", settings.execution.grids)


def read_grids(path: Path) -> dict[Instrument, Grid]:
    """Those of a file that `write_grids` wrote, or a person.

    Raises:
        TickwaxError: it cannot be read, or one is wrong.
    """
    return _grids(str(path), _read(path))


def _grids(place: str, tables: Mapping[str, GridSettings]) -> dict[Instrument, Grid]:
    grids = {}
    for name, grid in tables.items():
        try:
            grids[Instrument.parse(name)] = Grid(_step(grid.tick, "tick"), _step(grid.lot, "lot"), float(grid.min))
        except (ValueError, TickwaxError) as e:
            raise TickwaxError(f"{place}: {name}: {e}") from None
    return grids


def grids_of(
    settings: Settings, readers: list[TapeReader], tell: Callable[[str], None] = say
) -> dict[Instrument, Grid]:
    """The grid of each instrument: from the settings, else from its tape, which is told.

    Raises:
        TickwaxError: one is wrong, or the tape has no price.
    """
    named = named_grids(settings)
    grids = {}
    for reader in readers:
        instrument = reader.instrument
        found: Grid | None = named.get(instrument)
        if found is None:
            try:
                found = grid_on(reader)
            except ValueError as e:
                raise TickwaxError(f"execution.grids: {instrument}: {e}") from None
            if found is None:
                raise TickwaxError(
                    f"execution.grids: {instrument}: the tape has no price to infer a tick from; name one"
                )
            tell(f"{instrument}: tick {float(found.tick):.12g}, lot {float(found.lot):.12g}, inferred from the tape")
        grids[instrument] = found
    return grids


def grid_on(reader: TapeReader) -> Grid | None:
    """The largest grid that holds every price and size of a range: as its files tell, else by their rows.

    Raises:
        ValueError: a number has more than 12 decimals.
    """
    ticks, lots = StepSearch(), StepSearch()
    steps: list[Steps] = []
    for batch in reader.numbers(steps.append):
        ticks.add(batch.price, batch.kind)
        lots.add(batch.size, batch.kind)
    tick = _common([ticks.step, *(told.tick for told in steps)])
    lot = _common([lots.step, *(told.lot for told in steps)])
    return None if tick is None or lot is None else Grid(tick, lot)


def _common(steps: Iterable[Fraction | None]) -> Fraction | None:
    """The largest step of which all of these are multiples."""
    found = [step for step in steps if step is not None]
    if not found:
        return None
    scale = math.lcm(*(step.denominator for step in found))
    return Fraction(math.gcd(*(int(step * scale) for step in found)), scale)


def listed_grids(listings: "Iterable[Listing]") -> dict[Instrument, Grid]:
    """Those that venues tell, sizes in base currency; an instrument whose entry does not tell them has none."""
    grids = {}
    for listing in listings:
        try:
            lot = Decimal(listing.lot_size) * listing.multiplier
            least = Decimal(listing.min_size or 0) * listing.multiplier
            grids[listing.instrument] = Grid(Fraction(Decimal(listing.tick_size)), Fraction(lot), float(least))
        except (ValueError, DecimalException):
            continue
    return grids


def write_grids(path: Path, grids: Mapping[Instrument, Grid]) -> None:
    """Write a file that `execution.grid_file` takes.

    Raises:
        OSError: it cannot be written.
    """
    lines = ["# Tick, lot and least size by instrument: a backtest takes them as execution.grid_file.", ""]
    for instrument, grid in sorted(grids.items()):
        tick, lot = as_decimal(grid.tick), as_decimal(grid.lot)
        lines.append(f'"{instrument}" = {{ tick = "{tick}", lot = "{lot}", min = {grid.least!r} }}')
    part = path.with_name(f".{path.name}.{os.getpid()}")  # other processes may write the same
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(path)


def _read(path: Path) -> dict[str, GridSettings]:
    try:
        return _TABLES.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as e:
        raise TickwaxError(f"execution.grid_file: {path}: {e.strerror}") from None
    except ValidationError as e:
        wrong = e.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, wrong["loc"]))
        raise TickwaxError(f"execution.grid_file: {path}: {place}: {wrong['msg']}") from None
    except ValueError as e:  # TOML, or UTF-8
        raise TickwaxError(f"execution.grid_file: {path}: not a TOML file: {e}") from None


def _step(given: Any, name: str) -> Fraction:
    try:
        return Fraction(str(given))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{name}: {given!r} is not a number") from None
