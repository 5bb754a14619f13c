"""Integrated order flow imbalance against its definition (docs/features.md, 4.11).

The whole feature, split and resumed as tapes may be, is held against `tests.oracle` in `test_engine`.
"""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.multivariate.pca import PCA

from operators.config import MS, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.features import integrated_ofi
from operators.schema import column_row, feature_columns
from sources.importers import hftbacktest
from sources.instrument import Instrument
from sources.tape.batch import SNAPSHOT, TapeBatch, tape_batch
from tests.importers.captures import rows_of
from tests.operators.columns import Columns, by_name, run, same_bits
from tests.oracle import integrated_ofi as oracle
from tests.oracle.book import message_ends
from tests.oracle.script import Script

UPDATES = FeatureConfig(sampling_ns=0, integrated_ofi=4, zscore_window=50)


def components(rows: list[list[float]], window: int) -> list[tuple[np.ndarray, float]]:
    """Weights and share by the kernels, at each row that has ``window`` rows before it, and after the last one."""
    levels = len(rows[0])
    own = integrated_ofi.state(FeatureConfig(integrated_ofi=levels, zscore_window=window))
    found = []
    for n in range(len(rows) + 1):
        if n >= window:
            covariance = own.scratch.matrix[0]
            integrated_ofi.covariance_of(own.past.sums, own.products, window, covariance)
            share = integrated_ofi.first_component(own.scratch)
            found.append((own.scratch.vector[2].copy(), share))
        if n < len(rows):
            own.scratch.vector[0] = rows[n]
            integrated_ofi.remember(own)
    return found


def assert_by_definition(rows: list[list[float]], window: int) -> None:
    for n, (weights, share) in enumerate(components(rows, window)):
        want = oracle.component(rows[n : n + window])
        assert math.isnan(share) == (want is None), (n, share, want)
        if want is not None:
            assert weights == pytest.approx(want[0], abs=1e-9)
            assert share == pytest.approx(want[1], abs=1e-12)
            assert np.abs(weights).sum() == pytest.approx(1, abs=1e-12)
            assert weights.sum() > 0


flows = st.one_of(
    st.integers(-3, 3).map(float),  # equal rows, levels without a flow, components that lie across one another
    st.floats(-10, 10, allow_subnormal=False),
    st.sampled_from([1e-12, -3e-12, 1e12, -2e12, 1e24, 1e60, -1e60, 0.1, 0.3]),
)


@pytest.mark.jit_off
@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5).flatmap(lambda m: st.lists(st.lists(flows, min_size=m, max_size=m), min_size=3, max_size=14)),
       st.integers(2, 6))  # fmt: skip
def test_every_component_is_that_of_the_definition(rows: list[list[float]], window: int) -> None:
    assert_by_definition(rows, window)


A, B = np.array([1.0, 1, -1, -1]), np.array([1.0, -1, 1, -1])  # of mean 0, and across one another


def columns_of(*levels: np.ndarray) -> list[list[float]]:
    return np.column_stack(levels).tolist()


@pytest.mark.jit_off
def test_the_level_that_varies_most_may_lie_across_the_component() -> None:
    """A power iteration that starts from it never finds what the others have in common."""
    ((weights, share),) = components(columns_of(1.5 * A, 1.25 * B, 1.25 * B), 4)
    assert weights == pytest.approx([0, 0.5, 0.5], abs=1e-15)
    assert share == pytest.approx(2 * 1.25**2 / (1.5**2 + 2 * 1.25**2))


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.99, 0.999, 0.9999])
def test_a_second_eigenvalue_that_is_close(ratio: float) -> None:
    rng = np.random.default_rng(3)
    scores = np.linalg.svd(rng.normal(size=(400, 6)) @ np.diag([1, 1, 1, 1, 1, 1]), full_matrices=False)[0]
    scores -= scores.mean(axis=0)
    scores = np.linalg.qr(scores)[0]
    turned = scores * np.sqrt([1, ratio, 0.1, 0.1, 0.1, 0.1]) @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert_by_definition((turned + 0.25).tolist(), 400)


