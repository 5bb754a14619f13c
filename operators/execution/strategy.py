"""Strategies: the protocol that both forms share, and how each is run (docs/strategies.md)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from operators.config import FeatureConfig
from operators.execution import loop
from operators.execution.columns import chosen_rows, decision_columns
from operators.execution.driving import driven
from operators.execution.grid import Grid
from operators.execution.state import LOCAL, MOST_SENT, SEEN_POSITION, WORKING, Exchange
from operators.execution.words import AMEND, CANCEL, GTC, LIMIT, MARKET, TIMES_IN_FORCE
from operators.row_batch import TS, RowBatch
from operators.rules.applying import apply_once, make_log, ruled
from operators.rules.table import RuleTable
from operators.tape_loop import DECIDE
from sources.tape.batch import Float64s, TapeBatch


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

    __slots__ = ("_exchange", "_grid", "columns", "local_ts", "lot", "position", "tick", "ts")

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.tick, self.lot = float(grid.tick), float(grid.lot)
        self.columns: list[float] = []
        self.ts = self.local_ts = 0
        self.position = 0.0
        self._exchange: Exchange

    def look(self, exchange: Exchange, columns: list[float], ts: int) -> None:
        """Show what is known now."""
        self._exchange = exchange
        clock = exchange.clock
        self.columns, self.ts, self.local_ts = columns, ts, int(clock[LOCAL])
        self.position = int(clock[SEEN_POSITION]) * self._grid.lot.numerator / self._grid.lot.denominator

    @property
    def working(self) -> list[WorkingOrder]:
        """Orders that are open or on their way, as far as the strategy knows."""
        n = int(self._exchange.clock[WORKING])
        tick, lot = self._grid.tick, self._grid.lot
        return [
            WorkingOrder(
                order_id,
                side,
                ticks * tick.numerator / tick.denominator if ticks > 0 else float("nan"),
                lots * lot.numerator / lot.denominator,
                acknowledged != 0,
            )
            for order_id, side, ticks, lots, acknowledged in self._exchange.working[:, :n].T.tolist()
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


class StrategyRunner(Protocol):
    """Runs the loop with a strategy in it.

    Attributes:
        memory: numbers that it keeps between decisions; None: it keeps what nobody else knows, as a Python object may.
    """

    memory: Float64s | None

    def run(self, batch: TapeBatch, start: int, handles: Any, exchange: Exchange) -> tuple[int, int, int]:
        """As `loop.trade_packed`; `DECIDE`: call it again."""

    def applied(self) -> RowBatch:
        """What rules did since the last call, as rows of `operators.rules.schemas.APPLIED`."""


class _InPython:
    memory: Float64s | None = None

    def __init__(self, strategy: Strategy, rows: list[int], grid: Grid, rules: RuleTable | None) -> None:
        self._strategy = strategy
        self._rows = rows
        self._rules, self._log = rules, make_log()
        self._view, self._orders = MarketView(grid), OrderSender()

    def run(self, batch: TapeBatch, start: int, handles: Any, exchange: Exchange) -> tuple[int, int, int]:
        start, n, why = loop.trade_packed(batch, start, *handles)
        if why == DECIDE:
            out = handles[2]
            self._view.look(exchange, out.value[self._rows, n - 1].tolist(), int(out.integer[TS, n - 1]))
            try:
                self._strategy.decide(self._view, self._orders)
                self._orders.hand_over(exchange)
            except Exception as e:
                when = np.datetime64(self._view.ts, "ns")
                raise StrategyError(f"{type(self._strategy).__name__} failed at the feature row of {when}Z") from e
            if self._rules is not None and exchange.commands.noted[0] > 0:
                context, view = np.ascontiguousarray(out.value[:, n - 1]), self._view
                known = (view.ts, view.local_ts, view.position, view.lot)
                apply_once(self._rules, context, *known, exchange.commands, self._log)
        return start, n, why

    def applied(self) -> RowBatch:
        """As of `StrategyRunner`."""
        return self._log.take()


class _Compiled:
    def __init__(self, strategy: CompiledStrategy, rows: list[int], values: int, rules: RuleTable | None) -> None:
        decide, own, self._log = strategy.decide_kernel, len(rows), make_log()
        self.memory: Float64s | None = np.zeros(max(1, strategy.memory))
        memory, parameters = self.memory, np.array(strategy.parameters, np.float64)
        given: tuple[Any, Any] = (memory, parameters)
        if rules is not None:
            decide, rows = ruled(decide), [*rows, *range(values)]
            given = ((memory, self._log), (parameters, rules, own))
        self._drive = driven(decide, strategy.decide_kernel, ruled=rules is not None)
        self._own = (np.array(rows, np.int64), np.zeros(len(rows)), *given)

    def run(self, batch: TapeBatch, start: int, handles: Any, exchange: Exchange) -> tuple[int, int, int]:
        return self._drive(batch, start, *handles, *self._own)

    def applied(self) -> RowBatch:
        """As of `StrategyRunner`."""
        return self._log.take()


def runner(
    strategy: Strategy | CompiledStrategy,
    config: FeatureConfig,
    grid: Grid,
    rules: RuleTable | None = None,
    forecasts: Sequence[str] = (),
) -> StrategyRunner:
    """What runs a strategy, in the form that it has.

    Args:
        rules: that its new orders must pass; its context is every number that a decision may look at.
        forecasts: as of `decision_columns`.

    Raises:
        ValueError: as `chosen_rows`.
    """
    chosen = chosen_rows(strategy.columns, config, forecasts)
    if isinstance(strategy, CompiledStrategy):
        return _Compiled(strategy, chosen, len(decision_columns(config, forecasts)), rules)
    return _InPython(strategy, chosen, grid, rules)
