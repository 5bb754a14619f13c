"""What holds of the numbers in every tape row: one predicate a column, for writers and readers alike.

A writer that took more than readers do would record a row that makes the whole tape unreadable. The functions take
numbers or arrays, in kernels and outside of them.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba.extending import register_jitable

LARGEST = 1e15  # of a price or a size; beyond it a double keeps less than one digit behind the point
END_OF_TIME = 1 << 62  # ns; the year 2116: a clock pinned in the far future would emit no row ever again

F = TypeVar("F", bound=Callable[..., Any])
in_kernels: Callable[[F], F] = register_jitable


@in_kernels
def is_time(ns: Any) -> Any:
    """Whether a time lies between 1970 and 2116; 0 is what a field holds that nobody filled in."""
    return (ns > 0) & (ns < END_OF_TIME)


@in_kernels
def is_price(price: Any) -> Any:
    """Whether a price is above 0 and not above `LARGEST`; NaN is not."""
    return (price > 0.0) & (price <= LARGEST)


@in_kernels
def is_size(size: Any) -> Any:
    """Whether a size is at least 0 and not above `LARGEST`; NaN is not. A print's is not 0, in addition."""
    return (size >= 0.0) & (size <= LARGEST)


@in_kernels
def is_rate(rate: Any) -> Any:
    """Whether a funding rate, of either sign, is a number not beyond `LARGEST`."""
    return (rate >= -LARGEST) & (rate <= LARGEST)


@in_kernels
def is_sequence(number: Any) -> Any:
    """Whether a number can be one of a venue's message."""
    return number >= 0


def check_time(name: str, ns: int) -> None:
    """Refuse a time that no tape row may have.

    Raises:
        ValueError: it is not between 1970 and 2116; the text begins with ``name``.
    """
    if not is_time(ns):
        raise ValueError(f"{name} {ns} ns is not between 1970 and 2116")
