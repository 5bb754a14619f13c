"""Instruments: one contract at one venue, written ``venue:SYMBOL``."""

import re
from typing import NamedTuple, Self

from sources.errors import TickwaxError

# Both parts become folder names (``exchange=…/symbol=…``): nothing that a path, a Hive key or a
# pattern could misread is let in. Where a name holds a ``?`` DuckDB sees no keys, and with a ``*`` Polars sees none.
_VENUE = re.compile(r"[a-z0-9_]+")
_SYMBOL = re.compile(r"[^\s/\\=:%*?\[\]]+")


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
            TickwaxError: the text has another form.
        """
        venue, colon, symbol = text.partition(":")
        if not (colon and _VENUE.fullmatch(venue) and _SYMBOL.fullmatch(symbol) and not symbol.startswith(".")):
            raise TickwaxError(
                f"instrument {text!r}: expected venue:SYMBOL, for example binance_futures:BTCUSDT; "
                "a symbol has no blanks and none of / \\ = : % * ? [ ]"
            )
        return cls(venue, symbol)
