"""Orders that are given beforehand (docs/execution.md, 2): each acts as if decided at its local time."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from operators.execution.latency import Latency
from operators.execution.state import (
    ACT,
    ACTION,
    AMOUNT,
    DECIDED,
    IN_FORCE,
    MOST_SENT,
    ORDER_ID,
    PENDING_END,
    PRICE,
    SIDE,
    Exchange,
    Int8s,
    Pending,
)
from sources.tape.batch import Float64s, Int64s


@dataclass(frozen=True)
class Schedule:
    """Orders, cancels and amends of one instrument; every array of shape ``(orders,)``.

    Attributes:
        local_ts: ns, local time of the decision; those of one time act in the order given.
        order_id: of the order, or of the one to cancel.
        side: +1 or −1.
        action, tif: codes of `words.ACTIONS` and `words.TIMES_IN_FORCE`.
        price, size: of the order.
    """

    local_ts: Int64s
    order_id: Int64s
    side: Int8s
    action: Int8s
    tif: Int8s
    price: Float64s
    size: Float64s

    @classmethod
    def empty(cls) -> Self:
        """No orders."""
        codes = np.empty(0, np.int8)
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), codes, codes, codes, np.empty(0), np.empty(0))

    def sent(self, exchange: Exchange, latency: Latency) -> Exchange:
        """The exchange with all of them on their way."""
        decided = np.argsort(self.local_ts, kind="stable")
        act = latency.act_times(self.local_ts[decided])
        order = decided[np.argsort(act, kind="stable")]
        n = len(order)
        pending = Pending(np.zeros((6, n + MOST_SENT), np.int64), np.zeros((2, n + MOST_SENT)))
        pending.integer[ACT, :n] = np.sort(act)
        pending.integer[DECIDED, :n] = self.local_ts[order]
        pending.integer[ORDER_ID, :n] = self.order_id[order]
        pending.integer[SIDE, :n] = self.side[order]
        pending.integer[ACTION, :n] = self.action[order]
        pending.integer[IN_FORCE, :n] = self.tif[order]
        pending.value[PRICE, :n] = self.price[order]
        pending.value[AMOUNT, :n] = self.size[order]
        exchange.clock[PENDING_END] = n
        return exchange._replace(pending=pending)
