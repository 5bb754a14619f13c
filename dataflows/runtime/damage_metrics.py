"""What a run met of damage, as metrics."""

from prometheus_client import Counter

from dataflows.runtime.exit_codes import say
from sinks.compaction import Damage

DAMAGED = Counter("tickwax_damaged_bytes", "Bytes of journals that could not be read.", ("sink",))
DAMAGED_ROWS = Counter("tickwax_damaged_rows", "Rows that they held, at the most.", ("sink",))
QUARANTINED = Counter(
    "tickwax_quarantined", "Damaged files and journals that were set aside, and instruments left out.", ("kind",)
)


def count_damage(sink: str, damage: Damage) -> None:
    """What could not be read of a sink's journals."""
    DAMAGED.labels(sink).inc(damage.bytes)
    DAMAGED_ROWS.labels(sink).inc(damage.rows)


def tell_damage(sink: str, damage: Damage, line: str) -> None:
    """Count it and say it."""
    count_damage(sink, damage)
    say(line)
