"""Prints of recordings, in which they may come twice: repeated lines, overlapping files, two streams of the same."""

from typing import NamedTuple

from sources.importers.names import Bits, Names
from sources.messages import TradeMessage
from sources.sequencer import AHEAD_NS
from sources.tape.batch import Int64s
from sources.trade_deduplicator import TradeDeduplicator

REPEATED = "repeated prints"


class _Told(NamedTuple):
    final: int  # number of the last trade; -1 where that is not known
    exchange_ts: int  # ns


class Prints:
    """One instrument's prints; of ``@trade`` and ``@aggTrade``, which tell the same, each from whichever is first.

    An aggregate names the trades that it is of. One that does not cannot be held against single ones: then the kind of
    stream that was first is taken alone. Numbers that are old at a time newer by `AHEAD_NS` are counted anew.
    """

    def __init__(self) -> None:
        self._streams: dict[str, TradeDeduplicator] = {}
        self._names: dict[str, Names] = {}
        self._told: dict[str, _Told] = {}

    def judge(self, message: TradeMessage) -> str:
        """Take the next print; tells what it is counted as if it is not new, otherwise nothing."""
        if not (message.stream or message.name):
            return ""  # without numbers there are no repetitions
        if message.name:
            repeated = not self._named(message.stream).add(message.name)
        else:
            repeated = self._of(message.stream).judge(message).repeated
        if repeated:
            return REPEATED
        for other, told in self._told.items():
            if other != message.stream and (
                min(message.first, told.final) < 0
                or (message.first <= told.final and message.exchange_ts - told.exchange_ts <= AHEAD_NS)
            ):
                return f"{message.stream} beside {other}"
        self._told[message.stream] = _Told(message.final, message.exchange_ts)
        return ""

    def fresh(self, stream: str, trade_id: Int64s) -> int:
        """How many of consecutive prints of one stream, from the first on, are new beyond question."""
        return 0 if self._told.keys() - {stream} else self._of(stream).fresh(trade_id)

    def take(self, stream: str, trade_id: Int64s, final: Int64s, exchange_ts: Int64s) -> None:
        """Take consecutive prints that are `fresh`; as `judge` of each."""
        self._of(stream).take(trade_id, exchange_ts)
        if len(final):
            self._told[stream] = _Told(int(final[-1]), int(exchange_ts[-1]))

    def take_named(self, stream: str, names: Bits) -> int:
        """Take consecutive prints that have names, up to the first that is known; gives how many.

        Numbers of other streams tell nothing of them, so there may be none.
        """
        taken = self._named(stream).take(names)
        if taken:
            self._told[stream] = _Told(-1, 0)
        return taken

    def _named(self, stream: str) -> Names:
        if stream not in self._names:
            self._names[stream] = Names()
        return self._names[stream]

    def _of(self, stream: str) -> TradeDeduplicator:
        if stream not in self._streams:
            self._streams[stream] = TradeDeduplicator()
        return self._streams[stream]
