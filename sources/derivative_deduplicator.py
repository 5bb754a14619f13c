"""Derivatives that come again: after a hand-over between connections, or in recordings that overlap."""

from sources.messages import DerivativeMessage
from sources.tape.batch import LIQUIDATION

_LIQUIDATIONS_KEPT = 64  # more than a hand-over repeats

_Told = tuple[int, int, float, float]  # exchange time, side, price, size


class DerivativeDeduplicator:
    """One instrument's derivatives. What a connection tells twice in one reading it means twice.

    A mark price, a funding rate or an open interest is a state, so one that is older than the newest is nothing new. A
    liquidation has no number: the same one is one of the same time, side, price and size that was received at another
    time.
    """

    def __init__(self) -> None:
        self._newest: dict[int, tuple[int, _Told]] = {}  # by kind: receive time
        self._liquidations: dict[_Told, int] = {}  # receive times, in order of arrival

    def knows(self, message: DerivativeMessage) -> bool:
        """Whether the message tells nothing new; it is remembered."""
        told = (message.exchange_ts, message.side, message.price, message.size)
        if message.kind == LIQUIDATION:
            if self._liquidations.setdefault(told, message.receive_ts) != message.receive_ts:
                return True
            if len(self._liquidations) > _LIQUIDATIONS_KEPT:
                del self._liquidations[next(iter(self._liquidations))]
            return False
        receive_ts, before = self._newest.get(message.kind, (0, told))
        if told[0] < before[0] or (told == before and receive_ts not in (0, message.receive_ts)):
            return True
        self._newest[message.kind] = message.receive_ts, told
        return False
