"""Names of venues and of their contracts, for whoever needs no more than these."""

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.contracts import NoContract, check_contract

BINANCE = ("binance_futures", "binance_spot")
CAPTURED = (*BINANCE, "bybit_linear")  # whose frames raw captures hold, as far as is read


def named_instrument(name: str) -> Instrument:
    """The instrument ``venue:SYMBOL`` that the user asked for.

    Raises:
        TickwaxError: there cannot be one of that name.
    """
    instrument = Instrument.parse(name)
    try:
        check_contract(instrument)
    except NoContract as e:
        raise TickwaxError(f"--symbol: {e}") from None
    return instrument
