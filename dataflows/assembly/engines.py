"""The feature engine of each instrument."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from dataflows.assembly.fractional_orders import lacking
from dataflows.assembly.identities import own_fractional_orders
from dataflows.assembly.tapes import first_few
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.feature_engine import FEW_ROWS, FeatureEngine, Memory
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.names import FIXED_DEPTH


def own_config(
    settings: Settings, config: FeatureConfig, tell: Callable[[str], None] = say
) -> Callable[[Instrument], FeatureConfig]:
    """What gives an instrument's configuration: with its own fractional orders, if there are any.

    Tells which instruments the file of orders lacks.
    """
    orders = own_fractional_orders(settings, config)
    tell_lack = lacking(settings.features.d_file, config, first_few(tell, "more instruments lack an order"))

    def of(instrument: Instrument) -> FeatureConfig:
        own = orders.get(instrument, {})
        tell_lack(instrument, own)
        return replace(config, price_d=own.get("price", config.price_d), volume_d=own.get("volume", config.volume_d))

    return of


def engine_factory(
    settings: Settings,
    config: FeatureConfig,
    made: dict[Instrument, FeatureEngine],
    tell: Callable[[str], None] = say,
    *,
    gil_rows: int = FEW_ROWS,
    with_books: bool = False,
) -> Callable[[Instrument], FeatureEngine]:
    """What makes the engine of an instrument, configured by `own_config`; kept in ``made``.

    What it returns raises a TickwaxError where memory is short.

    Args:
        gil_rows: of the engines (`FeatureEngine`).
        with_books: likewise, even if no data set of books is written.
    """
    own = own_config(settings, config, tell)
    with_books = with_books or settings.books.path is not None
    memory: dict[FeatureConfig, Memory] = defaultdict(list)

    def make(instrument: Instrument) -> FeatureEngine:
        mine = own(instrument)
        full = instrument.venue in FIXED_DEPTH
        try:
            made[instrument] = FeatureEngine(
                mine, full_depth=full, with_books=with_books, memory=memory[mine], gil_rows=gil_rows
            )
        except MemoryError as e:
            raise TickwaxError(f"{instrument}: no memory for the state of its features: {e}") from None
        return made[instrument]

    return make
