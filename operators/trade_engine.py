"""One instrument's features and a simulated exchange on the same book: the thin owner of an `Exchange`."""

import io
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from operators.config import FeatureConfig
from operators.execution import loop
from operators.execution.exchange_codec import VERSION, kept, rebuilt
from operators.execution.grid import Grid
from operators.execution.latency import Latency
from operators.execution.runners import StrategyRunner, runner
from operators.execution.schedule import Schedule
from operators.execution.state import (
    FILL_ROWS,
    FUNDING_PAID,
    FUNDINGS,
    MOST_OPEN,
    MOST_SENT,
    MOST_WORKING,
    ORDER_ROWS,
    ROW,
    Exchange,
    ExecutionConfig,
    Rules,
    grown,
    make_exchange,
    make_rules,
)
from operators.execution.strategy import CompiledStrategy, Strategy
from operators.execution.view import MANY_SENT
from operators.feature_engine import FeatureEngine
from operators.features import fractional_difference
from operators.features.feature import Rows
from operators.models.forecasts_ahead import ForecastsAhead
from operators.models.predictions import Predictor
from operators.packed_arguments import Packed
from operators.placement.log import NOTHING as NO_PLACEMENTS
from operators.placement.plan import Placement
from operators.row_batch import RowBatch
from operators.rules.applying import NOTHING as NO_RULES
from operators.rules.table import RuleTable
from operators.tape_loop import DECIDE, EXCHANGE_FULL
from sources.tape.batch import TapeBatch

_NO_BOOK = np.empty((0, 0))
_NO_CODE = np.empty((0, 0), np.int8)
_NO_FEATURES = RowBatch(np.empty((3, 0), np.int64), _NO_CODE, _NO_BOOK, _NO_BOOK)


class Traded(NamedTuple):
    """What tape rows gave: features, and rows of the data sets of trading (`execution.schemas`)."""

    features: RowBatch  # with the rows of the forecasts, where there are any, as the last ones of ``value``
    orders: RowBatch
    fills: RowBatch
    equity: RowBatch  # a row a feature row
    applied: RowBatch = NO_RULES  # what rules did (`operators.rules.schemas`)
    placements: RowBatch = NO_PLACEMENTS  # what was decided on parent orders (`operators.placement.log`)


class TooManyOrdersError(ValueError):
    """A strategy sent more than the exchange takes; the text says what."""


