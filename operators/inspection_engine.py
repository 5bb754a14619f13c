"""Data quality of one instrument, day by day: the thin owner of an `inspection_state.InspectionState`."""

import math
from dataclasses import dataclass, field

import numpy as np

from operators import inspection
from operators import inspection_state as of
from operators.inspection_state import CAUSES, InspectionRule, inspection_state, lower_edge, next_day
from operators.level_blocks import grown
from sources.tape.batch import KINDS, Int64s, TapeBatch

QUANTILES = (0.01, 0.5, 0.9, 0.99, 0.999)
MOST_GAPS = 1000  # of a day that are kept one by one: an instrument that is reset all the time does not fill memory
_ROOM = 4096


@dataclass(frozen=True)
class InspectionConfig:
    """Where a figure begins to count.

    Attributes:
        silence_ns: an interval without any row that is longer is a gap.
        stale_ns: covered time without a book message that is longer is a stale stretch.
        jump: relative change of the mid between two updates that is more is a jump.
        far: relative distance beyond the quotes from which on a print is far from them.

    Raises:
        ValueError: a value is not positive and finite; the text begins with its name.
    """

    silence_ns: int = 60_000_000_000
    stale_ns: int = 20_000_000_000
    jump: float = 0.01
    far: float = 0.005

    def __post_init__(self) -> None:
        for name in ("silence_ns", "stale_ns", "jump", "far"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: {getattr(self, name)} is not a positive number")

    def rule(self) -> InspectionRule:
        """The same for the kernels."""
        return InspectionRule(self.silence_ns, self.stale_ns, self.jump, self.far)


@dataclass(frozen=True)
class Gap:
    """Time without a covered book; ns."""

    begin: int
    end: int
    causes: tuple[str, ...]  # of `inspection_state.CAUSES`


@dataclass(frozen=True)
class DayFigures:
    """What a day of an instrument's tape holds. Times are ns; docs/inspect.md defines each.

    Attributes:
        day: days since 1970.
        counts, times: arrays of `inspection_state.COUNTS` and `inspection_state.TIMES`.
        largest_jump: relative.
        latency: those of `QUANTILES`, ns; None without a sample.
        gaps: the first `MOST_GAPS`.
    """

    day: int
    counts: Int64s
    times: Int64s
    largest_jump: float
    latency: tuple[int, ...] | None
    gaps: list[Gap] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Tape rows of the day."""
        return int(self.counts[: len(KINDS)].sum())

    @property
    def coverage(self) -> float | None:
        """Share of the span in which the book was known and rows came; None where there is no span."""
        span = int(self.times[of.SPAN])
        return (span - int(self.times[of.GAP])) / span if span else None

    def share(self, part: int) -> float | None:
        """Share of the covered time that one of the times is; None without covered time."""
        covered = int(self.times[of.SPAN] - self.times[of.GAP])
        return int(self.times[part]) / covered if covered else None

    def of_prints(self, part: int) -> float | None:
        """Share of the checked prints that one of the counts is; None without such prints."""
        checked = int(self.counts[of.CHECKED_PRINTS])
        return int(self.counts[part]) / checked if checked else None


def quantiles(histogram: Int64s) -> tuple[int, ...]:
    """Nearest-rank `QUANTILES` of a histogram that is not empty: of each its bucket's edge that is nearest to 0, ns."""
    cumulative = np.cumsum(histogram)
    n = int(cumulative[-1])
    return tuple(lower_edge(int(np.searchsorted(cumulative, max(1, math.ceil(q * n))))) for q in QUANTILES)


class InspectionEngine:
    """Turns one instrument's tape rows into figures of days. The split of the tape into batches changes none."""

    def __init__(self, config: InspectionConfig) -> None:
        self._rule = config.rule()
        self._state = inspection_state()
        self._room = np.empty((3, _ROOM), np.int64)
        self._gaps: list[Gap] = []

    def lead(self, batch: TapeBatch) -> None:
        """Rows before the first that figures are wanted of: they make the book known."""
        self.process(batch)
        next_day(self._state)
        when = self._state.when
        when[of.STARTED] = when[of.STILL] = 0
        when[of.GAP_BEGIN] = -1
        self._gaps = []

    def process(self, batch: TapeBatch) -> list[DayFigures]:
        """The days that these tape rows show to be over, days without a row included.

        Args:
            batch: the rows that follow those of the call before.
        """
        days: list[DayFigures] = []
        row = 0
        while True:
            row, n, why = inspection.run(batch, row, self._state, self._rule, self._room)
            self._keep(n)
            if why == inspection.DONE:
                return days
            if why == inspection.DAY_OVER:
                days.append(self._day())
                self._state.when[of.DAY] += 1
            elif why == inspection.BOOK_FULL:
                self._state = self._state._replace(book=grown(self._state.book))

    def finish(self) -> DayFigures | None:
        """The last day, after the last row; None if there was none."""
        if not self._state.when[of.STARTED]:
            return None
        self._keep(inspection.finish(self._state, self._rule, self._room))
        return self._day()

    def _keep(self, n: int) -> None:
        for begin, end, mask in self._room[:, : min(n, MOST_GAPS - len(self._gaps))].T.tolist():
            self._gaps.append(Gap(begin, end, tuple(word for bit, word in enumerate(CAUSES) if mask >> bit & 1)))

    def _day(self) -> DayFigures:
        state = self._state
        day = DayFigures(
            int(state.when[of.DAY]),
            state.counts.copy(),
            state.times.copy(),
            float(state.value[of.LARGEST_JUMP]),
            quantiles(state.latency) if state.counts[of.SAMPLES] else None,
            self._gaps,
        )
        self._gaps = []
        next_day(state)
        return day
