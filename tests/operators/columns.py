"""Feature rows by column name, and what it means for two sets of them to agree."""

import math
from collections.abc import Sequence

import numpy as np

from operators.config import FeatureConfig
from operators.features import FeatureEngine, FeatureRows, concat_rows
from operators.fractal import REGIMES
from operators.schema import feature_columns
from sources.events import TapeBatch

Columns = dict[str, list[object]]


def by_name(rows: FeatureRows | None, config: FeatureConfig) -> Columns:
    """Each column as a Python list; no rows give empty lists."""
    out: Columns = {}
    for column in feature_columns(config):
        values = [] if rows is None else getattr(rows, column.array)[column.row].tolist()
        out[column.name] = [None if v < 0 else REGIMES[v] for v in values] if column.type == "regime" else values
    return out


def run(batches: Sequence[TapeBatch], config: FeatureConfig, *, full_depth: bool = False) -> FeatureRows | None:
    """All feature rows of a tape handed over in these batches."""
    engine = FeatureEngine(config, full_depth=full_depth)
    return concat_rows([rows for batch in batches if (rows := engine.process(batch)) is not None])


def same_bits(a: FeatureRows | None, b: FeatureRows | None) -> bool:
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


def agree(got: Columns, want: Columns, tolerance: float = 1e-9) -> None:
    """Assert that ``got`` is what the oracle wants: exact where numbers are exact, else within ``tolerance``."""
    assert list(got) == list(want)
    for name, column in want.items():
        assert len(got[name]) == len(column), name
        for i, (a, b) in enumerate(zip(got[name], column, strict=True)):
            if name == "regime" and _near_neutral(want["fdi"][i], got["fdi"][i]):
                continue
            assert _close(a, b, tolerance), f"{name}[{i}]: {a!r}, the oracle has {b!r}"


def _close(a: object, b: object, tolerance: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-12)
    return a == b


def _near_neutral(want: object, got: object) -> bool:
    """At 1.5 exactly the rounding of the estimate decides the word; a flat window is exact in both."""
    return isinstance(want, float) and isinstance(got, float) and want != got and abs(want - 1.5) < 1e-9
