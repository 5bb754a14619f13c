"""Episodes of many instruments as columns, and how they are divided by time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sources.tape.batch import Float64s, Int64s


@dataclass(frozen=True)
class EpisodeTable:
    """Episodes in the order of their opening.

    Attributes:
        instrument: ``venue:SYMBOL``, shape ``(episodes,)``.
        opened, closed: ns, shape ``(episodes,)``.
        net_bp: outcome after fees, in basis points of notional.
        entry: feature columns at the entry row, by name.
        other: the remaining columns of the data set, by name.
    """

    instrument: npt.NDArray[np.object_]
    opened: Int64s
    closed: Int64s
    net_bp: Float64s
    entry: Mapping[str, Float64s]
    other: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.opened)

    def take(self, rows: Any) -> "EpisodeTable":
        """Some of the rows: a mask, or their numbers."""
        entry = {name: column[rows] for name, column in self.entry.items()}
        other = {name: column[rows] for name, column in self.other.items()}
        return EpisodeTable(
            self.instrument[rows], self.opened[rows], self.closed[rows], self.net_bp[rows], entry, other
        )


def split_by_time(table: EpisodeTable, holdout: float, embargo_ns: int) -> tuple[EpisodeTable, EpisodeTable]:
    """Earlier episodes to learn from, later ones to test on.

    The cut is the opening time below which ``1 − holdout`` of the episodes lie. To learn from are those that had closed
    before it; to test on, those that opened at least ``embargo_ns`` after it. What straddles the cut is in neither.

    Args:
        holdout: share of the episodes, above 0, below 1.
    """
    if len(table) == 0:
        return table, table
    cut = int(table.opened[min(len(table) - 1, int(len(table) * (1.0 - holdout)))])
    return table.take(table.closed < cut), table.take(table.opened >= cut + embargo_ns)
