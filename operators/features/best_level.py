"""The best level of both sides, and what is computed from it alone (docs/features.md, 4.3)."""

from operators.features.feature import Feature, Moment, Place, Rows, floats
from operators.jit import kernel

_PRICE = "quote currency"

FEATURE = Feature(
    section="4.3",
    columns=lambda config: floats("bid_price", "bid_size", "ask_price", "ask_size", "mid", "spread", "microprice"),
    described=(
        (r"(bid|ask)_price(?:_(\d+))?", _PRICE, "price of the {0} level {1}, 0 is the best; NaN where there is none"),
        (
            r"(bid|ask)_size(?:_(\d+))?",
            "base currency",
            "size of the {0} level {1}, 0 is the best; NaN where there is none",
        ),
        (r"mid", _PRICE, "(best bid + best ask) / 2"),
        (r"spread", _PRICE, "best ask - best bid"),
        (r"microprice", _PRICE, "best prices weighted by the sizes of the opposite side"),
    ),
)


@kernel
def emit(row: Moment, at: Place, out: Rows, r: int) -> None:
    """``spread = Pa−Pb``, ``microprice = (Pb·Qa + Pa·Qb)/(Qb+Qa)``; ``mid = (Pb+Pa)/2`` is there already."""
    bid, bid_size, ask, ask_size = row.price[0, 0], row.size[0, 0], row.price[1, 0], row.size[1, 0]
    value, c = out.value, at.value
    value[c, r] = bid
    value[c + 1, r] = bid_size
    value[c + 2, r] = ask
    value[c + 3, r] = ask_size
    value[c + 4, r] = row.mid
    value[c + 5, r] = ask - bid
    value[c + 6, r] = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
