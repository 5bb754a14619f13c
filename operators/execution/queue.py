"""How much of a level is ahead of an order when the level shrinks (docs/execution.md, 5).

Source: hftbacktest's ``PowerProbQueueModel`` and ``RiskAdverseQueueModel``; the idea is Rigtorp's, "Estimating order
queue position", 2013.
"""

from operators.execution.words import OPTIMISTIC, RISK_AVERSE
from operators.jit import kernel


@kernel
def whole_power(x: float, n: int) -> float:
    """``x`` multiplied ``n`` times, from the left: the same bits on every machine."""
    product = x
    for _ in range(n - 1):
        product *= x
    return product


@kernel
def ahead_after(ahead: float, before: float, after: float, traded: float, queue: int, power: int) -> float:
    """Size ahead of an order after its level has changed from ``before`` to ``after``.

    Args:
        traded: what traded at the level since it changed last.
        queue: one of `words.QUEUES`; power: its exponent.
    """
    cancelled = before - after - traded
    if cancelled < 0.0 or queue == RISK_AVERSE:
        return min(ahead, after)
    if queue == OPTIMISTIC:
        return min(ahead - cancelled, after)
    back = before - ahead
    behind = whole_power(max(back, 0.0), power)
    total = behind + whole_power(max(ahead, 0.0), power)
    p = behind / total if total > 0.0 else 1.0
    return min(ahead - (1.0 - p) * cancelled + min(back - p * cancelled, 0.0), after)
