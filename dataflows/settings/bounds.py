"""Settings that do not fit together, or need more memory than a machine has, told as the user wrote them."""

from operators.config import BOOK_LEVELS, FeatureConfig
from sources.durations import Duration
from sources.errors import TickwaxError

_MOST = 1_000_000_000  # bytes of the rows of one hole, which come at once
_FEW_ROWS = 100_000  # are within it, whatever their columns


def check_multiple(sampling: Duration, interval: Duration, interval_set: bool) -> None:
    """Refuse samples of `fdi` that are not among the rows.

    Args:
        interval_set: by the user; it is named then, and otherwise the sampling.

    Raises:
        TickwaxError: that is so.
    """
    if not sampling.ns or interval.ns % sampling.ns == 0:
        return
    out = f"set features.fdi_interval to a multiple of {sampling}, such as {sampling} itself"
    if interval_set:
        raise TickwaxError(
            f"features.fdi_interval: '{interval}' is no multiple of features.sampling, '{sampling}'; {out}"
        )
    raise TickwaxError(f"features.sampling: features.fdi_interval, '{interval}', is no multiple of '{sampling}'; {out}")


def check_hole(key: str, sampling: str, max_hold: str, config: FeatureConfig, with_books: bool = False) -> None:
    """Refuse a grid so fine that the rows of the longest hole that the features carry on over take too much memory.

    Args:
        key: of the setting to name.
        sampling, max_hold: as they were written.

    Raises:
        TickwaxError: they take more than 1 GB.
    """
    rows = config.max_hold_ns // config.sampling_ns if config.sampling_ns else 0
    if rows <= _FEW_ROWS:
        return
    from operators.schema import feature_columns  # brings Numba, which few need for their settings

    size = rows * 8 * (len(feature_columns(config)) + (4 * BOOK_LEVELS if with_books else 0))
    if size > _MOST:
        raise TickwaxError(
            f"{key}: a hole as long as features.max_hold, {max_hold}, makes {rows:,} rows of {sampling}, "
            f"{size / 1e9:,.1f} GB; at most {_MOST / 1e9:g} GB"
        )
