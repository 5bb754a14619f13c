"""Volume imbalance of 20 levels, weighted by their distance from mid (docs/features.md, 4.3)."""

from operators.config import BOOK_LEVELS
from operators.features.feature import SIZE_UNIT, THE_BOOK, WARM_BOOK, Described, Feature, Moment, Place, Rows, floats
from operators.jit import kernel
from sources.tape.batch import Float64s

FEATURE = Feature(
    section="4.3",
    columns=lambda config: floats("vw_ofi"),
    described=(
        Described(
            "vw_ofi",
            SIZE_UNIT,
            "bid sizes less ask sizes of the best 20 levels, weighted by their distance from mid",
            "vw_ofi = Σ_{m≤20} w(Pb_m)·Qb_m − Σ_{m≤20} w(Pa_m)·Qa_m",
            THE_BOOK,
            warm=WARM_BOOK,
        ),
    ),
)


@kernel
def distance_weighted_volume(price: Float64s, size: Float64s, mid: float, scratch: Float64s) -> float:
    """``vw_ofi = Σ_{m≤20} w(Pb_m)·Qb_m − Σ_{m≤20} w(Pa_m)·Qa_m``, ``w(P) = 1/(1 + 100·|P − mid|/mid)``.

    A level that is not there has an infinite price and the size 0, and so adds 0.

    Args:
        price, size: shape ``(2, levels)``, bids first, at least 20 levels.
        scratch: shape ``(2, levels)``.
    """
    for s in range(2):
        prices, sizes, weighted = price[s], size[s], scratch[s]
        for m in range(BOOK_LEVELS):
            weighted[m] = 1.0 / (abs(prices[m] - mid) * 100.0 / mid + 1.0) * sizes[m]
    bids = asks = 0.0
    for m in range(BOOK_LEVELS):
        bids += scratch[0, m]
        asks += scratch[1, m]
    return bids - asks


@kernel
def emit(row: Moment, at: Place, out: Rows, r: int) -> None:
    """`distance_weighted_volume` of the book at the row."""
    out.value[at.value, r] = distance_weighted_volume(row.price, row.size, row.mid, row.scratch.level)
