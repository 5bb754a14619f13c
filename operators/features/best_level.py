"""The best level of both sides, and what is computed from it alone (docs/features.md, 4.3)."""

from operators.features.feature import (
    PRICE_UNIT,
    SIZE_UNIT,
    THE_BOOK,
    WARM_BOOK,
    Described,
    Feature,
    Moment,
    Place,
    Rows,
    floats,
)
from operators.jit import kernel


def _best(name: str, unit: str, definition: str, formula: str = "") -> Described:
    return Described(name, unit, definition, formula, THE_BOOK, warm=WARM_BOOK)


FEATURE = Feature(
    section="4.3",
    columns=lambda config: floats("bid_price", "bid_size", "ask_price", "ask_size", "mid", "spread", "microprice"),
    described=(
        _best("bid_price", PRICE_UNIT, "price of the best bid"),
        _best("bid_size", SIZE_UNIT, "size of the best bid"),
        _best("ask_price", PRICE_UNIT, "price of the best ask"),
        _best("ask_size", SIZE_UNIT, "size of the best ask"),
        _best("mid", PRICE_UNIT, "middle of the best prices", "mid = (Pb_1 + Pa_1)/2"),
        _best("spread", PRICE_UNIT, "best ask less best bid", "spread = Pa_1 − Pb_1"),
        _best(
            "microprice",
            PRICE_UNIT,
            "best prices, each weighted by the size of the other side",
            "microprice = (Pb_1·Qa_1 + Pa_1·Qb_1)/(Qb_1 + Qa_1)",
        ),
    ),
)


@kernel
def emit(row: Moment, at: Place, out: Rows, r: int) -> None:
    """``spread = Pa_1 − Pb_1``, ``microprice = (Pb_1·Qa_1 + Pa_1·Qb_1)/(Qb_1 + Qa_1)``; ``mid = (Pb_1 + Pa_1)/2`` is
    there already."""
    bid, bid_size, ask, ask_size = row.price[0, 0], row.size[0, 0], row.price[1, 0], row.size[1, 0]
    value, c = out.value, at.value
    value[c, r] = bid
    value[c + 1, r] = bid_size
    value[c + 2, r] = ask
    value[c + 3, r] = ask_size
    value[c + 4, r] = row.mid
    value[c + 5, r] = ask - bid
    value[c + 6, r] = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
