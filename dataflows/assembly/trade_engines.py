"""The trade engine of each instrument: of a backtest, of each of many, and of paper trading."""

from collections.abc import Callable, Iterable, Mapping

from dataflows.assembly.consulted_rules import ConsultedRules
from dataflows.assembly.forecasting import asked_for
from dataflows.assembly.latencies import measured_latencies
from dataflows.assembly.placing import Placing
from dataflows.assembly.trading import execution_config, strategy_factory
from dataflows.assembly.trained_strategies import check_forecasts
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.execution.columns import chosen_rows, decision_columns
from operators.execution.grid import Grid
from operators.execution.schedule import Schedule
from operators.trade_engine import TradeEngine
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.names import FIXED_DEPTH


class TradeEngines:
    """Makes trade engines, as the settings ask for them.

    Attributes:
        make_strategy: gives a new one.
        forecasting: the model that they may ask; None: there is none, or nobody asks.
        rules: that strategies are held by.
        placing: how their market orders are worked.
    """

    def __init__(
        self,
        settings: Settings,
        own: Callable[[Instrument], FeatureConfig],
        schedules: Mapping[Instrument, Schedule] | None = None,
        venues: Iterable[str] = (),
        tell: Callable[[str], None] = say,
    ) -> None:
        """Args:
        own: the features' configuration of an instrument.
        schedules: orders that are given beforehand; None: a strategy decides.
        venues: whose execution is checked here, and not at the first engine.
        tell: told in lines what is to be known of the model.

        Raises:
            TickwaxError: there is no such strategy, a parameter is wrong, or latencies, rules or a model cannot be
                read.
        """
        self._settings, self._own, self._schedules = settings, own, schedules
        self.make_strategy = strategy_factory(settings)
        config, strategy = settings.feature_config(), self.make_strategy()
        self.forecasting = asked_for(settings, strategy, config, tell)
        forecasts = () if self.forecasting is None else self.forecasting.columns
        if strategy is not None:
            try:
                chosen_rows(strategy.columns, config, forecasts)
            except (AttributeError, TypeError, ValueError) as e:
                raise TickwaxError(f"strategy.name: {settings.strategy.name}: {e}") from None
        check_forecasts(strategy, None if self.forecasting is None else self.forecasting.card.identity)
        self.rules = ConsultedRules(settings, decision_columns(config, forecasts))
        self.placing = Placing(settings, config)
        self._latency = measured_latencies(settings)
        for venue in venues:
            execution_config(settings, venue)

    @property
    def identity(self) -> dict[str, str]:
        """What rules, placement and a model add to the settings that decide a value."""
        model = {} if self.forecasting is None else {"predict.model": self.forecasting.card.identity}
        return {**self.rules.identity, **self.placing.identity, **model}

    def make(self, instrument: Instrument, grid: Grid, *, trades: bool = True, with_books: bool = False) -> TradeEngine:
        """The engine of an instrument.

        Args:
            trades: False: it has features alone, since nobody decides.
            with_books: as of `FeatureEngine`.

        Raises:
            TickwaxError: the file of latencies, or the model of placement, lacks the instrument.
        """
        schedules = self._schedules
        return TradeEngine(
            self._own(instrument),
            execution_config(self._settings, instrument.venue),
            grid,
            strategy=self.make_strategy() if trades else None,
            schedule=None if schedules is None else schedules.get(instrument, Schedule.empty()),
            latency=self._latency(instrument),
            full_depth=instrument.venue in FIXED_DEPTH,
            with_books=with_books,
            rules=self.rules.table(instrument),
            forecasts=self.forecasting.make(instrument) if self.forecasting is not None and trades else None,
            placement=self.placing.of(instrument, grid) if trades else None,
            name=str(instrument),
        )
