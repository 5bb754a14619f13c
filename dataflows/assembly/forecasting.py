"""A model that a run foretells with: read, held against the run's features, and its step in the dataflow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bytewax.operators as op
import numpy as np
from bytewax.operators import KeyedStream

from dataflows.assembly.identities import identity_of
from dataflows.assembly.tapes import time_text
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.execution.strategy import CompiledStrategy, Strategy
from operators.identity import feature_settings
from operators.models.forecasts_ahead import Beside
from operators.models.kinds import served
from operators.models.predictions import FORECAST, Predictor, forecast_columns, prediction_schema
from operators.models.served import ServedModel
from operators.predict_step import Foretelling, predict
from operators.row_batch import RowBatch, RowSchema, nan_as_null
from operators.schema import array_rows
from sinks.identity import Identity, difference
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import Card, read_model
from sources.placement import plain
from sources.tape.reader import TapeReader

if TYPE_CHECKING:
    from dataflows.runtime.forecast_metrics import Watched

PREDICTIONS = "predictions"
_OWN = "features.d_file."


@dataclass(frozen=True)
class Forecasting:
    """A run's model.

    Attributes:
        schema: of the data set `predictions`.
    """

    model: ServedModel
    card: Card
    config: FeatureConfig
    schema: RowSchema

    @property
    def columns(self) -> tuple[str, ...]:
        """What strategies call the forecasts."""
        return forecast_columns(self.model.head)

    def make(self, instrument: Instrument) -> Predictor:
        """What foretells of one instrument."""
        return Predictor(self.model, self.config, instrument)

    def ready(self) -> None:
        """Compile the kernels."""
        integers, codes, values = array_rows(self.config)
        warm = RowBatch(
            np.zeros((integers, 1), np.int64), np.full((codes, 1), -1, np.int8), np.ones((values, 1)), np.empty((0, 0))
        )
        self.make(Instrument("any", "ANY")).process(warm)

    def step(
        self,
        rows: KeyedStream[RowBatch],
        *,
        keeps: bool = False,
        make: Callable[[Instrument], Foretelling] | None = None,
        on_error: Callable[[Exception], None],
    ) -> KeyedStream[RowBatch]:
        """The predictions of all feature rows, keyed as they are.

        Args:
            keeps: as of `predict`.
            make: of what foretells of an instrument, if it is not the model alone.
        """
        return predict(PREDICTIONS, rows, make or self.make, keeps=keeps, on_error=on_error)

    def watched(self, instrument: Instrument, predictor: Beside | None = None) -> "Watched":
        """What foretells of one instrument, and tells the metrics.

        Args:
            predictor: that does the work; None: a new one.
        """
        from dataflows.runtime.forecast_metrics import Watched  # Prometheus, which a replay need not import

        return Watched(predictor or self.make(instrument), str(instrument))


def forecasting_of(settings: Settings, config: FeatureConfig, tell: Callable[[str], None] = say) -> Forecasting | None:
    """The model that the settings name; None if they name none.

    Raises:
        TickwaxError: it cannot be read or served, or was trained on features with other settings.
    """
    path = settings.predict.model
    if path is None:
        return None
    folder = read_model(path, "predict.model")
    features = identity_of("features", settings, config)
    _check_settings(folder.card, path, config, features, tell)
    model = served(folder, "predict.model")
    try:
        Predictor(model, config, Instrument("any", "ANY"))
    except ValueError as e:
        raise TickwaxError(f"predict.model: {path}: {e}") from None
    schema = prediction_schema(model.head)
    if settings.features.unknown == "null":
        schema = nan_as_null(schema)
    return Forecasting(model, folder.card, config, schema)


def asked_for(
    settings: Settings,
    strategy: Strategy | CompiledStrategy | None,
    config: FeatureConfig,
    tell: Callable[[str], None] = say,
) -> Forecasting | None:
    """The model that a strategy, or rules, may ask; None if there is none, or nobody asks, which is told.

    Args:
        strategy: None: a schedule decides.

    Raises:
        TickwaxError: as `forecasting_of`.
    """
    if settings.predict.model is None:
        return None
    asks = any(name.startswith(FORECAST) for name in getattr(strategy, "columns", ()))
    if not asks and settings.rules.store is None:
        path = read_model(settings.predict.model, "predict.model").path
        who = "a schedule of orders" if strategy is None else settings.strategy.name
        tell(f"predict.model: {path} is not consulted, since {who} looks at no column that begins with {FORECAST}")
        return None
    return forecasting_of(settings, config, tell)


def refuse_in_sample(settings: Settings, forecasting: Forecasting | None, readers: Sequence[TapeReader]) -> None:
    """Refuse to trade on rows that a model was trained on, unless `predict.in_sample` says so.

    Raises:
        TickwaxError: that is so; tells from when on the model knows nothing.
    """
    if forecasting is None or settings.predict.in_sample:
        return
    until = forecasting.card.trained_until
    for reader in readers:
        first = next(reader.times(), None)
        if first is None or first.exchange_ts[0] >= until:
            continue
        begin = _first_after(reader, until)
        remedy = "no row of the tape is later" if begin is None else f"set replay.start = '{time_text(begin)}'"
        raise TickwaxError(
            f"predict.model: {settings.predict.model} was trained on what happened before {time_text(until)}, and "
            f"{reader.instrument} would be traded on from {time_text(int(first.exchange_ts[0]))} on: {remedy}, or "
            "predict.in_sample = true for an in-sample result, which is no evidence"
        )


def _first_after(reader: TapeReader, until: int) -> int | None:
    """``receive_ts`` of the first row of the range whose exchange time is ``until`` or later."""
    for batch in reader.times():
        late = batch.exchange_ts >= until
        if late.any():
            return int(batch.receive_ts[late.argmax()])
    return None


def _check_settings(
    card: Card, path: Path, config: FeatureConfig, features: Identity, tell: Callable[[str], None]
) -> None:
    if other := difference(card.features, feature_settings(config), frozenset()):
        raise TickwaxError(
            f"predict.model: {path} was trained on other features: {other.setting} was {other.there}, "
            f"and is {other.here}"
        )
    for name in card.instruments:
        trained = {key: value for key, value in card.own.get(name, {}).items() if key.startswith(_OWN)}
        if other := difference(trained, features.own.get(name, {}), frozenset()):
            raise TickwaxError(
                f"predict.model: {path} was trained on other features of {name}: {other.setting} was {other.there}, "
                f"and is {other.here}"
            )
    if card.planted:
        tell("predict.model: PLANTED: it was trained on a synthetic market, whose edge somebody put there")


def keyed_plainly(step: str, rows: KeyedStream[RowBatch]) -> KeyedStream[RowBatch]:
    """Rows keyed by instrument alone."""
    return op.map(step, rows, lambda item: (plain(item[0]), item[1]))
