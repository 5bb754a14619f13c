"""The Parquet data sets that a replay writes."""

from collections.abc import Callable, Iterator
from pathlib import Path

from dataflows.assembly.forecasting import PREDICTIONS, Forecasting
from dataflows.assembly.identities import Edges, identity_of, same_columns
from dataflows.assembly.schemas import books_of, features_of
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.row_batch import RowSchema
from sinks.identity import Identity, check_folder
from sinks.lock import check_writable, only_writer
from sinks.resumable_sink import already_there, begun
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.store.path import StorePath
from sources.tape.layout import data_files, journal_files


def switched_on(
    settings: Settings, config: FeatureConfig, forecasting: Forecasting | None
) -> list[tuple[Path, RowSchema, str]]:
    """Of each data set that is switched on: folder, schema, and the setting of the folder."""
    every = [
        (settings.features.path, features_of(settings, config), "features.path"),
        (settings.books.path, books_of(settings, config), "books.path"),
    ]
    if forecasting is not None:
        every.append((settings.predict.path, forecasting.schema, "predict.path"))
    return [(path, schema, key) for path, schema, key in every if path is not None]


def marks_of(
    name: str, settings: Settings, config: FeatureConfig, forecasting: Forecasting | None, edges: Edges | None = None
) -> Identity:
    """What the files of a data set say of themselves."""
    if forecasting is None or name != PREDICTIONS:
        return identity_of(name, settings, config, edges or {})
    features = identity_of("features", settings, config, edges or {})
    return Identity(PREDICTIONS, {**features.settings, "predict.model": forecasting.card.identity}, features.own)


def wanted_data_sets(
    settings: Settings,
    config: FeatureConfig,
    chosen: list[Instrument],
    resumable: bool,
    tell: Callable[[str], None],
    edges: Edges,
    forecasting: Forecasting | None = None,
) -> Iterator[tuple[Path, RowSchema, Identity]]:
    """The Parquet data sets that are switched on: folder, schema, what their files say of themselves.

    Args:
        edges: as of `edges_of`.

    Raises:
        TickwaxError: one is no folder, cannot be written to, or holds rows of an instrument already and may not be
            overwritten.
    """
    for path, schema, key in switched_on(settings, config, forecasting):
        name = schema.name
        if resumable and isinstance(path, StorePath):
            raise TickwaxError(f"{key}: {path}: a replay with --recovery writes to folders of this machine only")
        if path.exists() and not path.is_dir():
            raise TickwaxError(f"{key}: {path} is not a folder")
        check_target(path, name, key)
        check_writable(path)
        if path.is_dir() and journal_files(path):
            with only_writer(path, tell):
                pass  # what a killed live run left is there already, too
        there = next((i for i in chosen if data_files(path, i)), None)
        # A resumable run that has begun may have put them there: its partitions know.
        if there and not settings.features.overwrite and not (resumable and begun(path)):
            raise TickwaxError(f"{key}: {already_there(path, there)}")
        same_columns(path, schema, chosen)
        marks = marks_of(name, settings, config, forecasting, edges)
        check_folder(path, marks, set(chosen), appended=False)
        yield path, schema, marks
