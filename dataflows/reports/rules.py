"""Rules on the terminal."""

from collections.abc import Sequence

from dataflows.reports.text_table import TextTable
from sinks.rule_store import StoredRule


def rules_table(rules: Sequence[StoredRule]) -> TextTable:
    """A line a rule: what it says, and the newest test."""
    out = TextTable(
        ("rule", "says", "status", "episodes", "mean, bp", "others", "q", "why"), left=("says", "status", "why")
    )
    for s in rules:
        e = s.evidence[-1] if s.evidence else {}
        out.add(
            str(s.number), s.rule.words, s.status, f"{e['episodes']:,}" if e else "-", _number(e.get("mean"), "+.2f"),
            _number(e.get("others"), "+.2f"), _number(e.get("q"), ".2g"), str(e.get("verdict", "-")),
        )  # fmt: skip
    return out


def nearest_words(found: Sequence[tuple[StoredRule, float]]) -> str:
    """The rules nearest to one, in a line."""
    return "nearest: " + "; ".join(f"rule {s.number} ({s.status}) at {d:.3g}: {s.rule.words}" for s, d in found)


def _number(x: float | None, form: str) -> str:
    return "-" if x is None else format(x, form)
