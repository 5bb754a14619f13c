"""What every column of the features means."""

from typing import Any, Unpack

import pyarrow as pa

from operators.dictionary import entries
from tickwax._arguments import FeatureArguments, as_settings
from tickwax._frames import As, as_frame, check_form


def features_dictionary(*, as_: As = "arrow", sampling: str = "100ms", **features: Unpack[FeatureArguments]) -> Any:
    """Describe every column of a replay with these settings, in the order of the data set.

        >>> import tickwax as tw
        >>> table = tw.features_dictionary(windows=["1s"], depths=[1, 5])
        >>> [row["unit"] for row in table.to_pylist() if row["column"] == "ofi_z_l5_1s"]
        ['standard deviations']

    Args:
        as_: form of the table: ``arrow``, ``polars`` or ``pandas``.
        sampling, features: as of `replay`.

    Returns:
        One row a column: ``column``, ``type``, and what `operators.dictionary` says of it: ``unit``, ``definition``,
        ``formula``, what it ``reads``, when it is ``unknown``, its bits of ``warm``, and its ``section`` of
        docs/features.md.

    Raises:
        ValueError: an argument is unknown or out of range.
        ImportError: ``as_`` names a library that is not installed.
    """
    check_form(as_)
    config = as_settings({"features.sampling": sampling}, features).feature_config()
    rows = [
        {"column": entry.name, "type": entry.type, **entry.description._asdict()}
        for entry in entries(config)
        if entry.data_set == "features"
    ]
    return as_frame(pa.Table.from_pylist(rows), as_)
