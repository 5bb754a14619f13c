"""The trade engine of each instrument: of a backtest, of each of many, and of paper trading."""

from collections.abc import Callable, Iterable, Mapping

from dataflows.assembly.consulted_rules import ConsultedRules
from dataflows.assembly.latencies import measured_latencies
from dataflows.assembly.trading import execution_config, strategy_factory
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.execution.grid import Grid
from operators.execution.schedule import Schedule
from operators.trade_engine import TradeEngine
from sources.instrument import Instrument
from sources.venues.names import FIXED_DEPTH


class TradeEngines:
    """Makes trade engines, as the settings ask for them.

    Attributes:
        make_strategy: gives a new one.
        rules: that strategies are held by.
    """

    def __init__(
        self,
        settings: Settings,
        own: Callable[[Instrument], FeatureConfig],
        schedules: Mapping[Instrument, Schedule] | None = None,
        venues: Iterable[str] = (),
    ) -> None:
        """Args:
        own: the features' configuration of an instrument.
        schedules: orders that are given beforehand; None: a strategy decides.
        venues: whose execution is checked here, and not at the first engine.

        Raises:
            TickwaxError: there is no such strategy, a parameter is wrong, or latencies or rules cannot be read.
        """
        self._settings, self._own, self._schedules = settings, own, schedules
        self.make_strategy = strategy_factory(settings)
        self.rules = ConsultedRules(settings, settings.feature_config())
        self._latency = measured_latencies(settings)
        for venue in venues:
            execution_config(settings, venue)

    def make(self, instrument: Instrument, grid: Grid, *, trades: bool = True, with_books: bool = False) -> TradeEngine:
        """The engine of an instrument.

        Args:
            trades: False: it has features alone, since nobody decides.
            with_books: as of `FeatureEngine`.

        Raises:
            TickwaxError: the file of latencies lacks the instrument.
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
        )
