"""The libraries of the extra `tickwax[learn]`, which a run does not need."""

from collections.abc import Iterator
from contextlib import contextmanager

from sources.errors import TickwaxError

PACKAGES = {"lightgbm", "sklearn", "jax", "equinox", "optax", "threadpoolctl", "scipy", "gymnasium"}


@contextmanager
def learn_extra(what: str) -> Iterator[None]:
    """Around imports of `learning`: says in a line which library is missing.

    Args:
        what: needs it; the line begins with this.

    Raises:
        TickwaxError: one is.
    """
    try:
        yield
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in PACKAGES:
            raise
        raise TickwaxError(f"{what} needs {e.name}, which is not installed: pip install 'tickwax[learn]'") from None
