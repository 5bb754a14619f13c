"""Arguments of the library classes: what users hand over becomes float64 arrays, or a `ValueError` that names it."""

import math
from typing import Any

import numpy as np

from sources.events import Float64s


def as_array(name: str, values: Any, dimensions: int = 1) -> Float64s:
    """Finite numbers as a contiguous float64 array that may not be written.

    Args:
        values: list, tuple, NumPy array, pandas or Polars series (or frame, for two dimensions).

    Raises:
        ValueError: not numbers, another number of dimensions, NaN or infinite; the text begins with ``name``.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iufO":  # NumPy would read numbers out of texts and dates
            raise ValueError
        array = np.ascontiguousarray(array, np.float64)
    except (ValueError, TypeError):
        raise ValueError(f"{name}: is no array of numbers, or its rows differ in length") from None
    if array.ndim != dimensions:
        raise ValueError(f"{name}: has shape {array.shape}; {dimensions} dimension{'s' * (dimensions > 1)} expected")
    if not np.isfinite(array).all():
        at = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name}: {array[tuple(at)]} at {at if dimensions > 1 else at[0]}; numbers must be finite")
    array = array.view()
    array.flags.writeable = False  # some users' arrays are so: kernels are compiled for each kind
    return array


def as_number(name: str, value: Any) -> float:
    """A finite number as a float.

    Raises:
        ValueError: it is none; the text begins with ``name``.
    """
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}: {value!r} is not a finite number")
    return number


def as_count(name: str, value: Any, least: int) -> int:
    """A whole number that is not below ``least``.

    Raises:
        ValueError: it is none; the text begins with ``name``.
    """
    number = as_number(name, value)
    if number != int(number) or number < least or isinstance(value, bool):
        raise ValueError(f"{name}: {value!r} is not a whole number from {least} on")
    return int(number)


def as_positive(name: str, value: Any, most: int) -> float:
    """A number above 0 and not above ``most``.

    Raises:
        ValueError: it is none; the text begins with ``name``.
    """
    number = as_number(name, value)
    if not 0 < number <= most:
        raise ValueError(f"{name}: {value!r} is outside 0 (excluded) to {most}")
    return number


def as_order(d: Any) -> float:
    """A fractional order: `as_positive`, at most 2."""
    return as_positive("d", d, 2)


def as_threshold(threshold: Any) -> float:
    """A cut-off of weights: `as_positive`, at most 1."""
    return as_positive("threshold", threshold, 1)
