"""The data set ``placements``: every decision on a parent order, and what each action was worth (docs/acting.md)."""

from typing import Any, NamedTuple

import numpy as np

from operators.placement.market import ACTIONS
from operators.placement.parents import MOST_PARENTS
from operators.row_batch import Declared, RowBatch, RowSchema, row_schema
from sources.tape.batch import Float64s, Int64s

# In place of an action: the parent order is at its end; the market order that had waited for a cancel is sent.
DONE, SENT_NOW = len(ACTIONS), len(ACTIONS) + 1
PLACES = ("none", "behind", "last third", "middle third", "first third", "better")
ROOM = 6100 * MOST_PARENTS  # more than the feature rows of a part, with a decision on each parent at each
_NO_BOOK = np.empty((0, 0))
_TIME, _SIZE, _PRICE, _TICKS = "ns since 1970, UTC", "base currency", "quote currency", "ticks beyond the mid"

PLACEMENTS: RowSchema = row_schema(
    "placements",
    [
        Declared("ts", "timestamp", unit=_TIME, definition="of the feature row at which it was decided"),
        Declared("local_ts", "timestamp", unit=_TIME, definition="local time of the decision"),
        Declared("parent_id", "int64", definition="number of the strategy's order"),
        Declared("order_id", "int64", definition="of the order that works for it then; 0: none does"),
        Declared("left", "int64", unit="steps", definition="to its deadline"),
        *(Declared(f"visits_{name}", "int64", definition=f"simulations that began with {name}") for name in ACTIONS),
        Declared("side", "int8", unit="sign", definition="+1 buy, -1 sell"),
        Declared("action", "word", words=(*ACTIONS, "done", "sent"), definition="done: at its end; sent: now taken"),
        Declared("spread", "int8", unit="ticks", definition="1, 2, or 3 for 3 and more"),
        Declared("share", "int8", definition="own side's share of the two best sizes, fifth 0 to 4"),
        Declared("place", "word", words=PLACES, definition="where the order was"),
        Declared("leaves", "float64", unit=_SIZE, definition="what was still to be done"),
        Declared("mid", "float64", unit=_PRICE, definition="of the feature row"),
        *(
            Declared(f"cost_{name}", "float64", unit=_TICKS, definition=f"of {name}; NaN: unknown or impossible")
            for name in ACTIONS
        ),
    ],
)  # fmt: skip


class Log(NamedTuple):
    """Decisions since it was last taken: rows of `PLACEMENTS`.

    Attributes:
        rows: how many, shape ``(1,)``.
        integer: shape ``(10, …)``; code: ``(5, …)``; value: ``(7, …)``: as the schema has them.
    """

    rows: Int64s
    integer: Int64s
    code: Any
    value: Float64s

    def take(self) -> RowBatch:
        """The rows, whose room is free again."""
        n = int(self.rows[0])
        self.rows[0] = 0
        return RowBatch(self.integer[:, :n].copy(), self.code[:, :n].copy(), self.value[:, :n].copy(), _NO_BOOK)


def make_log() -> Log:
    """An empty one."""
    rows = PLACEMENTS.arrays
    return Log(
        np.zeros(1, np.int64), np.empty((rows["integer"], ROOM), np.int64), np.empty((rows["code"], ROOM), np.int8),
        np.empty((rows["value"], ROOM)),
    )  # fmt: skip


NOTHING = RowBatch(
    np.empty((PLACEMENTS.arrays["integer"], 0), np.int64), np.empty((PLACEMENTS.arrays["code"], 0), np.int8),
    np.empty((PLACEMENTS.arrays["value"], 0)), _NO_BOOK,
)  # fmt: skip
