"""Arguments of the library classes: what users hand over becomes float64 arrays, or a `ValueError` that names it."""

import math
from typing import Any

import numpy as np

from sources.tape.batch import Float64s

_SHOWN = 60  # characters of a value in a message


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
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite, which is refused below
            array = np.ascontiguousarray(array, np.float64)
    except OverflowError:
        raise ValueError(f"{name}: has a number beyond what a float64 holds") from None
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
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}: {_shown(value)} is not a finite number")
    return number


def as_count(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number from ``least`` to ``most``.

    Raises:
        ValueError: it is none; the text begins with ``name``.
    """
    number = as_number(name, value)
    if number != int(number) or number < least or isinstance(value, bool):
        raise ValueError(f"{name}: {_shown(value)} is not a whole number from {least} on")
    if most is not None and number > most:
        raise ValueError(f"{name}: {_shown(value)} is above {most}")
    return int(number)


def as_fractional_order(d: Any) -> float:
    """A fractional order, 0 to 2; 0 is the series itself.

    Raises:
        ValueError: it is none; the text begins with ``d``.
    """
    number = as_number("d", d)
    if not 0 <= number <= 2:
        raise ValueError(f"d: {_shown(d)} is outside 0 to 2")
    return number


def as_threshold(threshold: Any) -> float:
    """A cut-off of weights, above 0 and at most 1.

    Raises:
        ValueError: it is none; the text begins with ``threshold``.
    """
    number = as_number("threshold", threshold)
    if not 0 < number <= 1:
        raise ValueError(f"threshold: {_shown(threshold)} is outside 0 (excluded) to 1")
    return number


def _shown(value: Any) -> str:
    """The value as text, in bounds."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write out whole numbers of more than 4300 digits
        text = f"a whole number of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " and so on"
