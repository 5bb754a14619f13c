"""What a resumed run goes on with, and what the states of its steps say of the rows that they have given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from operators.mark import Mark, TradeMark
from operators.rules.episode_state import EpisodeMark
from sinks.counted import counted_rows, newest_rows


@dataclass(frozen=True)
class Resumed:
    """What is resumed: the source's state, and the data sets."""

    flow: str
    run: dict[str, str] | None  # of a recorded tape; None: the source is another
    sets: Mapping[str, Path]  # by step of the sink
    progress: "Progress"


class Progress(Protocol):
    """What the state of an instrument says of the rows that it has given."""

    @property
    def step(self) -> str:
        """Name of the step that keeps the states."""

    def mark(self, data: bytes) -> Any:
        """Of a state; its ``next_ordinal`` is that of the tape."""

    def given(self, mark: Any, sink: str, key: str) -> Any:
        """What a sink must have of an instrument; None: nothing. ``mark`` is None where there is no state."""

    def written(self, root: Path, part: str, state: bytes) -> Mapping[str, Any] | None:
        """The same by instrument, as the state of a sink's partition tells it; None: it is complete."""


@dataclass(frozen=True)
class FeatureProgress:
    """Of features: time and ordinal of the newest row.

    Attributes:
        first: by instrument: rows of lower ordinals reach no sink.
    """

    first: Mapping[str, int]
    step: str = "features"

    def mark(self, data: bytes) -> Mark:
        """Of a state."""
        return Mark.of(data)

    def given(self, mark: Mark | None, sink: str, key: str) -> tuple[int, int] | None:
        """Of the newest row."""
        if mark is None or mark.row_ordinal < self.first.get(key, 0):
            return None
        return (mark.row_ts, mark.row_ordinal) if mark.row_ordinal >= 0 else None

    def written(self, root: Path, part: str, state: bytes) -> Mapping[str, Any] | None:
        """Of the newest rows."""
        return newest_rows(root, part, state)


@dataclass(frozen=True)
class TradeProgress:
    """Of trading: how many rows."""

    step: str = "trade"

    def mark(self, data: bytes) -> TradeMark:
        """Of a state."""
        return TradeMark.of(data)

    def given(self, mark: TradeMark | None, sink: str, key: str) -> int | None:
        """Rows of the sink's data set."""
        return None if mark is None else getattr(mark, sink.removesuffix("_parquet")) or None

    def written(self, root: Path, part: str, state: bytes) -> Mapping[str, Any] | None:
        """Rows in the journal."""
        return counted_rows(root, part, state)


@dataclass(frozen=True)
class EpisodeProgress:
    """Of episodes: how many rows of equity have been taken, and how many rows of its own given."""

    step: str = "episodes"

    def mark(self, data: bytes) -> EpisodeMark:
        """Of a state."""
        return EpisodeMark.of(data)

    def given(self, mark: EpisodeMark | None, sink: str, key: str) -> int | None:
        """Rows of the data set."""
        return None if mark is None else mark.episodes or None

    def written(self, root: Path, part: str, state: bytes) -> Mapping[str, Any] | None:
        """Rows in the journal."""
        return counted_rows(root, part, state)
