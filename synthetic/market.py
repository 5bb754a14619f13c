"""A synthetic market: an exchange's messages for one instrument, made from a seed.

The book is the zero-intelligence model of Daniels, Farmer, Gillemot, Iori & Smith (2003) and Smith, Farmer, Gillemot &
Krishnamurthy (2003): limit orders, market orders and cancellations at random, cancellations in proportion to what
stands. Distances from the best price follow a power law (Bouchaud, Mézard & Potters 2002), the flow comes in bursts (a
Hawkes process, Hawkes 1971; Bacry, Mastromatteo & Muzy 2015), and it leans towards a reference price that trends and
ranges. The reference depends on seed and symbol, not on the venue: one symbol moves together everywhere. With
`MarketParameters.edge` the price is a planted one instead (`planted`), of each instrument its own.
"""

from collections.abc import Iterator

import numpy as np

from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from synthetic import kernel
from synthetic.messages import ROW_COLUMNS, MessageBatch, tape_rows
from synthetic.parameters import MarketParameters, parameters_of
from synthetic.randomness import stream_seed
from synthetic.skill import stay
from synthetic.state import FLOW_PARAMETERS, STATE, new_book, new_log

NS_PER_MS = 1_000_000
# 0.2 % of the price: no print of the captures in docs/inspect.md is farther from the quotes.
_PART_IN_REACH, _LEAST_REACH = 500, 10
# Where the exchange's counters stand at the start: far from 0 and from 1, which some venues give a meaning of its own.
_FIRST_UPDATE_ID, _FIRST_BOOK_MESSAGE, _FIRST_TRADE_ID = 10_000_000_000, 1_000_000, 500_000_000


class SyntheticMarket:
    """One instrument's exchange; its messages follow from seed, instrument, start and parameters, to the bit.

    Args:
        instrument: any instrument; its venue decides how the tape numbers messages.
        seed: any integer.
        start_ns: exchange time of the first snapshot, nanoseconds since the epoch; whole milliseconds.
        parameters: those of `parameters_of` the instrument when None.

    Raises:
        ValueError: ``start_ns`` is not a whole number of milliseconds.
    """

    def __init__(
        self, instrument: Instrument, seed: int, start_ns: int, parameters: MarketParameters | None = None
    ) -> None:
        if start_ns % NS_PER_MS:
            raise ValueError(f"start_ns: {start_ns} is not a whole number of milliseconds")
        self.instrument = instrument
        self.parameters = p = parameters or parameters_of(instrument)
        self._start = start_ns // NS_PER_MS
        self._open = False
        self._rng = np.array(
            [
                stream_seed(seed, instrument, "flow"),
                # A planted price is each venue's own: none leads another by the milliseconds between messages.
                stream_seed(seed, instrument.symbol if p.edge is None else instrument, "reference"),
                stream_seed(seed, instrument, "latency"),
            ],
            np.uint64,
        )
        self._book, self._log = new_book(), new_log()
        decay = 1.0 / p.memory_ms
        rate = p.events_per_second / 1000.0
        flow = np.recarray(1, FLOW_PARAMETERS)
        flow[0] = (
            p.levels,
            p.diff_interval_ms,
            rate * (1.0 - p.branching),
            max(_LEAST_REACH, p.first_price_ticks // _PART_IN_REACH),
            p.branching * decay / kernel.P_MARKET,
            decay,
            p.edge is not None,
            p.edge or 0.0,
            stay(p),
        )
        state = np.recarray(1, STATE)
        state.fill(0)
        self._flow, self._state = flow[0], state[0]
        s = self._state
        s.now = self._start
        s.excitation = rate * p.branching
        s.reference = s.anchor = float(p.first_price_ticks)
        s.update_id, s.book_messages, s.trade_id = _FIRST_UPDATE_ID, _FIRST_BOOK_MESSAGE, _FIRST_TRADE_ID

    def run(self, until_ns: int) -> Iterator[MessageBatch]:
        """The messages from where the last call ended to those with an exchange time below ``until_ns``.

        The first call begins with a snapshot; from then on the book is told by deltas. How the time is cut into calls
        makes no difference to the messages.
        """
        until = -(-until_ns // NS_PER_MS)
        if not self._open and until > self._start:
            self._open = True
            kernel.open_market(self._state, self._flow, self._book, self._log, self._rng)
        while True:
            kernel.advance(self._state, self._flow, self._book, self._log, self._rng, self._start, until)
            if self._state.messages == 0:
                return
            yield self._take()

    def _take(self) -> MessageBatch:
        s = self._state
        columns = self._log._asdict().items()
        batch = MessageBatch._make(c[: s.rows if name in ROW_COLUMNS else s.messages].copy() for name, c in columns)
        s.messages = s.rows = 0
        return batch


def synthetic_tape(market: SyntheticMarket, until_ns: int, ordinal: int = 0) -> Iterator[TapeBatch]:
    """The market's messages as batches of tape rows, the first of which gets ``ordinal``."""
    for messages in market.run(until_ns):
        batch = tape_rows(messages, market.instrument, market.parameters, ordinal)
        ordinal += batch.rows
        yield batch
