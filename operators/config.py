"""What the features are computed with (docs/features.md, 3): the settings' names, times in nanoseconds."""

from dataclasses import dataclass
from typing import Literal

MS = 1_000_000
SECOND = 1_000 * MS

LONGEST_NS = 36_500 * 24 * 3600 * SECOND  # a century; a time plus a window has to stay inside 64 bits
MOST_STATE = 1_000_000_000  # bytes that the past rows of one instrument may take

BOOK_LEVELS = 20  # levels that `vw_ofi` and the books data set read, whatever the depths

RANGES = {
    "zscore_window": (2, 1_000_000),
    "price_d": (0, 2),
    "volume_d": (0, 2),
    "fdi_window": (3, 1_000_000),
    "volatility_window": (2, 1_000_000),
    "integrated_ofi": (0, BOOK_LEVELS),
}  # lowest and highest value of numbers


@dataclass(frozen=True)
class FeatureConfig:
    """Parameters of every feature of one instrument, checked on creation.

    Raises:
        ValueError: a value is outside its range, or two do not fit; the text begins with the field's name.
    """

    sampling_ns: int = 100 * MS  # 0: one row per update
    windows: tuple[tuple[str, int], ...] = (
        ("100ms", 100 * MS),
        ("1s", SECOND),
        ("5s", 5 * SECOND),
        ("30s", 30 * SECOND),
    )
    depths: tuple[int, ...] = (1, 5, 10, 20)
    ofi: Literal["cont", "depth"] = "cont"
    zscore_window: int = 1000
    max_hold_ns: int = 60 * SECOND
    price_d: float = 0.4
    volume_d: float = 0.5
    ffd_threshold: float = 1e-5
    fdi_window: int = 30
    fdi_interval_ns: int = SECOND
    fdi_method: Literal["variogram", "madogram", "sevcik", "chord"] = "variogram"
    volatility_window: int = 100
    integrated_ofi: int = 0  # levels; 0: off
    normalised: bool = False
    derivatives: bool = False

    def __post_init__(self) -> None:
        def need(holds: bool, text: str) -> None:
            if not holds:
                raise ValueError(text)

        need(self.sampling_ns >= 0, f"sampling: {self.sampling_ns} ns is negative")
        need(len(self.windows) > 0, "windows: at least one is needed")
        for text, ns in self.windows:
            need(ns > 0, f"windows: {text!r} is not positive")
            need(ns <= LONGEST_NS, f"windows: {text!r} is longer than a century")
        same = {ns: text for text, ns in reversed(self.windows)}
        for text, ns in self.windows:
            need(same[ns] is text, f"windows: {same[ns]!r} and {text!r} are one length; name it once")
        need(len(self.depths) > 0, "depths: at least one is needed")
        need(all(1 <= d <= 1000 for d in self.depths), f"depths: {list(self.depths)} has one outside 1 to 1000")
        need(list(self.depths) == sorted(set(self.depths)), f"depths: {list(self.depths)} must rise strictly")
        need(self.ofi in ("cont", "depth"), f"ofi: {self.ofi!r} is not one of cont, depth")
        self._need_in_range("zscore_window")
        self._need_in_range("integrated_ofi")
        columns, levels = len(self.windows) * len(self.depths), self.integrated_ofi
        state = 8 * self.zscore_window * (columns + levels)
        more = f", and of {levels} levels," if levels else ""
        need(
            state <= MOST_STATE,
            f"zscore_window: {self.zscore_window} rows of {columns} windows and depths{more} take {state / 1e9:.1f} GB "
            f"an instrument; at most {MOST_STATE / 1e9:g} GB",
        )
        need(self.max_hold_ns > 0, f"max_hold: {self.max_hold_ns} ns is not positive")
        self._need_in_range("price_d")
        self._need_in_range("volume_d")
        need(0 < self.ffd_threshold <= 1, f"ffd_threshold: {self.ffd_threshold} is outside 0 (excluded) to 1")
        self._need_in_range("fdi_window")
        need(self.fdi_interval_ns > 0, f"fdi_interval: {self.fdi_interval_ns} ns is not positive")
        need(
            self.fdi_method in ("variogram", "madogram", "sevcik", "chord"),
            f"fdi_method: {self.fdi_method!r} is not one of variogram, madogram, sevcik, chord",
        )
        need(
            self.sampling_ns == 0 or self.fdi_interval_ns % self.sampling_ns == 0,
            f"fdi_interval: {self.fdi_interval_ns} ns is no multiple of the sampling step, {self.sampling_ns} ns",
        )
        self._need_in_range("volatility_window")

    def _need_in_range(self, name: str) -> None:
        value, (lowest, highest) = getattr(self, name), RANGES[name]
        if not lowest <= value <= highest:
            raise ValueError(f"{name}: {value} is outside {lowest} to {highest}")


def depth_label(depth: int) -> str:
    """Column suffix of a number of levels: ``l0`` means the best level only (docs/features.md, 3)."""
    return "l0" if depth == 1 else f"l{depth}"
