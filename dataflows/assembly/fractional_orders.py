"""Fractional orders per instrument, from the file that `optimal_d` writes."""

from collections.abc import Callable
from pathlib import Path

from operators.config import FeatureConfig
from operators.identity import feature_settings
from sinks.identity import settings_in
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import read_columns

_SERIES = ("price", "volume")
_MAGIC = b"PAR1"  # at both ends of a Parquet file


def read_fractional_orders(path: Path, config: FeatureConfig | None = None) -> dict[Instrument, dict[str, float]]:
    """Order d per instrument and series (``price`` or ``volume``).

    Args:
        config: of the features that the orders are for.

    Raises:
        TickwaxError: the file cannot be read, lacks a column, holds another series or a d outside 0 to 2, or was made
            from other samples than those of ``config``.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no regular file" if path.exists() else "missing"
        raise TickwaxError(f"features.d_file: {path}: is {what}; a Parquet file is needed, as optimal_d writes it")
    content = path.read_bytes()
    if not (content.startswith(_MAGIC) or content.endswith(_MAGIC)):  # one of them, and it is damaged
        raise TickwaxError(f"features.d_file: {path}: is no Parquet file; one is needed, as optimal_d writes it")
    try:
        table = read_columns(path, ["exchange", "symbol", "series", "d"])
    except TickwaxError as e:
        raise type(e)(f"features.d_file: {e}") from None
    if config is not None:
        _check_samples(path, config)
    orders: dict[Instrument, dict[str, float]] = {}
    for n, row in enumerate(table.to_pylist()):
        series, d = row["series"], row["d"]
        if series not in _SERIES:
            raise TickwaxError(f"features.d_file: {path}: row {n}: series {series!r} is not one of price, volume")
        if not isinstance(d, float | int) or not 0 <= d <= 2:
            raise TickwaxError(f"features.d_file: {path}: row {n}: d {d!r} is not a number from 0 to 2")
        orders.setdefault(Instrument(row["exchange"], row["symbol"]), {})[series] = d
    return orders


def lacking(
    path: Path | None, config: FeatureConfig, tell: Callable[[str], None]
) -> Callable[[Instrument, dict[str, float]], None]:
    """What tells, given an instrument and its orders in the file, that it has none there; once an instrument.

    Args:
        path: of the file; without one nothing is told.
        config: has the orders that are taken then.
    """
    told: set[Instrument] = set()
    taken = f"price_d {config.price_d:g} and volume_d {config.volume_d:g} are taken"

    def check(instrument: Instrument, own: dict[str, float]) -> None:
        if path is not None and not own and instrument not in told:
            told.add(instrument)
            tell(f"features.d_file: {path}: no order of {instrument}; {taken}")

    return check


def _check_samples(path: Path, config: FeatureConfig) -> None:
    """An order belongs to the samples that it was chosen on: at another step, the same d is another filter."""
    there, here = settings_in(path) or {}, feature_settings(config)
    for name in ("features.sampling", "features.ffd_threshold"):
        if name in there and there[name] != here[name]:
            raise TickwaxError(
                f"features.d_file: {path} was made with {name} {there[name]}, and it is {here[name]} now"
            )
