"""A synthetic market in real time: what has happened since the last look, as changes of the book and prints.

The market runs a little ahead in steps, because a step costs about as much for one message as for many.
"""

import zlib
from collections import deque
from typing import NamedTuple

from simulator.book import Change, parts
from simulator.style import Style
from simulator.text import level_texts
from simulator.truth import Truth
from sources.instrument import Instrument
from sources.tape.batch import TRADE
from synthetic.market import NS_PER_MS, SyntheticMarket
from synthetic.messages import MessageBatch, decimals
from synthetic.parameters import MarketParameters

_STEP_MS = 500
_JITTER = 2_654_435_761  # Knuth's multiplicative hash


class Print(NamedTuple):
    """One trade of the book."""

    time_ms: int
    trade_id: int
    update_id: int  # of the last change of the book before it was told
    side: int  # +1 the buyer was the aggressor
    price: bytes
    size: bytes


class PublicIds:
    """The exchange's own numbers for the market's updates: rising, with holes, and higher after a later start.

    An exchange numbers the updates of all its instruments together, so that one instrument's numbers have holes, and
    the first number of a message need not be the one after the last of the message before.
    """

    def __init__(self, first: int, start_ms: int) -> None:
        """``first``: the market's own first number; ``start_ms``: when the market opens, since the epoch."""
        self._shift = start_ms * 16 - 4 * first  # no market makes 4 updates a ms, so a later start is higher

    def __call__(self, update_id: int) -> int:
        """The public number of the market's ``update_id``."""
        return 4 * update_id + self._shift + (update_id * _JITTER >> 7 & 3)


class LiveMarket:
    """One instrument's synthetic market, up to a time that the caller names.

    Args:
        instrument: where and what.
        seed: of all markets.
        start_ms: exchange time of the first book.
        parameters: of the contract and its order flow.
        style: how the venue writes it.
        truth: told every change of the book.
    """

    def __init__(
        self,
        instrument: Instrument,
        seed: int,
        start_ms: int,
        parameters: MarketParameters,
        style: Style,
        truth: Truth,
    ) -> None:
        self._market = SyntheticMarket(instrument, seed, start_ms * NS_PER_MS, parameters)
        self._style = style
        self._truth = truth
        # All before it has been made; different for each instrument, so that they do not all step at once.
        self._horizon = start_ms + zlib.crc32(str(instrument).encode()) % _STEP_MS
        self._first = True
        self._ahead: deque[Change[int] | Print] = deque()
        self.ids: PublicIds | None = None
        self._start_ms = start_ms
        self._trade_shift: int | None = None

    def take(self, now_ms: int) -> list[Change[int] | Print]:
        """What happened up to ``now_ms``, in order."""
        while self._first or self._horizon <= now_ms:
            self._horizon += 0 if self._first else _STEP_MS
            self._first = False
            for batch in self._market.run(self._horizon * NS_PER_MS):
                self._unpack(batch)
        ahead = self._ahead
        out = []
        while ahead and ahead[0].time_ms <= now_ms:
            out.append(ahead.popleft())
        return out

    def _unpack(self, batch: MessageBatch) -> None:
        p = self._market.parameters
        padding = self._style.padding
        texts = level_texts(
            batch.ticks * 10**padding, batch.lots, p.price_digits + padding, p.size_digits, self._style.bare_zero
        )
        prices, sizes = decimals(batch.ticks, p.price_digits), decimals(batch.lots, p.size_digits)
        side, ticks, lots = batch.side.tolist(), batch.ticks.tolist(), batch.lots.tolist()
        if self.ids is None:
            self.ids = PublicIds(int(batch.first_id[0]), self._start_ms)
        public = self.ids
        begin = 0
        for kind, time_ns, first_id, update_id, number, stop in zip(
            batch.kind.tolist(),
            batch.exchange_ts.tolist(),
            batch.first_id.tolist(),
            batch.update_id.tolist(),
            batch.number.tolist(),
            batch.stop.tolist(),
            strict=True,
        ):
            time_ms = time_ns // NS_PER_MS
            if kind == TRADE:
                price, size = parts(texts[begin])
                trade_id = self._public_trade(number)
                self._ahead.append(Print(time_ms, trade_id, public(update_id), side[begin], price, size))
            else:
                bids = side[begin:stop].count(1)
                last = public(update_id)
                rows = slice(begin, stop)
                change = Change(time_ms, public(first_id), last, bids, ticks[rows], texts[rows], lots[rows])
                self._ahead.append(change)
                self._truth.add(last, time_ms, bids, prices[rows], sizes[rows])
            begin = stop

    def _public_trade(self, number: int) -> int:
        """Even, so that odd ones are left for prints that are not of the book; higher after a later start."""
        if self._trade_shift is None:
            self._trade_shift = 2 * self._start_ms - 2 * number
        return 2 * number + self._trade_shift
