"""Feature rows by column name, and what it means for two sets of them to agree."""

import math
from collections.abc import Sequence

import numpy as np

from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.fractal import REGIMES
from operators.row_batch import RowBatch, concat_rows
from operators.schema import feature_columns
from sources.tape.batch import TapeBatch

Columns = dict[str, list[object]]


def by_name(rows: RowBatch | None, config: FeatureConfig) -> Columns:
    """Each column as a Python list; no rows give empty lists."""
    out: Columns = {}
    for column in feature_columns(config):
        values = [] if rows is None else getattr(rows, column.array)[column.row].tolist()
        if column.type == "uint8":  # kept in int8
            values = [v & 255 for v in values]
        out[column.name] = [None if v < 0 else REGIMES[v] for v in values] if column.type == "word" else values
    return out


def run(
    batches: Sequence[TapeBatch], config: FeatureConfig, *, full_depth: bool = False, cut_levels: int = 0
) -> RowBatch | None:
    """All feature rows of a tape handed over in these batches."""
    engine = FeatureEngine(config, full_depth=full_depth)
    return concat_rows([rows for batch in batches if (rows := engine.process(batch, cut_levels)) is not None])


def same_bits(a: RowBatch | None, b: RowBatch | None) -> bool:
    """Whether two sets of rows agree in every bit, the sign of zero included; all NaN are one."""
    if a is None or b is None:
        return a is b
    return all(_bits(x, y) for x, y in zip(a, b, strict=True))


def _bits(x: np.ndarray, y: np.ndarray) -> bool:
    if x.dtype != np.float64:
        return np.array_equal(x, y)
    if x.shape != y.shape:
        return False
    return bool(np.all((x.view(np.int64) == y.view(np.int64)) | (np.isnan(x) & np.isnan(y))))


# Columns whose kernel adds in another order than the oracle's exact arithmetic: relative and absolute difference.
# Every other column is equal to the last bit.
TOLERANCE = {
    "ofi_z_": (1e-11, 1e-12),
    "price_ffd": (1e-13, 1e-13),
    "volume_ffd": (1e-13, 1e-13),
    "fdi": (1e-14, 0.0),
    "volatility": (1e-13, 0.0),
    "funding_in": (1e-15, 1e-15),
    "integrated_ofi": (1e-9, 1e-9),
}


def agree(got: Columns, want: Columns) -> None:
    """Assert that ``got`` is what the oracle wants, to the last bit but for the columns in `TOLERANCE`."""
    assert list(got) == list(want)
    for name, column in want.items():
        assert len(got[name]) == len(column), name
        relative, absolute = next((t for prefix, t in TOLERANCE.items() if name.startswith(prefix)), (0.0, 0.0))
        for i, (a, b) in enumerate(zip(got[name], column, strict=True)):
            if name == "regime" and _near_neutral(want["fdi"][i], got["fdi"][i]):
                continue
            assert _close(a, b, relative, absolute), f"{name}[{i}]: {a!r}, the oracle has {b!r}"


def _close(a: object, b: object, relative: float, absolute: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=relative, abs_tol=absolute)
    return a == b


def _near_neutral(want: object, got: object) -> bool:
    """At 1.5 exactly the rounding of the estimate decides the word; a flat window is exact in both."""
    return isinstance(want, float) and isinstance(got, float) and want != got and abs(want - 1.5) < 1e-9
