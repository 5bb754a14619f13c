"""Latencies as they were measured: of the newest measurement (docs/execution.md, 1)."""

from dataclasses import dataclass

import numpy as np

from operators.jit import kernel
from sources.tape.batch import Int64s

_EVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Latency:
    """What an order and its report take; a time before the first measurement has the first one.

    Attributes:
        entry_from: ns, local times of decisions, ascending, from which on the entry latencies hold; shape ``(n,)``.
        entry: ns from the decision to the exchange.
        response_from: ns, exchange times, ascending.
        response: ns from the exchange to the report.
    """

    entry_from: Int64s
    entry: Int64s
    response_from: Int64s
    response: Int64s

    @classmethod
    def constant(cls, entry: int, response: int) -> "Latency":
        """The same at all times, ns."""
        ever = np.array([_EVER], np.int64)
        return cls(ever, np.array([entry], np.int64), ever, np.array([response], np.int64))

    @classmethod
    def measured(cls, local_ts: Int64s, exchange_ts: Int64s, response_ts: Int64s) -> "Latency":
        """Of orders that were sent, acted and were reported at these times, ns; shape ``(n,)`` each, in any order.

        Raises:
            ValueError: there are none, or one acted before it was sent, or was reported before it acted.
        """
        if not len(local_ts):
            raise ValueError("there is no measurement")
        entry, response = exchange_ts - local_ts, response_ts - exchange_ts
        for name, latency in (("exchange_ts before local_ts", entry), ("response_ts before exchange_ts", response)):
            if latency.min() < 0:
                row = int(latency.argmin())
                raise ValueError(f"row {row}: {name}, by {-latency[row]} ns: do the clocks differ?")
        sent, acted = np.argsort(local_ts, kind="stable"), np.argsort(exchange_ts, kind="stable")
        return cls(local_ts[sent], entry[sent], exchange_ts[acted], response[acted])

    def act_times(self, local_ts: Int64s) -> Int64s:
        """When orders act that are decided at these local times, ns."""
        at = np.searchsorted(self.entry_from, local_ts, side="right") - 1
        times: Int64s = local_ts + self.entry[np.maximum(at, 0)]
        return times


@kernel
def latency_at(begins: Int64s, latency: Int64s, ts: int) -> int:
    """The latency that holds at ``ts``, ns."""
    low, high = 0, len(begins)
    while high - low > 1:
        middle = (low + high) // 2
        if begins[middle] <= ts:
            low = middle
        else:
            high = middle
    return latency[low]
