"""What a paper run trades, as Prometheus metrics."""

from functools import lru_cache

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
_labelled = lru_cache(maxsize=None)(lambda metric, instrument: metric.labels(instrument))


def count_traded(instrument: str, traded: Traded, open_orders: int) -> None:
    """Tell what has been done; ``open_orders``: how many rest now."""
    if traded.orders.rows:
        _labelled(OPEN, instrument).set(open_orders)
        if rejected := int((traded.orders.code[_STATUS] == REJECTED).sum()):
            _labelled(REJECTS, instrument).inc(rejected)
    if traded.fills.rows:
        _labelled(FILLS, instrument).inc(traded.fills.rows)
    if traded.equity.rows:
        newest = traded.equity.value[:, -1]
        _labelled(POSITION, instrument).set(newest[_POSITION])
        _labelled(EQUITY, instrument).set(newest[_EQUITY])
