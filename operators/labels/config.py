"""Which labels are computed (docs/learning.md, 1)."""

import math
from dataclasses import dataclass

from operators.config import LONGEST_NS, MS, SECOND

Horizons = tuple[tuple[str, int], ...]  # the text, which names a column, and ns


@dataclass(frozen=True)
class LabelConfig:
    """Parameters of the labels of one instrument, checked on creation.

    Attributes:
        step_ns: sampling of the feature rows; 0: a row an update, of which several may have one time.
        horizons: of the returns.
        latency_ns: from a row to the price at which one is in.
        barrier_ns: the vertical barrier.
        barrier_width: of the horizontal ones, in standard deviations of the return over ``barrier_ns``.
        executable: barriers are judged on prices at which one trades, in at the ask and out at the bid (sold: the
            other way round); else on mids.

    Raises:
        ValueError: a value is outside its range; the text begins with the name of its setting.
    """

    step_ns: int = 100 * MS
    horizons: Horizons = (("1s", SECOND), ("5s", 5 * SECOND), ("30s", 30 * SECOND))
    latency_ns: int = 0
    barrier_ns: int = 30 * SECOND
    barrier_width: float = 1.0
    executable: bool = False

    def __post_init__(self) -> None:
        def need(holds: bool, text: str) -> None:
            if not holds:
                raise ValueError(text)

        need(self.step_ns >= 0, f"sampling: {self.step_ns} ns is negative")
        need(len(self.horizons) > 0, "horizons: at least one is needed")
        texts = [text for text, _ in self.horizons]
        for text, ns in self.horizons:
            need(0 < ns <= LONGEST_NS, f"horizons: '{text}' is not above 0 and up to a century")
            need(texts.count(text) == 1, f"horizons: '{text}' stands twice")
            need(ns > self.latency_ns, f"horizons: '{text}' is not above label.latency, {self.latency_ns} ns")
        need(self.latency_ns >= 0, f"label.latency: {self.latency_ns} ns is negative")
        need(0 < self.barrier_ns <= LONGEST_NS, f"barrier.horizon: {self.barrier_ns} ns is not above 0")
        need(self.barrier_ns > self.latency_ns, f"barrier.horizon: not above label.latency, {self.latency_ns} ns")
        need(
            self.barrier_ns >= self.step_ns,
            f"barrier.horizon: {self.barrier_ns} ns is shorter than features.sampling, {self.step_ns} ns",
        )
        need(0 < self.barrier_width < math.inf, f"barrier.width: {self.barrier_width} is not a positive number")

    @property
    def longest_ns(self) -> int:
        """How far the labels of a row may look ahead."""
        return max(self.barrier_ns, *(ns for _, ns in self.horizons))
