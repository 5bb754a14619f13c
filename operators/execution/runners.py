"""How a strategy is run in the loop over tape rows, in either of its forms (docs/strategies.md)."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from operators.config import FeatureConfig
from operators.execution import loop
from operators.execution.columns import chosen_rows, decision_columns
from operators.execution.driving import driven
from operators.execution.grid import Grid
from operators.execution.state import LOCAL, WORKING, Exchange
from operators.execution.strategy import CompiledStrategy, MarketView, OrderSender, Strategy, StrategyError
from operators.execution.view import View
from operators.placement.layer import look, placed, work
from operators.placement.log import NOTHING as NO_PLACEMENTS
from operators.placement.parents import MEMORY, parents_in
from operators.placement.plan import QUOTES, Layer, Placement, make_layer
from operators.row_batch import TS, RowBatch
from operators.rules.applying import NOTHING as NO_RULES
from operators.rules.applying import Log, apply_once, make_log, ruled
from operators.rules.table import RuleTable
from operators.schema import ROW_ORDINAL
from operators.tape_loop import DECIDE
from sources.tape.batch import Float64s, TapeBatch


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

    def placements(self) -> RowBatch:
        """What was decided on parent orders since the last call, as rows of `operators.placement.log.PLACEMENTS`."""


class _Consulted:
    """What stands between a strategy and the exchange: rules, and placement."""

    def __init__(self, rules: RuleTable | None, layer: Layer | None) -> None:
        self._rules, self._layer = rules, layer
        self._log: Log | None = None if rules is None else make_log()

    def applied(self) -> RowBatch:
        """As of `StrategyRunner`."""
        return NO_RULES if self._log is None else self._log.take()

    def placements(self) -> RowBatch:
        """As of `StrategyRunner`."""
        return NO_PLACEMENTS if self._layer is None else self._layer.log.take()


class _InPython(_Consulted):
    memory: Float64s | None = None

    def __init__(
        self, strategy: Strategy, rows: list[int], quotes: list[int], grid: Grid, rules: RuleTable | None,
        layer: Layer | None,
    ) -> None:  # fmt: skip
        super().__init__(rules, layer)
        self._strategy = strategy
        self._rows, self._quotes = np.array(rows, np.intp), np.array(quotes, np.intp)
        self._view, self._orders = MarketView(grid), OrderSender()

    def run(self, batch: TapeBatch, start: int, handles: Any, exchange: Exchange) -> tuple[int, int, int]:
        start, n, why = loop.trade_packed(batch, start, *handles)
        if why == DECIDE:
            self._decide(handles[2], n - 1, exchange)
        return start, n, why

    def _decide(self, out: Any, r: int, exchange: Exchange) -> None:
        view, layer, clock = self._view, self._layer, exchange.clock
        working, orders = exchange.working, int(clock[WORKING])
        values, ts = out.value[:, r], int(out.integer[TS, r])
        if layer is not None:
            quotes = values[self._quotes]
            seen = View(
                quotes, ts, int(clock[LOCAL]), 0.0, working, orders, view.tick, view.lot,
                int(out.integer[ROW_ORDINAL, r]), exchange.resting,
            )  # fmt: skip
            working, orders = layer.shown, look(layer, seen, quotes)
        view.look(exchange, values[self._rows].tolist(), ts, working[:, :orders])
        try:
            self._strategy.decide(view, self._orders)
            self._orders.hand_over(exchange)
        except Exception as e:
            when = np.datetime64(view.ts, "ns")
            raise StrategyError(f"{type(self._strategy).__name__} failed at the feature row of {when}Z") from e
        if self._rules is not None and self._log is not None and exchange.commands.noted[0] > 0:
            context = np.ascontiguousarray(values)
            known = (view.ts, view.local_ts, view.position, view.lot)
            apply_once(self._rules, context, *known, exchange.commands, self._log)
        if layer is not None:
            work(layer, seen, quotes, exchange.commands)


class _Compiled(_Consulted):
    def __init__(
        self, strategy: CompiledStrategy, rows: list[int], values: int, quotes: list[int], memory: Float64s,
        rules: RuleTable | None, layer: Layer | None,
    ) -> None:  # fmt: skip
        super().__init__(rules, layer)
        decide, own = strategy.decide_kernel, len(rows)
        self.memory: Float64s | None = memory
        mine, parameters = memory[: max(1, strategy.memory)], np.array(strategy.parameters, np.float64)
        given: tuple[Any, Any] = (mine, parameters)
        if rules is not None:
            decide, rows = ruled(decide), [*rows, *range(values)]
            given = ((mine, self._log), (parameters, rules, own))
        if layer is not None:
            decide, rows = placed(decide), [*rows, *quotes]
            given = ((given[0], layer), given[1])
        self._drive = driven(decide, strategy.decide_kernel, ruled=rules is not None, placed=layer is not None)
        self._own = (np.array(rows, np.int64), np.zeros(len(rows)), *given)

    def run(self, batch: TapeBatch, start: int, handles: Any, exchange: Exchange) -> tuple[int, int, int]:
        return self._drive(batch, start, *handles, *self._own)


def runner(
    strategy: Strategy | CompiledStrategy,
    config: FeatureConfig,
    grid: Grid,
    rules: RuleTable | None = None,
    forecasts: Sequence[str] = (),
    placement: Placement | None = None,
    name: str = "",
) -> StrategyRunner:
    """What runs a strategy, in the form that it has.

    Args:
        rules: that its new orders must pass; its context is every number that a decision may look at.
        forecasts: as of `decision_columns`.
        placement: of its market orders; None: they are sent.
        name: of the instrument.

    Raises:
        ValueError: as `chosen_rows`.
    """
    chosen, quotes = (chosen_rows(names, config, forecasts) for names in (strategy.columns, QUOTES))
    own = max(1, strategy.memory) if isinstance(strategy, CompiledStrategy) else 0
    memory = np.zeros(own + (MEMORY if placement else 0))
    layer = make_layer(placement, grid, name, parents_in(memory[own:])) if placement else None
    if isinstance(strategy, CompiledStrategy):
        values = len(decision_columns(config, forecasts))
        return _Compiled(strategy, chosen, values, quotes, memory, rules, layer)
    return _InPython(strategy, chosen, quotes, grid, rules, layer)
