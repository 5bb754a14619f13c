"""Messages of a synthetic market in columns: all that an exchange says, before it is made into frames or tape rows."""

from typing import NamedTuple

import numpy as np

from sources.instrument import Instrument
from sources.tape.batch import TRADE, Float64s, Int8s, Int64s, TapeBatch
from synthetic.parameters import MarketParameters


class MessageBatch(NamedTuple):
    """Consecutive messages, shape ``(messages,)``, and their rows end to end, shape ``(rows,)``.

    Message ``i`` has the rows from ``stop[i - 1]`` (0 for the first) to ``stop[i]``. Times are nanoseconds; exchange
    times are whole milliseconds. Prices and sizes are whole numbers: ``ticks`` of ``10**-price_digits``, ``lots`` of
    ``10**-size_digits``; a book row's size is absolute and 0 removes the level.
    """

    kind: Int8s  # events.SNAPSHOT, DELTA or TRADE
    exchange_ts: Int64s
    receive_ts: Int64s
    first_id: Int64s  # of the changes told: Binance `U`; `pu` is one less
    update_id: Int64s  # of the last change told: Binance `u` or `lastUpdateId`, Bybit `seq`
    number: Int64s  # trade id; of a book message its running number, Bybit `u`
    stop: Int64s
    side: Int8s
    ticks: Int64s
    lots: Int64s


ROW_COLUMNS = ("side", "ticks", "lots")


def decimals(units: Int64s, digits: int) -> Float64s:
    """The doubles nearest to ``units / 10**digits``: one division of two numbers that doubles hold exactly."""
    return units / float(10**digits)


def tape_rows(messages: MessageBatch, instrument: Instrument, parameters: MarketParameters, ordinal: int) -> TapeBatch:
    """The messages as tape rows, the first of which gets ``ordinal``."""
    is_trade = messages.kind == TRADE
    counts_books = instrument.venue == "bybit_linear"  # Bybit numbers book messages; elsewhere changes are numbered
    sequence = np.where(is_trade != counts_books, messages.number, messages.update_id)
    counts = np.diff(messages.stop, prepend=0)
    rows = len(messages.side)
    last = np.zeros(rows, np.bool_)
    last[messages.stop - 1] = True
    return TapeBatch(
        ordinal=np.arange(ordinal, ordinal + rows, dtype=np.int64),
        exchange_ts=np.repeat(messages.exchange_ts, counts),
        receive_ts=np.repeat(messages.receive_ts, counts),
        sequence=np.repeat(sequence, counts),
        kind=np.repeat(messages.kind, counts),
        side=messages.side,
        price=decimals(messages.ticks, parameters.price_digits),
        size=decimals(messages.lots, parameters.size_digits),
        last=last,
    )
