"""The data dictionary on the terminal."""

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from dataflows.reports.terminal import line
from dataflows.reports.text_table import TextTable, show
from dataflows.runtime.exit_codes import must_be_shown
from dataflows.settings.model import load_settings
from operators.bar_engine import BarConfig, bar_schema
from operators.dictionary import Entry, declared_entries, entries
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.models.predictions import EXAMPLE
from operators.placement.log import PLACEMENTS
from operators.rules.schemas import APPLIED, episodes_schema
from sources.errors import TickwaxError

_FAMILY = re.compile(r"\{\w+\}")
_PAGES = {
    "tape": "tape",
    "bars": "bars",
    "orders": "execution",
    "fills": "execution",
    "equity": "execution",
    "predictions": "forecasts",
    "episodes": "reflecting",
    "applied": "reflecting",
}
_MOST_NEAR = 4  # names that a message offers
_WIDTH = 12  # of a label


def list_columns() -> None:
    """Print every column in one line: data set, type, unit and meaning."""
    table = TextTable(("column", "data set", "type", "unit", "meaning"), left=("data set", "type", "unit", "meaning"))
    for entry in _entries():
        table.add(entry.name, entry.data_set, entry.type, entry.description.unit, entry.description.definition)
    show(table)
    must_be_shown()


def tell_column(name: str) -> None:
    """Print all there is to say of a column, once for each data set that has it.

    Raises:
        TickwaxError: none has it; names the nearest.
    """
    every = _entries()
    if "{" in name:  # as definitions write a family of columns
        family = re.compile("".join(".+" if i % 2 else re.escape(part) for i, part in enumerate(_FAMILY.split(name))))
        found = [entry for entry in every if family.fullmatch(entry.name)]
    else:
        found = [entry for entry in every if entry.name == name]
    if not found:
        if setting := _setting_of(name):
            raise TickwaxError(f"column {name!r}: there is none with these settings; {setting} switches it on")
        near = get_close_matches(name, dict.fromkeys(entry.name for entry in every), _MOST_NEAR)
        hint = f"; near it: {', '.join(near)}" if near else "; `tickwax columns` lists all"
        raise TickwaxError(f"column {name!r}: there is none with these settings{hint}")
    for entry in found:
        for text in told(entry, [e for e in every if e.data_set == entry.data_set]):
            line(text)
    must_be_shown()


def told(entry: Entry, columns: Sequence[Entry]) -> list[str]:
    """All there is to say of one of the columns of a data set, in lines."""
    of = entry.description
    page = _PAGES.get(entry.data_set, "features")
    facts = {
        "data set": f"{entry.data_set}, column {columns.index(entry) + 1} of {len(columns)}",
        "type": entry.type,
        "unit": of.unit,
        "meaning": of.definition,
        "formula": of.formula,
        "reads": of.reads,
        "unknown": of.unknown or "never",
        "warm bits": " + ".join(str(1 << bit) for bit in range(8) if of.warm >> bit & 1),
        "defined in": f"docs/{page}.md" + (f", {of.section}" if of.section else ""),
    }
    return [entry.name, *(f"  {label:<{_WIDTH}}{text}" for label, text in facts.items() if text)]


def _setting_of(name: str) -> str | None:
    """The setting without which there is no such column; None if there is none."""
    config = load_settings().feature_config()
    for setting, other in (
        ("integrated_ofi", replace(config, integrated_ofi=10)),
        ("normalised", replace(config, normalised=True)),
        ("derivatives", replace(config, derivatives=True)),
    ):
        if name in {entry.name for entry in entries(other)}:
            return f"features.{setting}"
    return None


def _entries() -> list[Entry]:
    others = (
        bar_schema(BarConfig("time", 60e9)),
        ORDERS,
        FILLS,
        EQUITY,
        EXAMPLE,
        episodes_schema([]),
        APPLIED,
        PLACEMENTS,
    )
    own = [entry for schema in others for entry in declared_entries(schema)]
    return entries(load_settings().feature_config()) + own
