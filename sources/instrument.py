"""Instruments: one contract at one venue, written ``venue:SYMBOL``."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple, Self

from sources.errors import BadName

# Both parts become folder names (``exchange=…/symbol=…``): nothing that a path, a Hive key or a
# pattern could misread is let in. Where a name holds a ``?`` DuckDB sees no keys, and with a ``*`` Polars sees none.
_VENUE = re.compile(r"[a-z0-9_]+")
_SYMBOL = re.compile(r"[^\s/\\=:%*?\[\]]+")
_NULL = "__HIVE_DEFAULT_PARTITION__"  # readers of Hive folders take it for no value
MOST_BYTES = 240  # of a venue or a symbol: of the 255 of a folder's name ``symbol=`` and ``.damaged`` take 15
_SHOWN = 80  # characters of a name that is refused


class Instrument(NamedTuple):
    """A contract at a venue; ``str(instrument)`` is its key everywhere."""

    venue: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.venue}:{self.symbol}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``venue:SYMBOL``.

        Raises:
            BadName: the text has another form.
        """
        venue, colon, symbol = text.partition(":")
        if not (colon and _VENUE.fullmatch(venue) and len(venue) <= MOST_BYTES and _names_folder(symbol)):
            raise BadName(
                f"instrument {shown(text)}: expected venue:SYMBOL, for example binance_futures:BTCUSDT; a symbol has "
                f"up to {MOST_BYTES} bytes, no blanks, no invisible signs and none of / \\ = : % * ? [ ]"
            )
        return cls(venue, symbol)


def is_instrument(text: str) -> bool:
    """Whether `Instrument.parse` takes the text."""
    try:
        Instrument.parse(text)
    except BadName:
        return False
    return True


def shown(name: str) -> str:
    """A name that may hold anything, for a line of text: quoted, signs that do not print written out, cut."""
    cut = f"… ({len(name):,} characters)" if len(name) > _SHOWN else ""
    return repr(name[:_SHOWN]) + cut


def twins(instruments: Iterable[Instrument]) -> list[tuple[Instrument, Instrument]]:
    """Instruments that differ from one before them in capitals alone, or in how Unicode writes the same sign.

    A file system that ignores that (those of macOS and Windows do) has one folder for both, so their rows would mix.

    Returns:
        pairs of the earlier one and its twin; names that stand twice are no twins.
    """
    first: dict[tuple[str, str], Instrument] = {}
    pairs = ((first.setdefault(_folded(instrument), instrument), instrument) for instrument in instruments)
    return [(earlier, instrument) for earlier, instrument in pairs if earlier != instrument]


def _folded(instrument: Instrument) -> tuple[str, str]:
    return instrument.venue, unicodedata.normalize("NFC", instrument.symbol.casefold())


def _names_folder(symbol: str) -> bool:
    if not _SYMBOL.fullmatch(symbol) or symbol.startswith(".") or symbol == _NULL:
        return False
    # Control signs, those that turn the direction of writing or take no room, and halves of signs do not print.
    return symbol.isprintable() and len(symbol.encode()) <= MOST_BYTES
