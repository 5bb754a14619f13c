"""Names of kernels that close over another one."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def named_after(callee: Any, function: F) -> F:
    """``function``, which closes over the kernel ``callee``, under a name of its own; compile it afterwards.

    Numba's symbols are made of a function's name, the types of its arguments, and a count of what the process has
    compiled. Machine code from a file brings the count of another process. Two closures of one text may then have the
    same symbol, and the linker takes the first that it has met: one strategy decides in the place of another.
    """
    inner = getattr(callee, "py_func", callee)  # itself, where compilation is off
    function.__qualname__ = f"{function.__qualname__}[{inner.__module__}.{inner.__qualname__}]"
    return function
