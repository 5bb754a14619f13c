"""Strategies: the protocol that both forms share (docs/strategies.md); `execution.runners` runs them."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from operators.execution.grid import Grid
from operators.execution.state import LOCAL, MOST_SENT, SEEN_POSITION, Exchange
from operators.execution.words import AMEND, CANCEL, GTC, LIMIT, MARKET, TIMES_IN_FORCE
from sources.tape.batch import Int64s


class Strategy(Protocol):
    """What decides: in Python by `decide`, or compiled by Numba.

    Attributes:
        columns: names of the columns that it looks at, of features and of forecasts.
    """

    columns: tuple[str, ...]

    def decide(self, view: "MarketView", orders: "OrderSender") -> None:
        """Look at ``view`` and send ``orders``."""


@runtime_checkable
class CompiledStrategy(Protocol):
    """The form for Numba.

    Attributes:
        columns: names of the columns that it looks at, of features and of forecasts.
        parameters: its numbers.
        memory: how many numbers it keeps between decisions; they begin as 0.
        decide_kernel: ``(view, memory, parameters, commands)``, of `operators.execution.view`.
    """

    columns: tuple[str, ...]
    parameters: tuple[float, ...]
    memory: int
    decide_kernel: Callable[..., None]


class StrategyError(Exception):
    """A strategy raised; the cause is what, the text says at which feature row."""


class WorkingOrder(NamedTuple):
    """An order that the strategy has sent and does not know to be done."""

    order_id: int
    side: int
    price: float
    leaves: float  # base currency
    acknowledged: bool  # whether its arrival has been reported


class MarketView:
    """What a strategy knows when it decides; nothing of it is later than its decision.

    Attributes:
        columns: those that it asked for, of the newest feature row.
        ts: ns, time of the feature row.
        local_ts: ns, local time.
        position: in base currency, by the fills whose reports have been seen.
        tick, lot: one step of price and size.
    """

    __slots__ = ("_grid", "_lot", "_lots", "_working", "columns", "local_ts", "lot", "position", "tick", "ts")

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._lot, self._lots = grid.lot.numerator, grid.lot.denominator  # a fraction takes its time to tell them
        self.tick, self.lot = float(grid.tick), float(grid.lot)
        self.columns: list[float] = []
        self.ts = self.local_ts = 0
        self.position = 0.0
        self._working: Int64s

    def look(self, exchange: Exchange, columns: list[float], ts: int, working: Int64s) -> None:
        """Show what is known now; ``working``: the orders that are shown, as the exchange has them."""
        self._working = working
        clock = exchange.clock
        self.columns, self.ts, self.local_ts = columns, ts, int(clock[LOCAL])
        self.position = int(clock[SEEN_POSITION]) * self._lot / self._lots

    @property
    def working(self) -> list[WorkingOrder]:
        """Orders that are open or on their way, as far as the strategy knows."""
        tick, lot = self._grid.tick, self._grid.lot
        return [
            WorkingOrder(
                order_id,
                side,
                ticks * tick.numerator / tick.denominator if ticks > 0 else float("nan"),
                lots * lot.numerator / lot.denominator,
                acknowledged != 0,
            )
            for order_id, side, ticks, lots, acknowledged in self._working.T.tolist()
        ]


class OrderSender:
    """Takes what a strategy decides."""

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        self._sent: list[tuple[int, int, int, int, float, float]] = []

    def limit(self, side: int, price: float, size: float, tif: str = "gtc") -> None:
        """Send a limit order.

        Args:
            side: +1 buy, −1 sell.
            price: quote currency; size: base currency.
            tif: ``gtc``, ``gtx`` (post only) or ``ioc``.

        Raises:
            ValueError: there is no such side or time in force.
        """
        if tif not in TIMES_IN_FORCE:
            raise ValueError(f"tif: {tif!r} is not one of {', '.join(TIMES_IN_FORCE)}")
        self._add(0, side, LIMIT, TIMES_IN_FORCE.index(tif), price, size)

    def market(self, side: int, size: float) -> None:
        """Send a market order: as `limit` without a price."""
        self._add(0, side, MARKET, -1, float("nan"), size)

    def cancel(self, order_id: int) -> None:
        """Cancel an order."""
        self._sent.append((order_id, 0, CANCEL, -1, float("nan"), float("nan")))

    def amend(self, order_id: int, price: float, size: float) -> None:
        """Give an order another price and open size; its place in the queue is kept only if the size alone falls."""
        self._sent.append((order_id, 0, AMEND, GTC, price, size))

    def _add(self, order_id: int, side: int, action: int, tif: int, price: float, size: float) -> None:
        if side not in (1, -1):
            raise ValueError(f"side: {side!r} is not +1 or -1")
        self._sent.append((order_id, side, action, tif, price, size))

    def hand_over(self, exchange: Exchange) -> None:
        """Note them as commands of the exchange."""
        sent, commands = self._sent, exchange.commands
        if not sent:
            return
        commands.noted[0] = len(sent)
        for k, (order_id, side, action, tif, price, size) in enumerate(sent[:MOST_SENT]):
            commands.integer[:, k] = order_id, side, action, tif
            commands.value[:, k] = price, size
        sent.clear()
