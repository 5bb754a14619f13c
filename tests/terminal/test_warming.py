"""The countdown ends when the engine says that it is warm, and is right on the way there."""

import numpy as np
import pytest

from operators.config import MS, SECOND, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.schema import SINCE_RESTART, column_row
from sources.tape.batch import DELTA, SNAPSHOT, tape_batch
from window.terminal.warming import Warming

SHORT = (("100ms", 100 * MS), ("1s", SECOND))


def quotes(seconds: float) -> object:
    """A book that changes every 20 ms, from 37 ms past a second on."""
    n = int(seconds * 50)
    times = np.repeat(1_767_571_200 * SECOND + 37 * MS + np.arange(n) * 20 * MS, 2)
    price = np.tile([100.0, 101.0], n)
    columns = {"ordinal": range(2 * n), "sequence": np.repeat(range(n), 2), "last": np.tile([False, True], n)}
    kind = np.where(np.arange(2 * n) < 2, SNAPSHOT, DELTA)
    size = 1.0 + np.arange(2 * n) % 7
    return tape_batch(
        exchange_ts=times, receive_ts=times, kind=kind, side=np.tile([1, -1], n), price=price, size=size, **columns
    )


@pytest.mark.parametrize(
    "config",
    [
        FeatureConfig(windows=SHORT, zscore_window=30, ffd_threshold=1e-2, fdi_window=5, volatility_window=20),
        FeatureConfig(windows=SHORT, zscore_window=3, ffd_threshold=1e-2, fdi_window=6, volatility_window=5),
        FeatureConfig(windows=(("4s", 4 * SECOND),), zscore_window=3, ffd_threshold=0.1, fdi_window=3),
        FeatureConfig(windows=SHORT, zscore_window=45, ffd_threshold=1e-2, fdi_window=3, integrated_ofi=2),
        FeatureConfig(windows=SHORT, zscore_window=3, ffd_threshold=1e-3, fdi_window=3, volatility_window=150),
    ],
    ids=["z", "fdi", "window", "integrated", "volatility"],
)
def test_what_is_left_is_how_long_it_takes(config: FeatureConfig) -> None:
    rows = FeatureEngine(config, full_depth=True).process(quotes(20))
    assert rows is not None
    warming = Warming(config)
    warm = rows.code[column_row(config, "warm")].astype(np.int64) % 256
    first = int(np.argmax(warm & warming.wanted == warming.wanted))
    assert 0 < first < rows.rows - 1
    ts = rows.integer[0] / MS
    left = [warming.left(warm[r], rows.integer[SINCE_RESTART, r], ts[r]) for r in range(rows.rows)]
    assert [item.ms for item in left[first:]] == [0.0] * (rows.rows - first)
    assert [item.ms for item in left[:first]] == pytest.approx((ts[first] - ts[:first]).tolist())


def test_without_a_step_it_is_told_in_rows() -> None:
    config = FeatureConfig(sampling_ns=0, windows=SHORT, zscore_window=40, ffd_threshold=1e-1, fdi_window=70)
    rows = FeatureEngine(config, full_depth=True).process(quotes(10))
    assert rows is not None
    warming = Warming(config)
    warm = rows.code[column_row(config, "warm")].astype(np.int64) % 256
    first = int(np.argmax(warm & warming.wanted == warming.wanted))
    left = [warming.left(warm[r], rows.integer[SINCE_RESTART, r], 0.0) for r in range(rows.rows)]
    assert [item.rows for item in left[:first]] == list(range(first, 0, -1))
    assert {tuple(item) for item in left[first:]} == {(0.0, 0)}
    assert warming.words(warm[0], 0, 0.0) == f"warm in {first:,} rows"


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert Warming(FeatureConfig()).words(np.nan, np.nan, np.nan) == ""
