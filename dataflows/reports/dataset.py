"""What became of the feature rows of a data set for learning."""

from collections.abc import Mapping

from dataflows.reports.text_table import TextTable
from operators.labels.rows import REASONS, Counts
from sources.instrument import Instrument


def table(counts: Mapping[Instrument, Counts]) -> TextTable:
    """A line an instrument: rows, those kept, those left out by reason, segments."""
    out = TextTable(("instrument", "feature rows", "kept", *REASONS.values(), "segments"))
    for instrument, each in counts.items():
        numbers = (each.rows, each.kept, *each.left_out.values(), each.segments)
        out.add(str(instrument), *(f"{number:,}" for number in numbers))
    return out


def lines(counts: Mapping[Instrument, Counts]) -> list[str]:
    """The same in lines, and which bits of `warm` the cold rows lack."""
    out = []
    for instrument, each in counts.items():
        reasons = ", ".join(f"{number:,} {name}" for name, number in each.left_out.items())
        out.append(
            f"{instrument}: {each.kept:,} of {each.rows:,} feature rows have labels, in {each.segments:,} segments; "
            f"left out: {reasons}"
        )
    return out + missing_lines(counts)


def missing_lines(counts: Mapping[Instrument, Counts]) -> list[str]:
    """Which bits of `warm` rows lack, where any does."""
    out = []
    for instrument, each in counts.items():
        if lacking := [f"{bit} in {rows:,}" for bit, rows in each.missing.items() if rows]:
            out.append(f"{instrument}: rows that lack a bit of `warm`: {', '.join(lacking)}")
    return out
