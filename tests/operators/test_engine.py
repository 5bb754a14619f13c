"""The engine against the brute-force oracle, and against itself under any split of the tape."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import state_codec
from operators.book import MAX_LEVELS
from operators.config import MS, SECOND, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.level_blocks import sides
from operators.row_batch import concat_rows
from sources.tape.batch import DELTA, SNAPSHOT, TRADE, TapeBatch, tape_batch
from tests import strategies
from tests.operators.columns import agree, by_name, run, same_bits
from tests.oracle import features as oracle
from tests.oracle.book import unknown_deltas
from tests.oracle.script import Script


@pytest.mark.jit_off
@settings(max_examples=120, deadline=None)
@given(strategies.cases(), st.booleans(), st.sampled_from([0, 0, 2, 5, 10, 20]))
def test_every_column_agrees_with_the_oracle(
    case: tuple[FeatureConfig, TapeBatch], full_depth: bool, cut_levels: int
) -> None:
    config, batch = case
    got = by_name(run([batch], config, full_depth=full_depth, cut_levels=cut_levels), config)
    want = oracle.features(batch, config, full_depth=full_depth, cut_levels=cut_levels)
    agree(got, want)


@pytest.mark.jit_off
@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_split_into_batches_gives_the_same_bits(data: st.DataObject) -> None:
    config, batch = data.draw(strategies.cases())
    cuts = data.draw(strategies.splits(batch.rows))
    assert same_bits(run(strategies.split(batch, cuts), config), run([batch], config))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_resuming_from_a_snapshot_gives_the_same_bits(data: st.DataObject) -> None:
    config, batch = data.draw(strategies.cases())
    parts = strategies.split(batch, data.draw(strategies.splits(batch.rows)))
    done = []
    engine = FeatureEngine(config)
    for part in parts:
        state = engine.snapshot()
        engine = FeatureEngine(config)
        engine.resume(state)
        done.append(engine.process(part))
    assert same_bits(concat_rows([rows for rows in done if rows is not None]), run([batch], config))


@settings(max_examples=40, deadline=None)
@given(strategies.cases())
def test_books_and_quality_agree_with_the_oracle(case: tuple[FeatureConfig, TapeBatch]) -> None:
    config, batch = case
    engine = FeatureEngine(config, with_books=True)
    rows = engine.process(batch)
    want = oracle.books(batch, config)
    names = [name for name in want if name not in ("ts", "ordinal")]
    for i, name in enumerate(names):
        got = [] if rows is None else rows.book[i].tolist()
        assert np.array_equal(got, want[name], equal_nan=True), name
    quality = engine.quality
    assert quality.crossed + quality.one_sided == oracle.quality_events(batch)
    assert quality.unknown_deltas == len(unknown_deltas(batch))


QUOTE = [(99.0, 1.0)], [(101.0, 1.0)]


@pytest.mark.parametrize("venue_has_full_depth", [False, True])
@pytest.mark.parametrize("sampling_ns", [0, 100 * MS])
@pytest.mark.parametrize("after_reset", [False, True])
def test_deltas_without_a_snapshot_never_become_a_book(
    venue_has_full_depth: bool, sampling_ns: int, after_reset: bool
) -> None:
    t = 1_700_000_000 * SECOND
    script = Script()
    if after_reset:
        script.snapshot(t, *QUOTE).reset(t)
    for i in range(50):
        script.delta(t + i * SECOND, [(99.0, 1.0 + i)], [(101.0, 2.0)]).trade(t + i * SECOND, 1, 101.0, 1.0)
    config = FeatureConfig(sampling_ns=sampling_ns)
    engine = FeatureEngine(config, full_depth=venue_has_full_depth, with_books=True)
    rows = [part for batch in strategies.split(script.batch(), [0, 7, 8, 153 if after_reset else 150])
            if (part := engine.process(batch)) is not None]  # fmt: skip
    before = 1 if after_reset and sampling_ns == 0 else 0  # of the snapshot
    assert sum(part.rows for part in rows) == before
    assert engine.quality.unknown_deltas == 100
    assert engine.quality.crossed == engine.quality.one_sided == 0

    # From the next snapshot on it is the book of that snapshot and of what follows it, in a resumed run as well.
    again = FeatureEngine(config, full_depth=venue_has_full_depth, with_books=True)
    again.resume(engine.snapshot())
    end = t + 60 * SECOND
    rest = Script().snapshot(end, [(98.0, 3.0)], [(102.0, 4.0)]).delta(end + SECOND, [(97.0, 5.0)]).batch()
    found = again.process(rest)
    assert found is not None
    bids = found.book[:2, -1].tolist()  # the last delta is in no row of the grid yet
    assert bids == [98.0, 97.0] if sampling_ns == 0 else (bids[0] == 98.0 and math.isnan(bids[1]))
    assert again.quality.unknown_deltas == 100


def test_snapshot_is_refused_when_version_or_configuration_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    config = FeatureConfig()
    data = FeatureEngine(config).snapshot()
    with pytest.raises(ValueError, match="settings have changed"):
        FeatureEngine(dataclasses.replace(config, zscore_window=5)).resume(data)
    with pytest.raises(ValueError, match="not a snapshot"):
        FeatureEngine(config).resume(b"\x00garbage")
    with pytest.raises(ValueError, match="not a snapshot"):
        FeatureEngine(config).resume(b"")
    with pytest.raises(ValueError, match="buffer"):
        FeatureEngine(config).resume(data[:-8])
    version = state_codec.VERSION
    monkeypatch.setattr(state_codec, "VERSION", 999)
    with pytest.raises(ValueError, match=f"version {version}; this build reads version 999"):
        FeatureEngine(config).resume(data)


def _rows(
    count: int, kind: int, side: int, price: np.ndarray, size: np.ndarray, ts: np.ndarray, last: bool
) -> TapeBatch:
    return tape_batch(
        ordinal=np.arange(count), exchange_ts=ts, receive_ts=ts, sequence=np.arange(count), kind=np.full(count, kind),
        side=np.full(count, side), price=price, size=size, last=np.full(count, last),
    )  # fmt: skip


def test_a_book_that_outgrows_its_arrays_keeps_every_level() -> None:
    n = 3000
    ts = np.full(2 * n, SECOND)
    bids = _rows(n, SNAPSHOT, 1, 1000 - 0.5 * np.arange(n) / n, np.full(n, 2.0), ts[:n], False)
    asks = _rows(n, SNAPSHOT, -1, 1001 + np.arange(n, dtype=float), np.full(n, 3.0), ts[:n], False)
    batch = TapeBatch(*(np.concatenate(pair) for pair in zip(bids, asks, strict=True)))
    batch.last[-1] = True
    engine = FeatureEngine(FeatureConfig(sampling_ns=0, depths=(1, 1000)))
    rows = engine.process(batch)
    assert rows is not None
    columns = by_name(rows, FeatureConfig(sampling_ns=0, depths=(1, 1000)))
    assert columns["depth_imbalance_l1000"] == [1000 * 2.0 - 1000 * 3.0]
    assert engine.quality.dropped_levels == 0


def test_a_full_book_drops_the_farthest_level_and_counts_it() -> None:
    n = MAX_LEVELS + 5
    batch = _rows(n, SNAPSHOT, 1, 1.0 + np.arange(n), np.ones(n), np.full(n, SECOND), False)
    engine = FeatureEngine(FeatureConfig())
    engine.process(batch)
    assert engine.quality.dropped_levels == 5
    assert sides(engine._state.book)[0][0][0] == 6.0  # the five lowest bids have gone


def test_a_burst_of_trades_beyond_the_ring_stays_exact() -> None:
    """More distinct times inside a window than the ring first has room for."""
    n = 5000
    ts = SECOND + MS * np.arange(n)
    book = [
        tape_batch(ordinal=[0, 1], exchange_ts=[SECOND] * 2, receive_ts=[SECOND] * 2, sequence=[1] * 2,
                   kind=[SNAPSHOT] * 2, side=[1, -1], price=[99.0, 101.0], size=[1.0, 1.0], last=[False, True]),
    ]  # fmt: skip
    trades = _rows(n, TRADE, 1, np.full(n, 100.0), np.full(n, 0.1), ts, True)
    touch = _rows(1, DELTA, 1, np.array([99.0]), np.array([2.0]), ts[-1:], True)
    config = FeatureConfig(sampling_ns=0)
    columns = by_name(run([*book, trades, touch], config), config)
    assert columns["trade_imbalance_1s"][-1] == pytest.approx(1000 * 0.1, rel=1e-15)
    assert columns["trade_imbalance_30s"][-1] == pytest.approx(n * 0.1, rel=1e-15)
