"""The account of paper trading on the terminal: position, equity and open orders of one instrument."""

import numpy as np
from rich.text import Text

from operators.execution.schemas import EQUITY, ORDERS
from operators.execution.words import STATUSES
from sources.tape.batch import Float64s
from window.columns import Columns
from window.tap import Tap
from window.terminal.drawing import NONE, number

_ACCEPTED, _REJECTED, _PART = (STATUSES.index(word) for word in ("accepted", "rejected", "part"))
_SHOWN = 4  # orders
_ORDERS = {name: i for i, name in enumerate(Columns(ORDERS).names)}
_EQUITY = {name: i for i, name in enumerate(Columns(EQUITY).names)}


def trades(tap: Tap) -> bool:
    """Whether the run has an account."""
    return tap.has(EQUITY.name)


def newest(tap: Tap, names: list[str], column: str) -> Float64s:
    """A column of `EQUITY` as it is now, of every instrument; NaN where there is none."""
    found = tap.last(EQUITY.name)
    none = np.full(len(_EQUITY), np.nan)
    return np.array([found.get(name, none)[_EQUITY[column]] for name in names])


class Account:
    """Takes the orders and the account of one instrument as they come."""

    def __init__(self, tap: Tap, key: str) -> None:
        self._tap, self._key = tap, key
        self._seen: dict[str, int] = {}
        self._equity: Float64s | None = None
        self.open: dict[int, Float64s] = {}  # newest row of each open order, the oldest order first

    def read(self) -> None:
        """Take what has come."""
        for name, (rows, _, count) in self._tap.since(self._key, self._seen).items():
            self._seen[name] = count
            if name == EQUITY.name:
                self._equity = rows[:, -1]
            elif name == ORDERS.name:
                for row in rows.T:
                    self._take(row)

    def _take(self, row: Float64s) -> None:
        order, status = int(row[_ORDERS["order_id"]]), int(row[_ORDERS["status"]])
        if status in (_ACCEPTED, _PART):
            self.open[order] = row
        elif status != _REJECTED:  # a change of it may be rejected: it stays as it was
            self.open.pop(order, None)

    def line(self) -> Text:
        """All of it in a line."""
        out = Text()
        for name in ("position", "equity", "fees"):
            out.append(f"{name} ", "dim")
            out.append(NONE if self._equity is None else number(float(self._equity[_EQUITY[name]]), 6))
            out.append("  ")
        out.append("open orders ", "dim")
        out.append(str(len(self.open)))
        for row in list(self.open.values())[: -_SHOWN - 1 : -1]:
            side, price, leaves = (float(row[_ORDERS[name]]) for name in ("side", "price", "leaves"))
            out.append(f"  {'buy' if side > 0 else 'sell'} {number(leaves, 4)} at {number(price, 8)}",
                       "green" if side > 0 else "red")  # fmt: skip
        if len(self.open) > _SHOWN:
            out.append(f"  and {len(self.open) - _SHOWN} more", "dim")
        return out
