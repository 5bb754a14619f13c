"""Imbalances in [−1, 1]: by hand, within their bounds, and without a trace in any other column."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from operators.config import FeatureConfig
from operators.identity import feature_settings
from operators.schema import feature_columns
from sources.tape.batch import TapeBatch
from tests import strategies
from tests.operators.columns import by_name, run
from tests.oracle.features import features
from tests.oracle.script import Script

CONFIG = FeatureConfig(
    sampling_ns=10, windows=(("20ns", 20),), depths=(1, 2), zscore_window=3, max_hold_ns=100, price_d=1.0, volume_d=0.0,
    fdi_window=3, fdi_interval_ns=20, volatility_window=2, normalised=True,
)  # fmt: skip


def tape() -> TapeBatch:
    """Rows at 10, 20, 30, 40 and 50: flows +2 and −1 at the best level, then two trades, then nothing."""
    script = Script().snapshot(5, [(99, 1), (98, 2)], [(101, 3), (102, 4)])
    script.delta(12, [(99, 3)]).delta(14, [(99, 2)]).trade(22, 1, 101, 3).trade(24, -1, 99, 1).trade(51, 1, 101, 1)
    return script.batch()


@pytest.mark.jit_off
@pytest.mark.parametrize("rows", [lambda: by_name(run([tape()], CONFIG), CONFIG), lambda: features(tape(), CONFIG)])
def test_by_hand(rows) -> None:
    found = rows()
    assert found["ts"] == [10, 20, 30, 40, 50]
    assert found["depth_imbalance_norm_l0"] == [(1 - 3) / 4, *[(2 - 3) / 5] * 4]
    assert found["depth_imbalance_norm_l2"] == [(3 - 7) / 10, *[(4 - 7) / 11] * 4]
    nan = pytest.approx(math.nan, nan_ok=True)
    assert found["ofi_norm_l0"] == [nan, (2 - 1) / 3, nan, nan, nan]
    assert found["ofi_norm_l0_20ns"] == [nan, 1 / 3, 1 / 3, nan, nan]  # (0, 20], (10, 30], (20, 40]
    assert found["trade_imbalance_norm_20ns"] == [nan, nan, (3 - 1) / 4, (3 - 1) / 4, nan]
    best, second = 1 / 2, 1 / 3  # weights: 1 % and 2 % off the mid of 100
    part, whole = 2 * best + 2 * second - 3 * best - 4 * second, 5 * best + 6 * second
    assert found["vw_ofi_norm"][1:] == pytest.approx([part / whole] * 4, rel=1e-15)


@given(strategies.cases())
def test_they_are_bounded_and_change_no_other_column(case: tuple[FeatureConfig, TapeBatch]) -> None:
    config, batch = case
    on, off = replace(config, normalised=True), replace(config, normalised=False)
    more, raw = run([batch], on), run([batch], off)
    names = [c.name for c in feature_columns(off)]
    assert [c.name for c in feature_columns(on) if "_norm" not in c.name] == names
    if raw is None or more is None:
        assert raw is more
        return
    bits = {c.name: getattr(more, c.array)[c.row] for c in feature_columns(on)}
    for column in feature_columns(off):
        assert bits[column.name].tobytes() == getattr(raw, column.array)[column.row].tobytes(), column.name
    for name, values in bits.items():
        if "_norm" in name:
            assert (np.isnan(values) | (np.abs(values) <= 1.0)).all(), name
            raw_values = bits[name.replace("_norm", "")]
            assert not (np.isnan(values) & (raw_values != 0.0)).any(), name


def test_settings_of_files_name_it_only_where_it_is_on() -> None:
    """So that files of before there was the setting are of the same settings."""
    assert "features.normalised" not in feature_settings(replace(CONFIG, normalised=False))
    assert feature_settings(CONFIG)["features.normalised"] == "True"
