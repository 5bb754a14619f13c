"""What data sets say of themselves, and which folders may be written to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dataflows.assembly.fractional_orders import read_fractional_orders
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.identity import book_settings, feature_settings
from operators.row_batch import RowSchema
from sinks.identity import Identity
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import read_schema
from sources.tape.layout import data_files, instruments
from sources.tape.reader import TapeReader
from sources.tape.schema import EDGE


def own_fractional_orders(settings: Settings, config: FeatureConfig) -> dict[Instrument, dict[str, float]]:
    """Fractional orders by instrument and series, from the file if one is named.

    Raises:
        TickwaxError: it cannot be read, or was made from other samples.
    """
    return read_fractional_orders(settings.features.d_file, config) if settings.features.d_file else {}


Edges = Mapping[str, Mapping[str, str]]  # by instrument, as `Identity.own` has it


def edges_of(readers: Sequence[TapeReader]) -> dict[str, dict[str, str]]:
    """Of the tapes of synthetic markets, how predictable they were made: what is computed from them says so, too."""
    return {str(reader.instrument): {EDGE: reader.edge} for reader in readers if reader.edge}


def identity_of(name: str, settings: Settings, config: FeatureConfig, edges: Edges | None = None) -> Identity:
    """What the files of a data set say of themselves: ``features`` or ``books``.

    Args:
        edges: as of `edges_of`; None: of no tape.

    Raises:
        TickwaxError: as `own_fractional_orders`.
    """
    edges = edges or {}
    unknown = {} if settings.features.unknown == "nan" else {"features.unknown": settings.features.unknown}
    if name == "books":
        return Identity(name, book_settings(config) | unknown, edges)
    own = {
        str(instrument): {f"features.d_file.{series}_d": str(float(d)) for series, d in orders.items()}
        for instrument, orders in own_fractional_orders(settings, config).items()
    }
    own = {name: {**own.get(name, {}), **edges.get(name, {})} for name in {**own, **edges}}
    return Identity(name, feature_settings(config) | unknown, own)


def same_columns(path: Path, schema: RowSchema, chosen: list[Instrument]) -> None:
    """Refuse a folder whose other instruments have other columns: nobody could read it as one data set."""
    wanted = [column.name for column in schema.columns]
    ours = set(chosen)
    for instrument in instruments(path):
        if instrument not in ours:
            file = data_files(path, instrument)[0]
            odd = set(read_schema(file).names).symmetric_difference(wanted)
            if odd:
                raise TickwaxError(
                    f"{schema.name}.path: {file} was written with other settings: {min(odd)} is in one of them only"
                )
            return
