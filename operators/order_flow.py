"""Order flow imbalance of one book update (contract, 4.4).

Sources: Cont, Kukanov & Stoikov 2014, "The price impact of order book events", section 2.1 (`cont`, best level);
Xu, Gould & Howison 2018, "Multi-level order-flow imbalance in a limit order book", section 3 (each level m).
"""

from operators.intrinsics import where
from operators.jit import kernel
from sources.events import Float64s, Int64s


@kernel
def level_flow(bid: float, bid_size: float, bid0: float, bid_size0: float,
               ask: float, ask_size: float, ask0: float, ask_size0: float) -> float:  # fmt: skip
    """``e_m = b_m − a_m``: flow at a level from the book before (suffix 0) to the book now."""
    b = where(bid > bid0, bid_size, where(bid == bid0, bid_size - bid_size0, -bid_size0))
    a = where(ask > ask0, -ask_size0, where(ask == ask0, ask_size - ask_size0, ask_size))
    return b - a


@kernel
def ofi_cont(
    price: Float64s, size: Float64s, price0: Float64s, size0: Float64s, depths: Int64s, scratch: Float64s, out: Float64s
) -> None:
    """``OFI_D = Σ_{m≤D} e_m`` for each D of ``depths``, summed from the best level outwards.

    Args:
        price, size: the book's best levels now, shape ``(2, depth)``; price0, size0: after the update before.
        scratch: shape ``(depth,)``.
        out: shape ``(len(depths),)``.
    """
    bid, bid_size, bid0, bid_size0 = price[0], size[0], price0[0], size0[0]
    ask, ask_size, ask0, ask_size0 = price[1], size[1], price0[1], size0[1]
    levels = depths[len(depths) - 1]
    for m in range(levels):
        scratch[m] = level_flow(bid[m], bid_size[m], bid0[m], bid_size0[m], ask[m], ask_size[m], ask0[m], ask_size0[m])
    total = 0.0
    m = 0
    for d in range(len(depths)):
        while m < depths[d]:
            total += scratch[m]
            m += 1
        out[d] = total


@kernel
def depth_imbalance(size: Float64s, depths: Int64s, out: Float64s) -> None:
    """``Σ_{m≤D} Qb_m − Σ_{m≤D} Qa_m`` for each D of ``depths``, each side summed from the best level outwards."""
    bids = 0.0
    asks = 0.0
    m = 0
    for d in range(len(depths)):
        while m < depths[d]:
            bids += size[0, m]
            asks += size[1, m]
            m += 1
        out[d] = bids - asks
