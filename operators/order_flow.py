"""Order flow imbalance of one book update (contract, 4.4).

Sources: Cont, Kukanov & Stoikov 2014, "The price impact of order book events", section 2.1 (`cont`, best level);
Xu, Gould & Howison 2018, "Multi-level order-flow imbalance in a limit order book", section 3 (each level m).
"""

from operators.jit import kernel
from sources.events import Float64s, Int64s


@kernel
def level_flow(bid: float, bid_size: float, bid0: float, bid_size0: float,
               ask: float, ask_size: float, ask0: float, ask_size0: float) -> float:  # fmt: skip
    """``e_m = b_m − a_m``: flow at one level from the book before (suffix 0) to the book now."""
    if bid > bid0:
        b = bid_size
    elif bid == bid0:
        b = bid_size - bid_size0
    else:
        b = -bid_size0
    if ask > ask0:
        a = -ask_size0
    elif ask == ask0:
        a = ask_size - ask_size0
    else:
        a = ask_size
    return b - a


@kernel
def ofi_cont(price: Float64s, size: Float64s, price0: Float64s, size0: Float64s, depths: Int64s, out: Float64s) -> None:
    """``OFI_D = Σ_{m≤D} e_m`` for each D of ``depths``, summed from the best level outwards.

    Args:
        price, size: the book's best levels now, shape ``(2, depth)``; price0, size0: after the update before.
        out: shape ``(len(depths),)``.
    """
    total = 0.0
    m = 0
    for d in range(len(depths)):
        while m < depths[d]:
            total += level_flow(
                price[0, m], size[0, m], price0[0, m], size0[0, m], price[1, m], size[1, m], price0[1, m], size0[1, m]
            )
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
