"""Which symbols can be contracts of a venue: the names that the exchanges give, one rule a venue.

Frames and files of other markets have the same form, and their sizes are in other units: contracts of so many dollars
(COIN-M, inverse), options, or perpetuals settled in another coin.

Binance: symbols of COIN-M are a coin and USD, with ``_PERP`` or a date, such as ``BTCUSD_PERP`` and ``BTCUSD_240927``.
USD-M symbols end in any quote, dated ones in ``_`` and a date: ``BTCUSDT_240927``, ``ETHBTC``, once ``BTCBUSD_210129``.
Options have dashes. Bybit: ``BTCUSDT`` is the perpetual settled in USDT; ``BTCPERP`` is settled in USDC, ``BTCUSD`` and
``BTCUSDH24`` are inverse; dated futures and options have dashes.
"""

import re

from sources.errors import BadName
from sources.instrument import Instrument

_COIN_M = re.compile(r"(?!BTCBUSD_).*USD_(?:PERP|[0-9]{6})")
_USDT_PERPETUAL = re.compile(r"[^-]+USDT")


class NoContract(BadName):
    """A symbol of another market than the venue's."""


def check_contract(instrument: Instrument) -> None:
    """Refuse a symbol that cannot be a contract of its venue.

    Raises:
        NoContract: that is so.

    >>> check_contract(Instrument("binance_futures", "BTCUSDT_240927"))
    >>> check_contract(Instrument("bybit_linear", "BTCPERP"))
    Traceback (most recent call last):
    ...
    sources.venues.contracts.NoContract: BTCPERP is of another market; of bybit_linear only USDT perpetuals are ...
    """
    venue, symbol = instrument
    if venue == "bybit_linear" and not _USDT_PERPETUAL.fullmatch(symbol):
        raise NoContract(
            f"{symbol} is of another market; of {venue} only USDT perpetuals are imported, whose symbols end in USDT"
        )
    if venue in ("binance_futures", "binance_spot") and _COIN_M.fullmatch(symbol):
        raise NoContract(f"{symbol} is a coin-margined contract; only USD-M futures and spot are imported")
    if venue == "binance_futures" and "-" in symbol:
        raise NoContract(f"{symbol} is an option; only USD-M futures and spot are imported")
