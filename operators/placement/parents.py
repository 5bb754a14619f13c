"""Parent orders, and the child order that works for each at a time (docs/acting.md, 7).

A parent is a market order of a strategy that is not sent: it keeps its number, and is worked by orders of its own. At
most one of them is open or on its way, so that a parent is never filled beyond its size: it is moved by an amend that
keeps what is open, and is taken by a market order once its cancel has been seen.
"""

from typing import NamedTuple

import numpy as np

from operators.execution.state import ACKNOWLEDGED, WORKING_ID, WORKING_LEAVES, WORKING_SIDE, WORKING_TICKS
from operators.execution.view import View
from operators.placement.jit import kernel
from sources.tape.batch import Float64s, Int64s

MOST_PARENTS = 16  # at a time; a further market order is sent as it is
NO_TICKS = -(1 << 62)  # `execution.grid.NO_STEP`, of a market order

# Rows of `Parents.table`. LOTS: still to be done, as far as reports tell, of WHOLE. CHILD: number of its order, or 0,
# and the next four: its ticks as reports tell, lots open, where it was last known to be, whether it has been seen to
# have arrived. LEAVING: its cancel is sent. TAKING: the market order is sent once it is gone. LAST: what it does is the
# end.
PARENT, SIDE, LOTS, WHOLE, BEGAN, DUE, CHILD, TICKS, LEAVES, PLACE, KNOWN, LEAVING, TAKING, LAST = range(14)
_ROWS = 14
COUNT, SENT, WORKING = range(3)  # of `Parents.numbers`: parents, numbers given to orders, orders working since


class Parents(NamedTuple):
    """State of an instrument, all that is kept from decision to decision.

    Attributes:
        numbers: shape ``(3,)``.
        table: shape ``(14, MOST_PARENTS)``, in the order in which they came.
    """

    numbers: Int64s
    table: Int64s


MEMORY = 3 + _ROWS * MOST_PARENTS  # numbers of 8 bytes


def parents_in(memory: Float64s) -> Parents:
    """A view of memory, shape ``(MEMORY,)``, all 0 at the beginning."""
    words = memory.view(np.int64)
    return Parents(words[:3], words[3:].reshape(_ROWS, MOST_PARENTS))


@kernel
def remove(parents: Parents, k: int) -> None:
    """The k-th parent is no more."""
    n = parents.numbers[COUNT]
    for row in range(parents.table.shape[0]):
        for i in range(k, n - 1):
            parents.table[row, i] = parents.table[row, i + 1]
    parents.numbers[COUNT] = n - 1


@kernel
def add(parents: Parents, number: int, side: int, lots: int, ts: int) -> None:
    """A parent that begins now; there must be room."""
    table, k = parents.table, parents.numbers[COUNT]
    table[PARENT, k], table[SIDE, k], table[LOTS, k], table[WHOLE, k] = number, side, lots, lots
    table[BEGAN, k], table[DUE, k] = ts, ts
    table[CHILD, k], table[TICKS, k], table[LEAVES, k], table[PLACE, k], table[KNOWN, k] = 0, NO_TICKS, 0, 0, 0
    table[LEAVING, k], table[TAKING, k], table[LAST, k] = 0, 0, 0
    parents.numbers[COUNT] = k + 1


@kernel
def see(parents: Parents, view: View) -> None:
    """Take what reports tell of the children. Those that have ended since lie behind the others in ``view.working``."""
    table = parents.table
    for k in range(parents.numbers[COUNT]):
        if table[CHILD, k] == 0:
            continue
        i = 0
        while i < parents.numbers[WORKING] and view.working[WORKING_ID, i] != table[CHILD, k]:
            i += 1
        leaves = view.working[WORKING_LEAVES, i]
        table[LOTS, k] -= table[LEAVES, k] - leaves
        table[LEAVES, k] = leaves
        if i < view.orders:
            table[KNOWN, k], table[TICKS, k] = view.working[ACKNOWLEDGED, i], view.working[WORKING_TICKS, i]
        else:
            table[CHILD, k] = table[KNOWN, k] = table[LEAVING, k] = 0
            table[TICKS, k] = NO_TICKS


@kernel
def show(parents: Parents, view: View, shown: Int64s) -> int:
    """What the strategy sees of its orders: parents in place of their children. Returns how many.

    Args:
        shown: shape ``(5, …)``, room for them, by number.
    """
    table, n = parents.table, 0
    for i in range(view.orders):
        child = False
        for k in range(parents.numbers[COUNT]):
            child = child or table[CHILD, k] == view.working[WORKING_ID, i]
        if not child:
            for row in range(view.working.shape[0]):
                shown[row, n] = view.working[row, i]
            n += 1
    for k in range(parents.numbers[COUNT]):
        at = n
        while at > 0 and shown[WORKING_ID, at - 1] > table[PARENT, k]:
            for row in range(shown.shape[0]):
                shown[row, at] = shown[row, at - 1]
            at -= 1
        shown[WORKING_ID, at] = table[PARENT, k]
        shown[WORKING_SIDE, at] = table[SIDE, k]
        shown[WORKING_TICKS, at] = NO_TICKS
        shown[WORKING_LEAVES, at] = table[LOTS, k]
        shown[ACKNOWLEDGED, at] = 1
        n += 1
    return n
