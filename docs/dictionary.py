"""Fills `docs/dictionary.md` from the schema: ``python docs/dictionary.py``, a second."""

import re
import textwrap
from itertools import groupby
from pathlib import Path

from fill import fill

from operators.bar_engine import BarConfig, bar_schema
from operators.config import FeatureConfig
from operators.dictionary import FAMILIES, Entry, declared_entries, entries, pattern
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.features.feature import Described
from operators.models.predictions import EXAMPLE
from operators.placement.log import PLACEMENTS
from operators.rules.schemas import APPLIED, episodes_schema

FOLDER = Path(__file__).parent
EVERYTHING = FeatureConfig(integrated_ofi=2, normalised=True, derivatives=True)  # with all that is off by default
HEAD = ("column", "type", "unit", "meaning", "formula", "reads", "unknown when", "bits of `warm`")


def anchors(page: str) -> dict[str, str]:
    """Where the sections of a page are, by number."""
    out = {}
    for heading in re.findall(r"^#+ (\d.*)$", (FOLDER / page).read_text(), re.MULTILINE):
        words = re.sub(r"[^\w\s-]", "", heading).strip().lower()
        out[heading.split()[0].rstrip(".")] = re.sub(r"[\s-]+", "-", words)
    return out


def cells(described: Described, type_: str) -> list[str]:
    """A row of a table."""
    _, unit, *texts, bits = described
    texts = [text.replace("{levels}", "the best D levels").replace("|", "\\|") for text in texts]
    definition, formula, reads, unknown = texts
    formula = f"`{formula}`" if formula else ""
    warm = " + ".join(str(1 << bit) for bit in range(8) if bits >> bit & 1)
    return [f"`{described.name}`", type_, unit, definition, formula, reads, unknown, warm]


def table(data_set: str, columns: list[Entry]) -> str:
    """Every column or family of a data set, in its order, by the section that defines it."""
    page = "tape.md" if data_set == "tape" else "features.md"
    places = anchors(page)
    parts = []
    for section, group in groupby(FAMILIES[data_set], lambda family: family[0]):
        rows = []
        for _, described in group:
            types = {entry.type for entry in columns if pattern(described).fullmatch(entry.name)}
            rows.append(cells(described, *types))
        used = [i for i in range(len(HEAD)) if i < 4 or any(row[i] for row in rows)]
        lines = ["| " + " | ".join(row[i] for i in used) + " |" for row in (list(HEAD), *rows)]
        lines.insert(1, "|" + "---|" * len(used))
        parts.append(f"Section [{section}]({page}#{places[section]}):\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def order(columns: list[Entry]) -> str:
    """The names of a data set's columns."""
    lines = textwrap.wrap(" ".join(entry.name for entry in columns), 110)
    return "\n".join(["```text", *lines, "```"])


def page_blocks() -> dict[str, str]:
    """Every block of the page."""
    of_default = entries(FeatureConfig())
    blocks = {}
    for data_set in FAMILIES:
        mine = [e for e in entries(EVERYTHING) if e.data_set == data_set]
        blocks[data_set] = table(data_set, mine)
    trading = (ORDERS, FILLS, EQUITY, EXAMPLE, episodes_schema([]), APPLIED, PLACEMENTS)
    for schema in (bar_schema(BarConfig("time", 60e9)), *trading):
        lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
        for entry in declared_entries(schema):
            said = entry.description
            lines.append(f"| `{entry.name}` | {entry.type} | {said.unit} | {said.definition} |")
        blocks[schema.name] = "\n".join(lines)
    blocks["order"] = order([e for e in of_default if e.data_set == "features"])
    return blocks


if __name__ == "__main__":
    fill(FOLDER / "dictionary.md", page_blocks())
