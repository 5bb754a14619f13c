"""A model that a run foretells with: read, held against the run's features, and its step in the dataflow."""

from collections.abc import Callable
from dataclasses import dataclass

import bytewax.operators as op
import numpy as np
from bytewax.operators import KeyedStream

from dataflows.assembly.identities import identity_of
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.identity import feature_settings
from operators.models.kinds import served
from operators.models.predictions import Predictor, prediction_schema
from operators.models.served import ServedModel
from operators.predict_step import predict
from operators.row_batch import RowBatch, RowSchema, nan_as_null
from operators.schema import array_rows
from sinks.identity import Identity, difference
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import Card, read_model
from sources.placement import plain

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
        self, rows: KeyedStream[RowBatch], *, keeps: bool = False, on_error: Callable[[Exception], None]
    ) -> KeyedStream[RowBatch]:
        """The predictions of all feature rows, keyed as they are.

        Args:
            keeps: as of `predict`.
        """
        return predict(PREDICTIONS, rows, self.make, keeps=keeps, on_error=on_error)


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
    _check_settings(folder.card, config, features, tell)
    model = served(folder, "predict.model")
    try:
        Predictor(model, config, Instrument("any", "ANY"))
    except ValueError as e:
        raise TickwaxError(f"predict.model: {path}: {e}") from None
    schema = prediction_schema(model.head)
    if settings.features.unknown == "null":
        schema = nan_as_null(schema)
    return Forecasting(model, folder.card, config, schema)


def _check_settings(card: Card, config: FeatureConfig, features: Identity, tell: Callable[[str], None]) -> None:
    if other := difference(card.features, feature_settings(config), frozenset()):
        raise TickwaxError(
            f"predict.model: was trained on other features: {other.setting} was {other.there}, and is {other.here}"
        )
    for name in card.instruments:
        trained = {key: value for key, value in card.own.get(name, {}).items() if key.startswith(_OWN)}
        if other := difference(trained, features.own.get(name, {}), frozenset()):
            raise TickwaxError(
                f"predict.model: was trained on other features of {name}: {other.setting} was {other.there}, "
                f"and is {other.here}"
            )
    if card.planted:
        tell("predict.model: PLANTED: it was trained on a synthetic market, whose edge somebody put there")


def keyed_plainly(step: str, rows: KeyedStream[RowBatch]) -> KeyedStream[RowBatch]:
    """Rows keyed by instrument alone."""
    return op.map(step, rows, lambda item: (plain(item[0]), item[1]))
