"""Paper trading: the live dataflow with the simulated exchange in it. No order leaves the machine."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path

import bytewax.operators as op
from bytewax.operators import KeyedStream

from dataflows.assembly.engines import own_config
from dataflows.assembly.forecasting import Forecasting
from dataflows.assembly.grids import listed_grids, named_grids, read_grids, write_grids
from dataflows.assembly.listings import list_venues
from dataflows.assembly.live_config import live_config
from dataflows.assembly.paper_past import PaperPast
from dataflows.assembly.trade_engines import TradeEngines
from dataflows.assembly.trading import in_words, trading_identity
from dataflows.assembly.trained_strategies import check_instruments
from dataflows.runtime.exit_codes import say
from dataflows.runtime.kernels import ready_trading
from dataflows.runtime.live_run import Live
from dataflows.runtime.trade_metrics import TradeMeter
from dataflows.settings.model import Settings
from operators.execution.grid import Grid
from operators.execution.schemas import SCHEMAS
from operators.models.forecasts_ahead import Said
from operators.placement.log import PLACEMENTS
from operators.predict_step import Foretelling
from operators.row_batch import RowBatch, RowSchema
from operators.rules.schemas import APPLIED
from operators.schema import value_count
from operators.trade_engine import Traded, TradeEngine
from operators.trade_step import trade
from sinks.identity import Identity
from sinks.live_sink import LiveSink
from sinks.parts_sink import PartsSink
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.telemetry import Telemetry
from sources.tape.batch import InstrumentBatch, TapeBatch

GRIDS = "grids.toml"  # in the folder of a paper run


class PaperTrading:
    """What takes the place of the features' step in a live run: features, and trading on them.

    An account goes on where it was left: it is what a replay of its tape gives, so at the start its tape is replayed.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry, mine: Callable[[Instrument], bool]) -> None:
        """Ask the exchanges for the grids that are not known.

        Args:
            mine: whether this process trades an instrument.

        Raises:
            TickwaxError: there is no strategy, one of its parameters is wrong, or an exchange does not answer.
        """
        if not settings.strategy.name:
            raise TickwaxError("strategy.name: empty; paper trading needs a strategy")
        self._settings = settings
        self._config = settings.feature_config()
        self._engines = TradeEngines(settings, own_config(settings, self._config))
        check_instruments(self._engines.make_strategy(), settings.live_symbols())
        self._root = settings.paper.path
        self._telemetry = telemetry
        self._grids = self._known_grids()
        self._engines.placing.check(self._grids)
        placed = (PLACEMENTS,) if self._engines.placing.on else ()
        self._schemas = (*SCHEMAS, *placed, *((APPLIED,) if self._engines.rules.on else ()))
        self._engines.placing.tell()
        self._past = PaperPast(self._root, self._make, mine, self._schemas)

    def ready(self) -> None:
        """Compile the kernels and the strategy before frames come."""
        ready_trading(engine=self._engine(*next(iter(self._grids.items()), (Instrument("", ""), None))))
        if self._engines.forecasting is not None:
            self._engines.forecasting.ready()

    def data_sets(self) -> list[tuple[Path, RowSchema, Identity]]:
        """Folders of what is traded, with what their files say of themselves."""
        asked = self._settings, self._config, self._grids, None, self._engines.identity
        return [(self._root / s.name, s, trading_identity(s.name, *asked)) for s in self._schemas]

    def take_up(self, tape: Path | None) -> None:
        """Bring every account of former runs to the end of the tape; for when all data sets are locked and recovered.

        Raises:
            TickwaxError: the tape and the data sets do not belong together.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        write_grids(self._root / GRIDS, self._grids)
        self._past.take_up(tape)

    def step(
        self, up: KeyedStream[InstrumentBatch], lead: Callable[[Instrument], list[TapeBatch]], live: Live
    ) -> KeyedStream[Traded]:
        """The step of the dataflow; ``lead``: rows that the features must have seen before an instrument's first."""

        def make(instrument: Instrument) -> TradeEngine:
            engine = self._past.engine(instrument)
            if engine is None:
                engine = self._make(instrument)
                for rows in lead(instrument):
                    engine.lead(rows)
            live.engines[instrument] = engine
            return engine

        def failed(error: Exception) -> None:
            live.fail(in_words(error, self._settings), 1)

        past = self._past
        return trade("trade", up, make, first_row=past.begin, past=past.unwritten, on_end=past.end, on_error=failed)

    def features(self, traded: KeyedStream[Traded]) -> KeyedStream[RowBatch]:
        """The rows of the features, without forecasts."""
        return op.filter_map("feature_rows", traded, partial(_features_of, value_count(self._config)))

    @property
    def forecasting(self) -> Forecasting | None:
        """The model that the strategy sees; None if it sees none."""
        return self._engines.forecasting

    def predictions(
        self,
        traded: KeyedStream[Traded],
        forecasting: Forecasting,
        live: Live,
        on_error: Callable[[Exception], None],
    ) -> KeyedStream[RowBatch]:
        """The data set of forecasts: those that the strategies saw, and computed ones where a strategy sees none."""

        def make(instrument: Instrument) -> Foretelling:
            engine = live.engines[instrument]
            if not isinstance(engine, TradeEngine) or engine.forecasts is None:
                return forecasting.watched(instrument)
            watched = engine.forecasts.predictor = forecasting.watched(instrument, engine.forecasts.predictor)
            return Said(watched)

        return forecasting.step(
            op.filter_map("foretold_rows", traded, partial(_features_of, None)), make=make, on_error=on_error
        )

    def sink(self, sinks: Mapping[str, LiveSink[RowBatch]], live: Live) -> PartsSink[Traded]:
        """Where all that is traded goes, and is told to the metrics.

        Args:
            sinks: by data set.
        """
        meters: dict[str, tuple[TradeMeter, Callable[[], int]]] = {}

        def tell(name: str, traded: Traded) -> None:
            if name not in meters:
                engine = live.engines[Instrument.parse(name)]
                assert isinstance(engine, TradeEngine)
                meters[name] = TradeMeter(name), engine.open_orders
            meter, open_orders = meters[name]
            meter.tell(traded, open_orders)

        return PartsSink(sinks, tell)

    def _make(self, instrument: Instrument) -> TradeEngine:
        return self._engine(instrument, self._grids.get(instrument) or self._latecomer(instrument))

    def _engine(self, instrument: Instrument, grid: Grid | None) -> TradeEngine:
        any_grid = Grid(Fraction(1), Fraction(1))
        with_books = self._settings.books.path is not None or self._settings.ui.on
        return self._engines.make(instrument, grid or any_grid, trades=grid is not None, with_books=with_books)

    def _known_grids(self) -> dict[Instrument, Grid]:
        named, wanted = named_grids(self._settings), self._settings.live_symbols()
        grids = (read_grids(path) if (path := self._root / GRIDS).exists() else {}) | named
        lacking = {i.venue for i in wanted if i.symbol == "*" or i not in grids}
        found = listed_grids(list_venues(sorted(lacking), live_config(self._settings), self._telemetry))
        chosen = {i for i in found if i in wanted or Instrument(i.venue, "*") in wanted}
        grids = {i: found[i] for i in chosen} | grids
        for instrument in sorted(chosen):
            if grids[instrument] != found[instrument]:
                say(f"{instrument}: the exchange has {found[instrument]}; the account goes on with {grids[instrument]}")
        for instrument in wanted:
            if instrument.symbol != "*" and instrument not in grids:
                raise TickwaxError(f"execution.grids: {instrument}: the exchange tells no tick and lot; name them")
        return grids

    def _latecomer(self, instrument: Instrument) -> Grid | None:
        """The grid of an instrument that was listed after the start; None, which is told, if there is none."""
        try:
            listings = list_venues([instrument.venue], live_config(self._settings), self._telemetry)
        except TickwaxError as e:
            say(f"{instrument}: not traded in this run, since its grid is not known: {e}")
            return None
        grid = listed_grids(listings).get(instrument)
        if grid is None:
            say(f"{instrument}: not traded in this run, since the exchange tells no tick and lot")
            return None
        self._grids[instrument] = grid
        write_grids(self._root / GRIDS, self._grids)
        return grid


def _features_of(values: int | None, item: tuple[str, Traded]) -> tuple[str, RowBatch] | None:
    rows = item[1].features
    if not rows.rows:
        return None
    return item[0], rows if values is None or len(rows.value) <= values else rows._replace(value=rows.value[:values])
