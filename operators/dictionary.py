"""Unit and definition of every column, in one line each; they are written beside the columns in Parquet."""

import re
from typing import NamedTuple

_PRICE, _SIZE, _TIME = "quote currency", "base currency", "ns since 1970, UTC"


class Description(NamedTuple):
    """What a column holds."""

    unit: str
    definition: str


# Patterns of names, the first that fits; `{0}` stands for what a group matched.
_DESCRIPTIONS: tuple[tuple[str, str, str], ...] = (
    (r"ts", _TIME, "time of the row on the instrument's clock"),
    (r"receive_ts", _TIME, "receive time of the newest tape row in the row"),
    (r"ordinal", "rows", "position in the instrument's tape (of the newest tape row, in features and books)"),
    (r"(bid|ask)_price(?:_(\d+))?", _PRICE, "price of the {0} level {1}, 0 is the best; NaN where there is none"),
    (r"(bid|ask)_size(?:_(\d+))?", _SIZE, "size of the {0} level {1}, 0 is the best; NaN where there is none"),
    (r"mid", _PRICE, "(best bid + best ask) / 2"),
    (r"spread", _PRICE, "best ask - best bid"),
    (r"microprice", _PRICE, "best prices weighted by the sizes of the opposite side"),
    (r"depth_imbalance_l(\d+)", _SIZE, "bid sizes less ask sizes, summed over the levels down to {0}"),
    (r"vw_ofi", _SIZE, "bid sizes less ask sizes of 20 levels, weighted by their distance from mid"),
    (r"ofi_z_l(\d+)_(.+)", "standard deviations", "z-score of ofi_l{0}_{1} over the last zscore_window rows"),
    (r"ofi_l(\d+)_(.+)", _SIZE, "order flow of the levels down to {0} in the last {1}"),
    (r"ofi_l(\d+)", _SIZE, "order flow of the levels down to {0} since the row before"),
    (r"ofi_momentum", _SIZE, "ofi_l0 less that of the row before"),
    (r"ofi_acceleration", _SIZE, "ofi_momentum less that of the row before"),
    (r"trade_imbalance_(.+)", _SIZE, "bought less sold by aggressors in the last {0}"),
    (r"trade_volume", _SIZE, "size of the prints since the row before"),
    (r"trade_count", "prints", "prints since the row before"),
    (r"vwap", _PRICE, "mean price of these prints by size; NaN when there is none"),
    (r"price_ffd", "log price", "fractional difference of log mid of order price_d; NaN until its window is full"),
    (r"volume_ffd", "log size", "fractional difference of log(1 + trade_volume) of order volume_d; NaN as price_ffd"),
    (r"fdi", "dimension", "fractal dimension of mid over fdi_window samples, 1 to 2; NaN until they are there"),
    (r"regime", "word", "trending (fdi < 1.5), ranging (> 1.5) or neutral; null while fdi is NaN"),
    (r"volatility", "log return", "standard deviation of the last volatility_window log returns of mid"),
    (r"warm", "bits", "1 windows, 2 z-scores, 4 price_ffd, 8 volume_ffd, 16 fdi, 32 volatility, 64 book"),
    (r"exchange_ts", _TIME, "time of the exchange's matching engine"),
    (r"sequence", "number", "the venue's number of the book message or print"),
    (r"kind", "word", "snapshot, delta, trade or reset"),
    (r"side", "sign", "+1 bid or buying aggressor, -1 ask or selling aggressor, 0 of a reset"),
    (r"price", _PRICE, "price of the level or print; 0 of a reset"),
    (r"size", _SIZE, "size of the level, 0 removes it, or of the print"),
    (r"last", "flag", "last row of an exchange message: the book is consistent after it"),
)


def describe(name: str) -> Description:
    """Unit and definition of a column of the tape, the features or the books.

    Raises:
        KeyError: there is no such column.

    >>> describe("ofi_z_l5_1s")
    Description(unit='standard deviations', definition='z-score of ofi_l5_1s over the last zscore_window rows')
    """
    for pattern, unit, definition in _DESCRIPTIONS:
        found = re.fullmatch(pattern, name)
        if found is not None:
            return Description(unit, definition.format(*(group or "0" for group in found.groups())))
    raise KeyError(name)
