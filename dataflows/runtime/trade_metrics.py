"""What a paper run trades, as Prometheus metrics."""

import math
from collections.abc import Callable

import numpy as np
from prometheus_client import Counter, Gauge

from operators.execution.words import REJECTED
from operators.trade_engine import Traded

POSITION = Gauge("tickwax_paper_position", "Position in base currency.", ("instrument",))
EQUITY = Gauge("tickwax_paper_equity", "Cash and position at the mid, in quote currency.", ("instrument",))
OPEN = Gauge("tickwax_paper_open_orders", "Orders that rest on the simulated exchange.", ("instrument",))
FILLS = Counter("tickwax_paper_fills", "Fills.", ("instrument",))
REJECTS = Counter("tickwax_paper_rejects", "Orders and cancels that were rejected.", ("instrument",))

_STATUS = 3  # rows of arrays (`operators.execution.state.OutRows`)
_POSITION, _EQUITY = 0, 2


class TradeMeter:
    """Tells what is done for one instrument; only what has changed, for telling costs as much as trading."""

    def __init__(self, instrument: str) -> None:
        """``instrument``: its name."""
        self._position, self._equity, self._open = (metric.labels(instrument) for metric in (POSITION, EQUITY, OPEN))
        self._instrument = instrument
        self._told = math.nan, math.nan

    def tell(self, traded: Traded, open_orders: Callable[[], int]) -> None:
        """Tell what has been done; ``open_orders``: how many rest now."""
        if traded.orders.rows:
            self._open.set(open_orders())
            if rejected := int(np.count_nonzero(traded.orders.code[_STATUS] == REJECTED)):
                REJECTS.labels(self._instrument).inc(rejected)
        if traded.fills.rows:
            FILLS.labels(self._instrument).inc(traded.fills.rows)
        if traded.equity.rows:
            value = traded.equity.value
            position, equity = told = value.item(_POSITION, -1), value.item(_EQUITY, -1)
            if position != self._told[0]:
                self._position.set(position)
            if equity != self._told[1]:
                self._equity.set(equity)
            self._told = told
