"""What a perpetual has beside its book: by hand, after resets and holes, and through a snapshot of the state."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.identity import feature_settings
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, TapeBatch
from tests import strategies
from tests.operators.columns import agree, by_name, run, same_bits
from tests.oracle.features import features
from tests.oracle.script import Script

MS = 1_000_000
CONFIG = FeatureConfig(
    sampling_ns=10, windows=(("20ns", 20), ("10ns", 10)), depths=(1,), zscore_window=3, max_hold_ns=100, price_d=1.0,
    volume_d=0.0, fdi_window=3, fdi_interval_ns=20, volatility_window=2, derivatives=True,
)  # fmt: skip
NAN = pytest.approx(math.nan, nan_ok=True)
BOTH = pytest.mark.parametrize(
    "of",
    [lambda batch, config: by_name(run([batch], config), config), features],
    ids=["kernel", "oracle"],
)


def opened(ts: int = 5) -> Script:
    return Script().snapshot(ts, [(99, 1)], [(101, 3)])


@pytest.mark.jit_off
@BOTH
def test_by_hand(of) -> None:
    script = opened().row(1, MARK, 0, 101.0, 100.5).row(10**15, OPEN_INTEREST, 0, 0.0, 7.0)
    script.trade(12, 1, 101, 1).row(0, LIQUIDATION, -1, 99.0, 2.0).row(0, LIQUIDATION, 1, 99.0, 0.5)
    script.trade(25, 1, 101, 1).row(3, MARK, 0, 102.0, 0.0).row(3, FUNDING, 0, -1e-4, 8.0).trade(51, 1, 101, 1)
    found = of(script.batch(), CONFIG)
    assert found["ts"] == [10, 20, 30, 40, 50]
    assert found["ordinal"] == [1, 4, 7, 7, 7]  # that of the newest row of the market
    assert found["mark_price"] == [101.0, 101.0, 102.0, 102.0, 102.0]
    assert found["index_price"] == [100.5, 100.5, NAN, NAN, NAN]
    assert found["mark_basis"] == [1.01 - 1, 1.01 - 1, 1.02 - 1, 1.02 - 1, 1.02 - 1]
    assert found["funding_rate"] == [NAN, NAN, -1e-4, -1e-4, -1e-4]
    assert found["funding_in"] == pytest.approx(
        [math.nan] * 2 + [(9 * MS - ts) / 1e9 for ts in (30, 40, 50)], nan_ok=True
    )
    assert found["open_interest"] == [7.0] * 5
    # At the clock of 12, whatever their own time.
    assert found["liquidation_20ns"] == [0.0, -1.5, -1.5, 0.0, 0.0]  # (−10, 10], (0, 20], (10, 30], (20, 40], …
    assert found["liquidation_10ns"] == [0.0, -1.5, 0.0, 0.0, 0.0]


@BOTH
def test_a_row_of_an_update_knows_what_came_before_it(of) -> None:
    config = replace(CONFIG, sampling_ns=0)
    script = (
        opened().row(1, MARK, 0, 101.0, 100.5).delta(6, [(99, 2)]).row(1, MARK, 0, 103.0, 100.5).delta(7, [(99, 1)])
    )
    assert of(script.batch(), config)["mark_price"] == [NAN, 101.0, 103.0]


@BOTH
def test_a_reset_forgets(of) -> None:
    script = opened().row(1, MARK, 0, 101.0, 100.5).row(0, LIQUIDATION, -1, 99.0, 2.0).trade(11, 1, 101, 1).reset(11)
    script.row(0, LIQUIDATION, -1, 99.0, 4.0).row(1, FUNDING, 0, 1e-4, 8.0)  # no clock yet; known from the start
    script.snapshot(15, [(99, 1)], [(101, 3)]).trade(21, 1, 101, 1)
    found = of(script.batch(), CONFIG)
    assert found["ts"] == [10, 20]
    assert found["mark_price"] == [101.0, NAN]
    assert found["funding_rate"] == [NAN, 1e-4]
    assert found["liquidation_20ns"] == [-2.0, 0.0]


@BOTH
def test_a_hole_forgets_and_is_none_less_for_them(of) -> None:
    script = opened().row(1, MARK, 0, 101.0, 100.5).trade(11, 1, 101, 1).row(60, FUNDING, 0, 1e-4, 8.0)
    script.delta(112, [(99, 2)]).row(1, OPEN_INTEREST, 0, 0.0, 5.0).trade(121, 1, 101, 1)
    found = of(script.batch(), CONFIG)
    assert found["ts"] == [10, 120]
    assert found["mark_price"] == [101.0, NAN]
    assert found["funding_rate"] == [NAN, NAN]
    assert found["open_interest"] == [NAN, 5.0]


@BOTH
@pytest.mark.parametrize(("sequence", "seconds"), [(0, math.nan), (1, 0.0), (2**63 - 1, (2**63 - 1) / 1000)])
def test_time_to_the_next_funding(of, sequence: int, seconds: float) -> None:
    batch = opened(5 * MS).row(1, FUNDING, 0, 1e-4, 8.0).trade(5 * MS + 11, 1, 101, 1).batch()
    batch = batch._replace(sequence=np.where(batch.kind == FUNDING, sequence, batch.sequence))
    assert of(batch, CONFIG)["funding_in"][0] == pytest.approx(seconds, rel=1e-15, nan_ok=True)


@given(st.data())
def test_they_are_those_of_the_definition_for_every_split(data: st.DataObject) -> None:
    config, tape = data.draw(strategies.cases(max_messages=25))
    config = replace(config, derivatives=True)
    mixed = data.draw(strategies.with_derivatives(tape))
    rows = run([mixed], config)
    agree(by_name(rows, config), features(mixed, config))
    assert same_bits(rows, run(strategies.split(mixed, data.draw(strategies.splits(mixed.rows))), config))


@given(st.data())
def test_a_snapshot_of_the_state_goes_on_with_the_same_bits(data: st.DataObject) -> None:
    config, tape = data.draw(strategies.cases(max_messages=25))
    config = replace(config, derivatives=True)
    mixed = data.draw(strategies.with_derivatives(tape))
    cut = data.draw(st.integers(0, mixed.rows))
    first, second = FeatureEngine(config), FeatureEngine(config)
    whole = run([mixed], config)
    parts: list[object] = list(first.parts(mixed.slice(0, cut)))
    second.resume(b"".join(first.snapshot_parts()))
    parts += second.parts(mixed.slice(cut, mixed.rows))
    assert sum(part.rows for part in parts) == (whole.rows if whole else 0)  # type: ignore[attr-defined]
    if whole is not None:
        value = np.concatenate([part.value for part in parts], axis=1)  # type: ignore[attr-defined]
        assert np.array_equal(value, whole.value, equal_nan=True)


def test_many_liquidations_find_room() -> None:
    """More clocks with one than the ring of the sums holds at first."""
    config = replace(CONFIG, sampling_ns=10**6, windows=(("1ms", 10**6),), max_hold_ns=10**9, fdi_interval_ns=10**6)
    config = replace(config, windows=(("1000001ns", 10**6 + 1),))  # a quantum of 1 ns
    script = opened()
    for n in range(300):
        script.trade(10 + 10 * n, 1, 101, 1).row(1, LIQUIDATION, 1, 101.0, 2.0)
    batch: TapeBatch = script.trade(2 * 10**6, 1, 101, 1).batch()
    assert by_name(run([batch], config), config)["liquidation_1000001ns"] == [600.0]


def test_settings_of_files_name_it_only_where_it_is_on() -> None:
    """So that files of before there was the setting are of the same settings."""
    assert "features.derivatives" not in feature_settings(replace(CONFIG, derivatives=False))
    assert feature_settings(CONFIG)["features.derivatives"] == "True"
