"""Volume on the bid side less volume on the ask side, by number of levels (docs/features.md, 4.3)."""

from operators.config import depth_label
from operators.features.feature import (
    SIZE_UNIT,
    THE_BOOK,
    WARM_BOOK,
    Common,
    Described,
    Feature,
    Moment,
    Place,
    Rows,
    floats,
)
from operators.jit import kernel
from sources.tape.batch import Float64s, Int64s

FEATURE = Feature(
    section="4.3",
    columns=lambda config: floats(*(f"depth_imbalance_{depth_label(d)}" for d in config.depths)),
    described=(
        Described(
            "depth_imbalance_l{D}",
            SIZE_UNIT,
            "bid sizes less ask sizes, summed over {levels}",
            "depth_imbalance_l{D} = Σ_{m≤D} Qb_m − Σ_{m≤D} Qa_m",
            THE_BOOK,
            warm=WARM_BOOK,
        ),
    ),
)


@kernel
def depth_imbalance(size: Float64s, depths: Int64s, out: Float64s) -> None:
    """``depth_imbalance_l{D} = Σ_{m≤D} Qb_m − Σ_{m≤D} Qa_m`` for each D of ``depths``, each side summed from the best
    level outwards.

    Args:
        size: shape ``(2, levels)``, bids first; 0 where there is no level.
        out: shape ``(len(depths),)``.
    """
    bids = 0.0
    asks = 0.0
    m = 0
    for d in range(len(depths)):
        while m < depths[d]:
            bids += size[0, m]
            asks += size[1, m]
            m += 1
        out[d] = bids - asks


@kernel
def emit(p: Common, row: Moment, at: Place, out: Rows, r: int) -> None:
    """`depth_imbalance` of the book at the row."""
    imbalance = row.scratch.depth
    depth_imbalance(row.size, p.depths, imbalance)
    for d in range(len(p.depths)):
        out.value[at.value + d, r] = imbalance[d]
