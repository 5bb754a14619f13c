"""Mean and population standard deviation without rounding on the way."""

import math
from fractions import Fraction


def moments(values: list[float]) -> tuple[Fraction, float]:
    """The exact mean, and the deviation from the exact variance."""
    exact = [Fraction(v) for v in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    variance = sum(((v - mean) ** 2 for v in exact), Fraction(0)) / len(exact)
    return mean, math.sqrt(variance)
