"""The data dictionary: what every column of the tape, the features and the books holds.

A feature describes its own columns (`operators.features`); the others are described here. The text is written beside
the columns in Parquet, shown by ``tickwax columns`` and printed in docs/dictionary.md.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from operators.config import FeatureConfig
from operators.features import FEATURES
from operators.features.feature import PRICE_UNIT, SIZE_UNIT, THE_BOOK, TIME_UNIT, WARM_BOOK, Described
from operators.row_batch import RowSchema
from operators.schema import book_columns, feature_columns
from sources.tape.schema import TAPE_SCHEMA

FAMILY = re.compile(r"\{([Dwm])\}")  # what differs between the names of a family
_VALUES = {"D": r"(?P<D>\d+)", "w": r"(?P<w>\d.*)", "m": r"(?P<m>\d+)"}
WORDS = "dictionary of string"
_NO_LEVEL = "there is no such level"

# The columns of every row that are no feature's.
ROW: tuple[Described, ...] = (
    Described("ts", TIME_UNIT, "time of the row on the instrument's clock", reads="exchange_ts"),
    Described("receive_ts", TIME_UNIT, "receive time of the newest tape row in the row", reads="receive_ts"),
    Described(
        "ordinal", "rows", "position in the instrument's tape of the newest tape row in the row", reads="ordinal"
    ),
)
WARM: tuple[Described, ...] = (
    Described(
        "warm",
        "bits",
        "1 windows, 2 z-scores, 4 price_ffd, 8 volume_ffd, 16 fdi, 32 volatility, 64 book, 128 integrated_ofi",
        reads="rows since the start or restart, and the last snapshot",
    ),
)
BOOK: tuple[Described, ...] = tuple(
    Described(
        f"{side}_{what}_{{m}}", unit, f"{what} of {side} level {{m}}, 0 is the best", "", THE_BOOK, _NO_LEVEL, WARM_BOOK
    )
    for side in ("bid", "ask")
    for what, unit in (("price", PRICE_UNIT), ("size", SIZE_UNIT))
)
TAPE: tuple[Described, ...] = (
    Described("ordinal", "rows", "position in the instrument's tape, from 0"),
    Described("exchange_ts", TIME_UNIT, "time of the exchange's matching engine", reads="the exchange's clock"),
    Described(
        "receive_ts", TIME_UNIT, "when the recording process read the frame", reads="the recording machine's clock"
    ),
    Described(
        "sequence",
        "number",
        "the venue's number of the book message or trade; of a reset, the last known of the book; of a funding, the "
        "time of the next one, ms",
    ),
    Described("kind", "word", "snapshot, delta, trade, reset, mark, funding, open_interest or liquidation"),
    Described("side", "sign", "+1 bid, buying aggressor or buying liquidation, -1 the opposite, 0 of other kinds"),
    Described(
        "price",
        PRICE_UNIT,
        "price of the level, trade or liquidation; the mark price; the funding rate; 0 of a reset or an open interest",
    ),
    Described(
        "size",
        SIZE_UNIT,
        "size of the level, 0 removes it, of the trade or liquidation; the open interest; of a mark the index price, "
        "of a funding the hours between two; 0 of a reset",
    ),
    Described("last", "flag", "last row of an exchange message: the book is consistent after it"),
)

FAMILIES: Mapping[str, Sequence[tuple[str, Described]]] = {
    "tape": [("2.1", described) for described in TAPE],
    "features": [
        *(("4.2", described) for described in ROW),
        *((feature.section, described) for feature in FEATURES.values() for described in feature.described),
        *(("4.8", described) for described in WARM),
    ],
    "books": [("4.9", described) for described in (ROW[0], ROW[2], *BOOK)],
}
"""By data set, in the order of its columns: section of docs/tape.md or docs/features.md, and column or family."""


class Description(NamedTuple):
    """What one column holds; the fields are those of `Described`, and ``section`` as in `FAMILIES`."""

    unit: str
    definition: str
    formula: str
    reads: str
    unknown: str
    warm: int
    section: str

    def metadata(self) -> dict[str, str]:
        """What is written beside the column in Parquet: whatever there is to say."""
        return {key: str(value) for key, value in self._asdict().items() if value}


class Entry(NamedTuple):
    """One column of a data set."""

    data_set: str
    name: str
    type: str
    description: Description


# In Arrow and in the schema of rows, where a type has another name there.
_TYPES = {
    "timestamp": "timestamp[ns, UTC]",
    "timestamp[ns, tz=UTC]": "timestamp[ns, UTC]",
    "double": "float64",
    "word": WORDS,
    "dictionary<values=string, indices=int8, ordered=0>": WORDS,
}


def entries(config: FeatureConfig) -> list[Entry]:
    """Every column of the tape, the features and the books, each data set in its order."""
    of: list[tuple[str, str, str]] = [("tape", field.name, str(field.type)) for field in TAPE_SCHEMA]
    of += [("features", c.name, c.type) for c in feature_columns(config)]
    of += [("books", c.name, c.type) for c in book_columns()]
    return [Entry(data_set, name, _TYPES.get(t, t), describe(name, data_set)) for data_set, name, t in of]


def declared_entries(schema: RowSchema) -> list[Entry]:
    """Every column of a data set that tells of its columns itself, such as bars."""
    return [
        Entry(schema.name, c.name, _TYPES.get(c.type, c.type), Description(c.unit, c.definition, "", "", "", 0, ""))
        for c in schema.columns
    ]


def describe(name: str, *data_sets: str) -> Description:
    """A column of the first of these data sets that has it; without, of the features or the books.

    Raises:
        KeyError: none has such a column.

    >>> describe("ofi_z_l5_1s")[:2]
    ('standard deviations', 'z-score of ofi_l5_1s over the last zscore_window rows')
    """
    for data_set in data_sets or ("features", "books"):
        for section, described in FAMILIES[data_set]:
            found = pattern(described).fullmatch(name)
            if found is not None:
                unit, definition, formula, reads, unknown = _filled(described[1:-1], found.groupdict())
                return Description(unit, definition, formula, reads, unknown, described.warm, section)
    raise KeyError(name)


@cache
def pattern(described: Described) -> re.Pattern[str]:
    """What the names of a family have in common."""
    parts = FAMILY.split(described.name)
    return re.compile("".join(_VALUES[part] if i % 2 else re.escape(part) for i, part in enumerate(parts)))


def _filled(texts: Iterable[str], values: Mapping[str, str]) -> Iterator[str]:
    """The texts of a family for one of its columns."""
    places = {f"{{{name}}}": value for name, value in values.items()}
    if "D" in values:
        depth = int(values["D"]) or 1
        levels = "the best level" if depth == 1 else f"the best {depth} levels"
        places |= {"{levels}": levels, "m≤D": f"m≤{depth}", "OFI_D": f"OFI_{depth}"}
    for text in texts:
        for place, value in places.items():
            text = text.replace(place, value)
        yield text
