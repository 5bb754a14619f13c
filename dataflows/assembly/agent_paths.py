"""Backtests of an agent over the paths of a cross-validation: at each decision it is the one that has not seen it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dataflows.assembly.backtest_in_memory import TradedColumns, backtest_in_memory
from dataflows.assembly.forecasting import Forecasting
from dataflows.assembly.trading import execution_config
from dataflows.assembly.trials import PeriodReturns, period_returns
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.execution.grid import Grid
from operators.execution.run_statistics import annual_sharpe
from operators.execution.statistics import tail_mean
from operators.execution.strategy import MarketView, OrderSender
from operators.models.agent import AgentModel
from operators.strategies.agent import Acting, asked_of
from operators.strategies.hold import Hold
from operators.trade_engine import TradeEngine
from sources.tape.batch import Float64s, Int64s
from sources.tape.reader import TapeReader
from sources.venues.names import FIXED_DEPTH

_MINUTE = 60_000_000_000
_TAIL = 0.25


class Judged(NamedTuple):
    """What a backtest of a path, or of a baseline, came to.

    Attributes:
        net, fees: quote currency.
        tail: mean of the worst quarter of minutes, quote currency; NaN of fewer than four.
        sharpe, sharpe_error: annualised, with its standard error; NaN without a trade.
        in_position: share of the feature rows.
        periods: changes of equity.
    """

    name: str
    net: float
    tail: float
    sharpe: float
    sharpe_error: float
    in_position: float
    fees: float
    fills: int
    periods: PeriodReturns

    def told(self) -> dict[str, Any]:
        """The figures, as JSON can hold them."""
        return {
            name: value if not isinstance(value, float) or math.isfinite(value) else None
            for name, value in self._asdict().items()
            if name != "periods"
        }

    def curve(self) -> dict[str, Any]:
        """Equity at the end of each period, as JSON can hold it."""
        first, last, returns = self.periods
        ends = np.linspace(first, last, len(returns) + 1)[1:]
        return {"name": self.name, "ts": ends.astype(np.int64).tolist(), "equity": np.cumsum(returns).tolist()}


class _Path:
    """A strategy that asks, at each decision, the model of the split that has not seen it."""

    def __init__(self, models: Sequence[AgentModel], ts: Int64s, chosen: Any) -> None:
        """Args:
        ts: ns, of the decisions, shape ``(n,)``; ``chosen``: number of the model of each.
        """
        self.columns = asked_of(models[0])
        self._models, self._ts, self._chosen = models, ts, chosen
        self._acting = Acting(models[0].size, models[0].step_ns)

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        """As of `operators.strategies.agent.Agent`."""
        at = max(int(np.searchsorted(self._ts, view.ts, side="right")) - 1, 0)
        self._acting.decide(view, orders, self._models[self._chosen[at]])


class AgentPaths:
    """Judges agents on a tape, beside who holds and who does nothing."""

    def __init__(
        self, settings: Settings, reader: TapeReader, config: FeatureConfig, grid: Grid, ts: Int64s, size: float,
        forecasting: Forecasting | None = None,
    ) -> None:  # fmt: skip
        """Args:
        ts: ns, of the decisions.
        size: base currency, of who holds.
        forecasting: what the agents ask; None: nothing.
        """
        self._forecasting = forecasting
        self._reader, self._config, self._grid, self._ts, self._size = reader, config, grid, ts, size
        self._execution = execution_config(settings, reader.instrument.venue)
        self._span = int(ts[0]), int(ts[-1])

    def judge(self, models: Sequence[AgentModel], paths: Any) -> list[Judged]:
        """A backtest of each path, then of holding, then of nothing.

        Args:
            models: of each split.
            paths: of each path, the number of each decision's model, shape ``(paths, n)``.

        Raises:
            TickwaxError: the tape cannot be read.
        """
        out = [
            self._judged(f"path {number + 1}", self._run(_Path(models, self._ts, chosen)))
            for number, chosen in enumerate(paths)
        ]
        held = self._run(Hold(self._size))
        out.append(self._judged("hold", held))
        ts = held.equity["ts"]
        nothing = {"ts": ts, **{name: np.zeros(len(ts)) for name in ("equity", "position", "fees")}}
        return [*out, self._judged("flat", TradedColumns({}, {"ts": ts[:0]}, nothing))]

    def _run(self, strategy: Any) -> TradedColumns:
        full = self._reader.instrument.venue in FIXED_DEPTH
        forecasts = None if self._forecasting is None else self._forecasting.make(self._reader.instrument)
        engine = TradeEngine(
            self._config, self._execution, self._grid, strategy=strategy, full_depth=full, forecasts=forecasts
        )
        return backtest_in_memory(self._reader, engine, self._config.sampling_ns)

    def _judged(self, name: str, traded: TradedColumns) -> Judged:
        ts, equity = traded.equity["ts"], traded.equity["equity"]
        sharpe = annual_sharpe(ts, equity)
        return Judged(
            name,
            float(equity[-1]),
            tail_mean(_by_minute(ts, equity), _TAIL),
            sharpe.value,
            sharpe.error,
            float((traded.equity["position"] != 0).mean()),
            float(traded.equity["fees"][-1]),
            len(traded.fills["ts"]),
            period_returns(ts, equity, *self._span),
        )


def _by_minute(ts: Int64s, equity: Float64s) -> Float64s:
    """Changes of equity over whole minutes from the first row on."""
    edges = np.arange(int(ts[0]), int(ts[-1]) + 1, _MINUTE)
    out: Float64s = np.diff(equity[np.searchsorted(ts, edges, side="right") - 1])
    return out
