"""Integrated order flow imbalance against its definition (docs/features.md, 4.11)."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.multivariate.pca import PCA

from operators.config import MS, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import RowBatch, concat_rows
from operators.schema import column_row, feature_columns
from sources.tape.batch import SNAPSHOT, TapeBatch, tape_batch
from tests.operators.columns import by_name, run, same_bits
from tests.oracle.book import BookView, message_ends
from tests.oracle.features import planned
from tests.oracle.order_flow import level_flow
from tests.oracle.sampling import Tick, stretches
from tests.strategies import configs, split, splits, tapes

LEVELS, ROWS = 3, 4


def flows(batch: TapeBatch, config: FeatureConfig) -> list[list[np.ndarray]]:
    """By restart, every row's x: flow of each level since the row before, by mean depth."""
    views = message_ends(batch)
    return [stretch_flows(stretch, views, config) for stretch in stretches(batch, config.max_hold_ns)]


def stretch_flows(stretch: list[Tick], views: dict[int, BookView], config: FeatureConfig) -> list[np.ndarray]:
    books = [(n, views[t.index]) for n, t in enumerate(stretch) if t.index in views and views[t.index].is_update]
    rows, begin = [], 0
    for sample in planned(stretch, views, config):
        new = [i for i, (n, _) in enumerate(books) if begin <= n < sample.included]
        begin = sample.included
        m = config.integrated_ofi
        flow = [math.fsum(level_flow(books[i - 1][1], books[i][1], k) for i in new if i) for k in range(m)]
        sizes = [math.fsum(q for side in (b.bids, b.asks) for _, q in side[:m]) for b in (books[i][1] for i in new)]
        depth = math.fsum(sizes) / (2 * m * len(new)) if new else 1.0
        rows.append(np.array(flow) / depth)
    return rows


def expected(x: list[np.ndarray], r: int, window: int) -> tuple[float, float, bool]:
    """Value, share, and whether the first component stands out enough to be compared."""
    if r < window:
        return math.nan, math.nan, True
    covariance = np.cov(np.array(x[r - window : r]).T, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    if not np.trace(covariance) > 0:
        return math.nan, math.nan, True
    w = vectors[:, -1] / np.abs(vectors[:, -1]).sum()
    w = -w if w.sum() < 0 else w
    clear = values[-2] < 0.9 * values[-1] and abs(w.sum()) > 1e-6
    return float(w @ x[r]), float(values[-1] / values.sum()), clear


@settings(max_examples=60)
@given(st.data())
def test_it_is_that_of_the_definition(data: st.DataObject) -> None:
    config = replace(data.draw(configs()), integrated_ofi=LEVELS, zscore_window=ROWS)
    tape = data.draw(tapes(config))
    found = by_name(run([tape], config), config)
    want = [expected(x, r, ROWS) for x in flows(tape, config) for r in range(len(x))]
    scale = [max(1.0, np.abs(x[r]).max()) for x in flows(tape, config) for r in range(len(x))]
    assert len(want) == len(found["ts"])
    warm = [r >= ROWS for x in flows(tape, config) for r in range(len(x))]
    assert [bool(bits & 128) for bits in found["warm"]] == warm
    for (value, share, clear), size, got, got_share in zip(
        want, scale, found["integrated_ofi"], found["integrated_ofi_share"], strict=True
    ):
        assert math.isnan(share) == math.isnan(got_share) == math.isnan(got)
        if not math.isnan(share):
            assert got_share == pytest.approx(share, abs=1e-7)
            if clear:
                assert got == pytest.approx(value, abs=1e-6 * size)


@settings(max_examples=30)
@given(st.data())
def test_no_split_and_no_resumption_changes_a_bit(data: st.DataObject) -> None:
    config = replace(data.draw(configs()), integrated_ofi=LEVELS, zscore_window=ROWS)
    tape = data.draw(tapes(config))
    whole = run([tape], config)
    batches = split(tape, data.draw(splits(tape.rows)))
    assert same_bits(run(batches, config), whole)
    parts: list[RowBatch] = []
    engine = FeatureEngine(config)
    for batch in batches:
        kept = engine.snapshot()
        engine = FeatureEngine(config)
        engine.resume(kept)
        rows = engine.process(batch)
        parts += [] if rows is None else [rows]
    assert same_bits(concat_rows(parts), whole)


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


def test_the_weights_are_those_of_statsmodels() -> None:
    config = FeatureConfig(sampling_ns=0, integrated_ofi=4, zscore_window=50)
    tape = walk(80)
    (x,) = flows(tape, config)
    found = by_name(run([tape], config), config)
    for r in (50, 60, 79):
        pca = PCA(np.array(x[r - 50 : r]), ncomp=1, standardize=False, normalize=False)
        w = pca.eigenvecs[:, 0] / np.abs(pca.eigenvecs[:, 0]).sum()
        w = -w if w.sum() < 0 else w
        assert found["integrated_ofi"][r] == pytest.approx(float(w @ x[r]), rel=1e-9)
        assert found["integrated_ofi_share"][r] == pytest.approx(
            pca.eigenvals[0] / np.sum(np.var(x[r - 50 : r], axis=0) * 50), rel=1e-9
        )


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e3, 1e12])
def test_sizes_have_no_unit(scale: float) -> None:
    """Flow divided by depth: the same market in other units has the same value."""
    config = FeatureConfig(sampling_ns=0, integrated_ofi=4, zscore_window=50)
    one, other = (by_name(run([walk(80, s)], config), config)["integrated_ofi"] for s in (1.0, scale))
    assert other == pytest.approx(one, rel=1e-9, nan_ok=True)


def test_a_market_without_flow_has_no_weights() -> None:
    tape = walk(1)
    n = 40
    ts = np.repeat(10**18 + np.arange(n) * 100 * MS, 8)
    still = TapeBatch._make(np.tile(column, n) for column in tape)._replace(
        ordinal=np.arange(8 * n), exchange_ts=ts, receive_ts=ts
    )
    config = FeatureConfig(sampling_ns=0, integrated_ofi=4, zscore_window=10)
    found = by_name(run([still], config), config)
    assert np.isnan(found["integrated_ofi"]).all()
    assert np.isnan(found["integrated_ofi_share"]).all()


def test_it_is_off_unless_asked_for() -> None:
    assert not any("integrated" in c.name for c in feature_columns(FeatureConfig()))
    config = FeatureConfig(integrated_ofi=2)
    assert column_row(config, "integrated_ofi_share") == column_row(config, "integrated_ofi") + 1
    tape = walk(30)
    plain, more = run([tape], FeatureConfig()), run([tape], config)
    assert plain is not None
    assert more is not None
    assert np.array_equal(plain.value, more.value[: len(plain.value)], equal_nan=True)


@pytest.mark.parametrize("levels", [-1, 21])
def test_levels_that_cannot_be(levels: int) -> None:
    with pytest.raises(ValueError, match=f"integrated_ofi: {levels} is outside 0 to 20"):
        FeatureConfig(integrated_ofi=levels)
