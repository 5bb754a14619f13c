"""Unit and definition of every column, in one line each; they are written beside the columns in Parquet."""

import re
from typing import NamedTuple

from operators.features import FEATURES
from operators.features.feature import Described

_PRICE, _SIZE, _TIME = "quote currency", "base currency", "ns since 1970, UTC"


class Description(NamedTuple):
    """What a column holds."""

    unit: str
    definition: str


# Of the tape, and of every row of a data set.
_OTHERS: tuple[Described, ...] = (
    (r"ts", _TIME, "time of the row on the instrument's clock"),
    (r"receive_ts", _TIME, "receive time of the newest tape row in the row"),
    (r"ordinal", "rows", "position in the instrument's tape (of the newest tape row, in features and books)"),
    (r"warm", "bits", "1 windows, 2 z-scores, 4 price_ffd, 8 volume_ffd, 16 fdi, 32 volatility, 64 book"),
    (r"exchange_ts", _TIME, "time of the exchange's matching engine"),
    (r"sequence", "number", "the venue's number of the book message or print"),
    (r"kind", "word", "snapshot, delta, trade or reset"),
    (r"side", "sign", "+1 bid or buying aggressor, -1 ask or selling aggressor, 0 of a reset"),
    (r"price", _PRICE, "price of the level or print; 0 of a reset"),
    (r"size", _SIZE, "size of the level, 0 removes it, or of the print"),
    (r"last", "flag", "last row of an exchange message: the book is consistent after it"),
)

# Patterns of names, the first that fits; `{0}` stands for what a group matched.
_DESCRIPTIONS: tuple[Described, ...] = (
    *(described for feature in FEATURES.values() for described in feature.described),
    *_OTHERS,
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