@pytest.mark.jit_off
@pytest.mark.parametrize(
    "rows",
    [
        columns_of(A, B),  # two eigenvalues are equal
        columns_of(A, -A),  # either sign is as good
        [[0.1, 0.3, 0.7]] * 4,  # a flow that is always the same varies by no rounding error
        [[0.0, 0.0, 0.0]] * 4,
    ],
)
def test_where_there_is_no_single_component_there_is_none(rows: list[list[float]]) -> None:
    ((_, share),) = components(rows, 4)
    assert math.isnan(share)


@pytest.mark.jit_off
def test_a_level_that_does_not_vary_has_no_weight() -> None:
    ((weights, share),) = components(columns_of(A, np.zeros(4), 0.3 + 0 * A, 3 * A), 4)
    assert weights.tolist() == pytest.approx([0.25, 0, 0, 0.75], abs=1e-15)
    assert weights[1] == weights[2] == 0.0
    assert share == pytest.approx(1, abs=1e-15)


@pytest.mark.jit_off
def test_what_has_left_leaves_nothing_behind() -> None:
    """Products of rows 48 digits apart: sums that only add and take away would keep the rounding errors."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3))
    x[:, 1] += x[:, 0]
    x[10], x[12], x[13] = (1e24, -3.3e23, 7.7e23), (1.1e16, 3.3e15, -1.7e16), (1e8 / 3, 1e8 / 7, 1e8 / 11)
    assert_by_definition(x.tolist(), 12)
    fresh = components(x[-12:].tolist(), 12)[-1]
    assert components(x.tolist(), 12)[-1][0] == pytest.approx(fresh[0], rel=1e-12)


def walk(n: int, scale: float = 1.0) -> TapeBatch:
    """Snapshots of four levels a side, whose sizes move together, and a little by themselves."""
    random = np.random.default_rng(5)
    common = random.normal(size=(n, 1))
    sizes = scale * np.exp(0.2 * common + 0.05 * random.normal(size=(n, 8)))
    rows = 8 * n
    ts = np.repeat(10**18 + np.arange(n) * 100 * MS, 8)
    return tape_batch(
        ordinal=range(rows), exchange_ts=ts, receive_ts=ts, sequence=ts, kind=[SNAPSHOT] * rows,
        side=[1, 1, 1, 1, -1, -1, -1, -1] * n, price=[99, 98, 97, 96, 101, 102, 103, 104] * n, size=sizes.ravel(),
        last=([False] * 7 + [True]) * n,
    )  # fmt: skip


def assert_those_of_statsmodels(x: np.ndarray, r: int, window: int, found: Columns) -> None:
    """Row ``r`` against a principal component by a library that others wrote."""
    pca = PCA(x[r - window : r], ncomp=1, standardize=False, normalize=False)
    w = pca.eigenvecs[:, 0] / np.abs(pca.eigenvecs[:, 0]).sum()
    w = -w if w.sum() < 0 else w
    share = pca.eigenvals[0] / np.sum(np.var(x[r - window : r], axis=0) * window)
    assert found["integrated_ofi"][r] == pytest.approx(float(w @ x[r]), rel=1e-9, abs=1e-12)
    assert found["integrated_ofi_share"][r] == pytest.approx(share, rel=1e-9)


def scaled_flows(tape: TapeBatch, levels: int) -> np.ndarray:
    """x of every update."""
    views = [view for view in message_ends(tape).values() if view.is_update]
    return np.array([oracle.scaled(a, [b], levels) for a, b in zip([None, *views], views, strict=False)])


def test_the_weights_are_those_of_statsmodels() -> None:
    tape = walk(80)
    x, found = scaled_flows(tape, 4), by_name(run([tape], UPDATES), UPDATES)
    for r in (50, 60, 79):
        assert_those_of_statsmodels(x, r, 50, found)


@pytest.mark.slow
def test_recorded_markets(market_data: Path) -> None:
    """Of BTCUSDT and ETHUSDT: the same as statsmodels; one number says about half of what ten levels do."""
    config = FeatureConfig(sampling_ns=0, integrated_ofi=10, zscore_window=500)
    for symbol in ("btcusdt", "ethusdt"):
        instrument = Instrument("binance_futures", symbol.upper())
        path = market_data / "binance_usdm" / f"{symbol}_20240808.gz"
        tape = rows_of(partial(hftbacktest.read, instrument=instrument), [path])[instrument].slice(0, 90_000)
        x, found = scaled_flows(tape, 10), by_name(run([tape], config), config)
        for r in range(500, len(x), 37):
            assert_those_of_statsmodels(x, r, 500, found)
        share, value = (np.array(found[name][500:]) for name in ("integrated_ofi_share", "integrated_ofi"))
        assert 0.3 < share.min() < share.max() < 0.8
        assert np.corrcoef(value, found["ofi_l0"][500:])[0, 1] > 0.5


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e3, 1e12])
def test_sizes_have_no_unit(scale: float) -> None:
    """Flow divided by depth: the same market in other units has the same value."""
    one, other = (by_name(run([walk(80, s)], UPDATES), UPDATES)["integrated_ofi"] for s in (1.0, scale))
    assert other == pytest.approx(one, rel=1e-9, nan_ok=True)


def test_no_size_is_too_small_to_divide_by() -> None:
    """Sizes of which a mean is 0 in a double, beside the largest: x is held at 1e60, and all goes on after it."""
    tape = Script()
    for n in range(40):
        size = (1e15, 5e-324)[n % 2] if n < 8 else 1.0 + n % 3
        tape.snapshot(10**18 + n, [(99, size)], [(101, 2.0 if n >= 8 else 5e-324)])
    config = FeatureConfig(sampling_ns=0, integrated_ofi=2, zscore_window=4)
    found = by_name(run([tape.batch()], config), config)
    assert min(found["integrated_ofi"][5:8]) == -1e60
    assert np.isfinite(found["integrated_ofi"][-20:]).all()
    assert found["integrated_ofi_share"][-20:] == pytest.approx([1.0] * 20)


def test_it_is_off_unless_asked_for() -> None:
    assert not any("integrated" in c.name for c in feature_columns(FeatureConfig()))
    config = FeatureConfig(integrated_ofi=2)
    assert column_row(config, "integrated_ofi_share") == column_row(config, "integrated_ofi") + 1
    tape = walk(30)
    plain, more = run([tape], FeatureConfig()), run([tape], config)
    assert plain is not None
    assert more is not None
    assert same_bits(plain, more._replace(value=more.value[: len(plain.value)]))


def test_a_state_keeps_the_rows_held_and_no_room() -> None:
    def kept(levels: int, rows: int) -> int:
        engine = FeatureEngine(FeatureConfig(sampling_ns=0, integrated_ofi=levels))
        engine.process(walk(rows))
        return len(engine.snapshot())

    of_a_row = kept(4, 31) - kept(4, 30) - (kept(0, 31) - kept(0, 30))
    assert of_a_row == 4 * 8
    assert 0 <= kept(4, 30) - kept(0, 30) - 30 * of_a_row < 1000


@pytest.mark.parametrize("levels", [-1, 21])
def test_levels_that_cannot_be(levels: int) -> None:
    with pytest.raises(ValueError, match=f"integrated_ofi: {levels} is outside 0 to 20"):
        FeatureConfig(integrated_ofi=levels)


def test_rows_that_no_memory_holds() -> None:
    most = {"depths": tuple(range(1, 121)), "windows": (("1s", 10**9),), "zscore_window": 1_000_000}
    FeatureConfig(**most)
    with pytest.raises(ValueError, match=r"1000000 rows of 120 windows and depths, and of 20 levels, take 1\.1 GB"):
        FeatureConfig(**most, integrated_ofi=20)
