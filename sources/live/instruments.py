"""Which instruments trade now: what the lists of all venues have in common."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple, TypeVar

import msgspec

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.json_decoder import json_decoder
from sources.live.rest import Rest, RestError
from sources.live.words import Unknown

T = TypeVar("T")

MISSING = "(missing)"  # of a field that an entry does not have


class Listing(NamedTuple):
    """A perpetual that trades; sizes are the decimals that the venue gives, empty where it gives none.

    Lot and least size are in the venue's units of size.
    """

    instrument: Instrument
    tick_size: str
    lot_size: str = ""
    min_size: str = ""
    multiplier: Decimal = Decimal(1)  # units of the base currency in one of the venue's units of size


def choose(wanted: Iterable[Instrument], listed: Iterable[Listing]) -> list[Instrument]:
    """The wanted instruments of one venue that are listed; the symbol ``*`` stands for all of them."""
    names = {listing.instrument for listing in listed}
    chosen: dict[Instrument, None] = {}
    for instrument in wanted:
        if instrument.symbol == "*":
            chosen.update(dict.fromkeys(sorted(names)))
        elif instrument in names:
            chosen[instrument] = None
    return list(chosen)


def check(
    wanted: Iterable[Instrument], listed: Iterable[Listing], refusal: Callable[[str], str] = lambda symbol: ""
) -> None:
    """Refuse what is not listed.

    Args:
        refusal: why a symbol is not listed; empty if that is not known.

    Raises:
        TickwaxError: an instrument is no perpetual that trades now; names the nearest that are.
    """
    names = sorted(listing.instrument.symbol for listing in listed)
    for instrument in wanted:
        if instrument.symbol != "*" and instrument.symbol not in names:
            if reason := refusal(instrument.symbol):
                raise TickwaxError(f"symbols: '{instrument}' is {reason}")
            near = [n for n in names if n.startswith(instrument.symbol[:3])][:3] or names[:3]
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise TickwaxError(f"symbols: '{instrument}' is unknown or not trading{hint}")


def entries(raw: Iterable[msgspec.Raw], kind: type[T], unknown: Unknown) -> Iterator[T]:
    """The entries of a list; one that has another shape costs no other."""
    decoder = json_decoder(kind)
    for entry in raw:
        try:
            yield decoder.decode(entry)
        except ValueError as e:
            unknown.add("an entry", str(e))


def listing(
    venue: str, symbol: str, tick_size: str, unknown: Unknown, lot_size: str = "", min_size: str = ""
) -> list[Listing]:
    """A perpetual; none if its symbol cannot name a folder of the tape."""
    try:
        return [Listing(Instrument.parse(f"{venue}:{symbol}"), tick_size, lot_size, min_size)]
    except TickwaxError:
        unknown.add("symbol", symbol)
        return []


def whole(rest: Rest, name: str, listed: list[Listing], unknown: Unknown) -> list[Listing]:
    """The list, once told of what is not known in it.

    Raises:
        RestError: nothing in it is known, as when a field has been renamed: that is no market without perpetuals.
    """
    lost = bool(unknown) and not listed
    kept = unknown.without_twins([listing.instrument for listing in listed])
    listed = [listing for listing in listed if listing.instrument in kept]
    unknown.tell()
    if lost:
        raise RestError(f"{rest.url}: {name} lists no perpetual that trades, and what it lists is not known")
    return listed