class TradeEngine(FeatureEngine):
    """Turns one instrument's tape rows into feature rows, and lets a strategy or a schedule trade on them.

    The split of the tape into batches changes no bit. Not safe for use by two threads at once.
    """

    def __init__(
        self,
        config: FeatureConfig,
        execution: ExecutionConfig,
        grid: Grid,
        *,
        strategy: Strategy | CompiledStrategy | None = None,
        schedule: Schedule | None = None,
        latency: Latency | None = None,
        full_depth: bool = False,
        with_books: bool = False,
        rules: RuleTable | None = None,
        forecasts: Predictor | None = None,
        placement: Placement | None = None,
        name: str = "",
    ) -> None:
        """Args:
        strategy: decides at every feature row; None: nobody does.
        schedule: orders that are given beforehand.
        latency: as it was measured; None: the one of ``execution``.
        full_depth, with_books: as of `FeatureEngine`.
        rules: that the strategy's new orders must pass.
        forecasts: of the same instrument; the strategy may ask for their columns.
        placement: how its market orders are worked; None: they are sent as they are.
        name: of the instrument; with the ordinals of its rows it seeds what placement draws.

        Raises:
            ValueError: the strategy asks for a column that there is not.
        """
        super().__init__(config, full_depth=full_depth, with_books=with_books, gil_rows=0)
        latency = latency or Latency.constant(execution.latency_entry_ns, execution.latency_response_ns)
        deciding = strategy is not None
        ours = partial(make_rules, execution, grid, latency=latency)
        self._leading: Packed[Rules] = Packed(ours(reports=False, differences=False))
        differences = rules is not None or (strategy is not None and _looks_at_differences(strategy, config))
        self._trading: Packed[Rules] = Packed(ours(reports=deciding, differences=differences))
        self._rules = self._trading
        exchange = make_exchange()
        if schedule is not None:
            exchange = schedule.sent(exchange, latency)
        self._exchange: Packed[Exchange] = Packed(exchange)
        self._no_orders, self._no_fills = _orders(exchange, 0), _fills(exchange, 0)
        self._ahead = None if forecasts is None else ForecastsAhead(forecasts, config, full_depth=full_depth)
        names = () if forecasts is None else forecasts.columns
        self._forecasts = len(names)
        self._values += len(names)  # the rows that forecasts are put into, behind those of the features
        self._runner: StrategyRunner | None = None
        if strategy is not None:
            self._runner = runner(strategy, config, grid, rules, names, placement, name)

    def lead(self, batch: TapeBatch, cut_levels: int = 0) -> None:
        """Rows before the first to trade on: they make the book and the features known; nobody decides."""
        if batch.rows:
            self._foretell(batch, cut_levels)
            deciding, self._runner, self._rules = self._runner, None, self._leading
            for rows in self.parts(batch, cut_levels):
                self._taken(rows)
            self._runner, self._rules = deciding, self._trading

    def trade(self, batch: TapeBatch, cut_levels: int = 0) -> Iterator[Traded]:
        """What these tape rows give, in parts. Take all of them.

        Args:
            batch: the rows that follow those of the call before.
            cut_levels: as of `InstrumentBatch`.

        Raises:
            TooManyOrdersError: the strategy sends more than 256 orders at once, or has 1024 of them open.
        """
        self._foretell(batch, cut_levels)
        for rows in self.parts(batch, cut_levels):
            yield self._taken(rows)
        clock = self._exchange.value.clock
        if clock[ORDER_ROWS]:
            yield self._taken(None)

    @property
    def funding(self) -> tuple[int, float]:
        """How many fundings were settled, and what was paid in all, quote currency."""
        exchange = self._exchange.value
        return int(exchange.clock[FUNDINGS]), float(exchange.money[FUNDING_PAID])

    @property
    def forecasts(self) -> ForecastsAhead | None:
        """Those that the strategy sees; None: it sees none."""
        return self._ahead

    def open_orders(self) -> int:
        """Orders that rest."""
        bids, asks = self._exchange.value.resting.orders
        return int(bids + asks)

    def snapshot(self) -> bytes:
        """The whole state as bytes: features, forecasts, exchange, and the memory of a compiled strategy.

        Raises:
            ValueError: the strategy is written in Python, so that nobody knows what it remembers.
        """
        memory = np.empty(0) if self._runner is None else self._runner.memory
        if memory is None:
            raise ValueError("what a strategy in Python remembers is not known")
        arrays = kept(self._exchange.value)
        if self._ahead is not None:
            arrays["forecasts"] = np.frombuffer(self._ahead.snapshot(), np.uint8)
        features = np.frombuffer(super().snapshot(), np.uint8)
        out = io.BytesIO()
        np.savez(out, version=np.array(VERSION), features=features, memory=memory, **arrays)
        return out.getvalue()

    def resume(self, data: bytes) -> None:
        """Take up a `snapshot` of an engine with the same configuration, exchange, grid and strategy.

        Raises:
            ValueError: it is none, or of another version or feature configuration.
        """
        if not zipfile.is_zipfile(io.BytesIO(data)):
            raise ValueError("not a state of the simulated exchange")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                if int(arrays["version"]) != VERSION:
                    raise ValueError(f"state of version {int(arrays['version'])}; this build reads version {VERSION}")
                exchange, memory, features = rebuilt(arrays), arrays["memory"], arrays["features"].tobytes()
                forecasts = b"" if self._ahead is None else arrays["forecasts"].tobytes()
        except (KeyError, OSError, EOFError, zipfile.BadZipFile) as e:
            raise ValueError(f"not a state of the simulated exchange: {e}") from None
        there = None if self._runner is None else self._runner.memory
        if there is not None:
            if there.shape != memory.shape:
                raise ValueError("state of another strategy")
            there[:] = memory
        super().resume(features)
        if self._ahead is not None:
            self._ahead.resume(forecasts, features)
        self._exchange = Packed(exchange)

    def _foretell(self, batch: TapeBatch, cut_levels: int) -> None:
        if self._ahead is not None:
            self._ahead.read(batch, cut_levels)

    def _taken(self, features: RowBatch | None) -> Traded:
        """Copies of the rows written, whose room is free again."""
        exchange = self._exchange.value
        clock, rows = exchange.clock, exchange.rows
        orders, fills = int(clock[ORDER_ROWS]), int(clock[FILL_ROWS])
        n = 0 if features is None else features.rows
        clock[ORDER_ROWS] = clock[FILL_ROWS] = clock[ROW] = 0
        if self._ahead is not None:
            self._ahead.take(n)
        runner = self._runner
        return Traded(
            _NO_FEATURES if features is None else features,
            _orders(exchange, orders) if orders else self._no_orders,
            _fills(exchange, fills) if fills else self._no_fills,
            RowBatch(rows.equity_integer[:, :n].copy(), _NO_CODE, rows.equity_value[:, :n].copy(), _NO_BOOK),
            NO_RULES if runner is None else runner.applied(),
            NO_PLACEMENTS if runner is None else runner.placements(),
        )

    def _run(self, batch: TapeBatch, start: int, rows: Rows) -> tuple[int, int, int]:
        exchange = self._exchange.value
        if self._ahead is not None:
            self._ahead.fill(rows.value[-self._forecasts :])
        if exchange.rows.equity_value.shape[1] < rows.value.shape[1]:
            self._grow(0, rows.value.shape[1])
        while True:
            start, n, why = self._once(batch, start, rows)
            if why == EXCHANGE_FULL:
                self._grow(int(self._state.book.levels.sum()) + 2 * MOST_OPEN + 3, rows.value.shape[1])
            elif why >= loop.REFUSED:
                what = f"more than {MOST_SENT} orders at once" if why == loop.REFUSED + MANY_SENT else ""
                raise TooManyOrdersError(what or f"orders while {MOST_WORKING} of its orders are open or on their way")
            elif why != DECIDE:
                return start, n, why

    def _once(self, batch: TapeBatch, start: int, rows: Rows) -> tuple[int, int, int]:
        handles: Any = (self._packed.handle, self._params.handle, rows, self._exchange.handle, self._rules.handle)
        if self._runner is not None:
            return self._runner.run(batch, start, handles, self._exchange.value)
        return loop.trade_packed(batch, start, *handles)

    def _grow(self, most: int, feature_rows: int) -> None:
        self._exchange = Packed(grown(self._exchange.value, most, feature_rows))


def _looks_at_differences(strategy: Strategy | CompiledStrategy, config: FeatureConfig) -> bool:
    return any(column.name in strategy.columns for column in fractional_difference.FEATURE.columns(config))


def _orders(exchange: Exchange, n: int) -> RowBatch:
    rows = exchange.rows
    return _copied(rows.order_integer, rows.order_code, rows.order_value, n)


def _fills(exchange: Exchange, n: int) -> RowBatch:
    rows = exchange.rows
    return _copied(rows.fill_integer, rows.fill_code, rows.fill_value, n)


def _copied(integer: Any, code: Any, value: Any, n: int) -> RowBatch:
    return RowBatch(integer[:, :n].copy(), code[:, :n].copy(), value[:, :n].copy(), _NO_BOOK)
