"""The data sets that the settings ask for."""

from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.row_batch import RowSchema, nan_as_null
from operators.schema import book_schema, feature_schema


def features_of(settings: Settings, config: FeatureConfig) -> RowSchema:
    """The features; with ``features.unknown`` = ``null`` no number in it is NaN."""
    return _unknown(settings, feature_schema(config))


def books_of(settings: Settings, config: FeatureConfig) -> RowSchema:
    """The books, likewise."""
    return _unknown(settings, book_schema(config))


def _unknown(settings: Settings, schema: RowSchema) -> RowSchema:
    return nan_as_null(schema) if settings.features.unknown == "null" else schema
