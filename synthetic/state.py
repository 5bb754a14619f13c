"""The state of one synthetic market: two records and a few arrays, and the log that its kernel writes to."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sources.tape.batch import Int64s
from synthetic.messages import MessageBatch

UInt64s = npt.NDArray[np.uint64]

SLOTS = 4096  # ring of ticks, a power of two; four times the widest reach, so that no two ticks in use share a slot
CAPACITY = 1 << 16  # rows and messages that a log holds

STATE = np.dtype(
    [
        ("now", "i8"),  # ms
        ("begun", "i8"),  # whether the events of this ms have begun
        ("budget", "f8"),  # integrated intensity that is left of this ms
        ("threshold", "f8"),  # integrated intensity until the next event
        ("excitation", "f8"),  # events per ms on top of the base rate
        ("reference", "f8"),  # ticks
        ("anchor", "f8"),  # ticks
        ("trend", "f8"),  # -1, 0 (range) or 1
        ("dwell", "f8"),  # steps of the reference left in this regime
        ("signal", "f8"),  # of a planted price, in (-1, 1)
        ("best_bid", "i8"),
        ("best_ask", "i8"),
        ("bids", "i8"),  # number of levels
        ("asks", "i8"),
        ("low", "i8"),  # ticks outside low…high hold no orders
        ("high", "i8"),
        ("changed", "i8"),  # entries of Book.changed
        ("next_diff", "i8"),  # ms
        ("update_id", "i8"),  # of the last change of the book
        ("shown_id", "i8"),  # of the last change that a book message has told
        ("book_messages", "i8"),
        ("trade_id", "i8"),
        ("receive_ts", "i8"),  # ns, of the last message
        ("messages", "i8"),  # in the log
        ("rows", "i8"),
    ]
)

FLOW_PARAMETERS = np.dtype(
    [
        ("levels", "i8"),
        ("interval", "i8"),  # ms between depth diffs; 0: after every event
        ("base_rate", "f8"),  # events per ms
        ("reach", "i8"),  # ticks from the best price that a market order takes at most
        ("jump", "f8"),  # excitation that a market order adds
        ("decay", "f8"),  # share of the excitation lost per ms
        ("planted", "i8"),  # whether the price is that of `planted`
        ("edge", "f8"),
        ("stay", "f8"),  # probability that the signal stays for a step
    ]
)


class Book(NamedTuple):
    """Rings over ticks, shape ``(SLOTS,)``: lots are positive for bids, negative for asks."""

    lots: Int64s
    shown: Int64s  # lots as the last book message left them
    stamp: Int64s  # number of the book message that will tell of the last change
    changed: Int64s  # ticks that have changed since the last book message


def new_book() -> Book:
    """A book without orders."""
    lots, shown, stamp, changed = (np.zeros(SLOTS, np.int64) for _ in range(4))
    stamp -= 1
    return Book(lots, shown, stamp, changed)


def new_log() -> MessageBatch:
    """Room for ``CAPACITY`` messages with as many rows."""
    small = {"kind", "side"}
    return MessageBatch._make(
        np.zeros(CAPACITY, np.int8 if name in small else np.int64) for name in MessageBatch._fields
    )
