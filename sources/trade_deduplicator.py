"""Prints that come again after a reconnect, prints that are missing, and numbers that cannot be believed."""

from typing import NamedTuple

import numpy as np

from sources.messages import TradeMessage
from sources.tape.batch import Int64s

_NAMES_KEPT = 2048  # prints remembered by name; a reconnect repeats a few dozen
_MOST_MISSING = 1_000_000  # an hour of the busiest market; a number further ahead is not believed by itself
_RUN = 3  # prints numbered one after the other that make a new numbering


class Verdict(NamedTuple):
    """What a print is."""

    repeated: bool = False  # it is known already
    loss: str = ""  # what is missing before it, in words; empty if nothing is


class TradeDeduplicator:
    """One instrument's prints, by the venue's numbers where it counts them without holes, else by their names.

    Numbers rise with time. So a print with an old number and a newer time is no repetition: the venue counts anew (an
    instrument was listed again), or the number is wrong. Either is recorded; numbers are followed again when a few
    prints in a row agree on them.
    """

    def __init__(self, names_kept: int = _NAMES_KEPT) -> None:
        self._names_kept = names_kept
        self._last: int | None = None
        self._last_ts = 0  # ns, exchange time of the print of that number
        self._excused = False
        self._names: dict[str, None] = {}  # in order of arrival
        self._doubted = -1  # number of the newest print that was not believed
        self._run = 0  # how many of them were numbered one after the other

    @property
    def numbered(self) -> bool:
        """Whether a print that is missing will show by the number of the next."""
        return self._last is not None

    def judge(self, message: TradeMessage) -> Verdict:
        """Take the next print."""
        if self.knows(message):
            return Verdict(repeated=True)
        if message.name:
            self._names[message.name] = None
            if len(self._names) > self._names_kept:
                del self._names[next(iter(self._names))]
            return Verdict()
        excused, self._excused = self._excused, False
        missing = 0 if self._last is None else message.trade_id - self._last - 1
        if not 0 <= missing <= _MOST_MISSING:
            return self._doubt(message)
        self._follow(message)
        return Verdict(loss="" if missing == 0 or (missing == 1 and excused) else f"{missing} trades missing")

    def knows(self, message: TradeMessage) -> bool:
        """Whether the print has been met already."""
        if message.name:
            return message.name in self._names
        return self._last is not None and message.trade_id <= self._last and message.exchange_ts <= self._last_ts

    def fresh(self, trade_id: Int64s) -> int:
        """How many of consecutive prints, from the first on, are new and numbered on from the one before."""
        if len(trade_id) == 0:
            return 0
        before = int(trade_id[0]) - 1 if self._last is None else self._last
        missing = np.diff(trade_id, prepend=before) - 1
        odd = np.flatnonzero((missing < 0) | (missing > _MOST_MISSING))
        return int(odd[0]) if len(odd) else len(trade_id)

    def take(self, trade_id: Int64s, exchange_ts: Int64s) -> None:
        """Take consecutive prints that are `fresh`; as `judge` of each."""
        if len(trade_id):
            self._last, self._last_ts = int(trade_id[-1]), max(self._last_ts, int(exchange_ts.max()))
            self._excused, self._run = False, 0

    def follows(self, message: TradeMessage) -> bool:
        """Whether the print's number is the next one."""
        return not message.name and message.trade_id - 1 == self._last

    def excuse(self) -> None:
        """A frame that could not be read may have been the next print: that it is missing is known."""
        self._excused = True

    def _follow(self, message: TradeMessage) -> None:
        self._last, self._last_ts = message.trade_id, max(self._last_ts, message.exchange_ts)
        self._run = 0

    def _doubt(self, message: TradeMessage) -> Verdict:
        self._run = self._run + 1 if message.trade_id == self._doubted + 1 and self._run else 1
        self._doubted = message.trade_id
        if self._run < _RUN:
            return Verdict()
        self._follow(message)
        return Verdict(loss="trades are numbered anew")
