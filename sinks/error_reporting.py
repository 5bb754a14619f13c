"""Exceptions on their way from a sink to Bytewax, which keeps their text to itself when a process of a cluster ends."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def watched(
    on_error: Callable[[Exception], None], as_line: Callable[[OSError], Exception] = lambda error: error
) -> Iterator[None]:
    """Tell of an exception, and raise it.

    Args:
        as_line: what becomes of an `OSError`.
    """
    try:
        yield
    except OSError as e:
        error = as_line(e)
        on_error(error)
        if error is e:
            raise
        raise error from e
    except Exception as e:
        on_error(e)
        raise
