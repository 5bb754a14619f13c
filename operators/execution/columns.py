"""The numbers that a strategy, or a rule, may look at when it decides: of features, and of forecasts beside them."""

from collections.abc import Sequence

from operators.config import FeatureConfig
from operators.models.predictions import FORECAST
from operators.schema import feature_columns


def decision_columns(config: FeatureConfig, forecasts: Sequence[str] = ()) -> dict[str, int]:
    """Row of the array ``value`` of every number that a decision may look at: those of the features, then forecasts.

    Args:
        forecasts: names of the columns that a model adds (`operators.models.predictions.forecast_columns`).
    """
    numbers = [column.name for column in feature_columns(config) if column.array == "value"]
    return {name: row for row, name in enumerate((*numbers, *forecasts))}


def chosen_rows(names: Sequence[str], config: FeatureConfig, forecasts: Sequence[str] = ()) -> list[int]:
    """Rows of the array ``value`` of the columns that a strategy asks for.

    Args:
        names: of the columns.
        forecasts: as of `decision_columns`.

    Raises:
        ValueError: it asks for a column that there is not, or one that is no number.
    """
    rows = decision_columns(config, forecasts)
    for name in names:
        if name not in rows:
            raise ValueError(f"the strategy asks for {name!r}, {_lacking(name, forecasts)}")
    return [rows[name] for name in names]


def _lacking(name: str, forecasts: Sequence[str]) -> str:
    if not name.startswith(FORECAST):
        return "which is no column of numbers of these features"
    if not forecasts:
        return "and no model foretells: name one with predict.model"
    medians = [other for other in forecasts if other.startswith(f"{FORECAST}q50_")]
    return f"which the model does not foretell; it has {', '.join(medians)} and what belongs to them"
