"""The longest segment of samples, against the feature rows and a walk over the tape in plain Python."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.config import SECOND, FeatureConfig
from operators.longest_segment import SegmentSampler
from sources.tape.batch import RESET, TRADE, TapeBatch, market_rows
from tests import strategies
from tests.operators.columns import by_name, run
from tests.oracle.script import Script


def restarts_and_trades(batch: TapeBatch, max_hold: int) -> tuple[list[int], list[tuple[int, float]]]:
    """Ordinals at which features restart, and every trade."""
    restarts, trades, clock = [], [], None
    columns = (batch.ordinal, batch.exchange_ts, batch.kind, batch.price)
    for ordinal, ts, kind, price in zip(*(c.tolist() for c in columns), strict=True):
        if kind == RESET:
            restarts.append(ordinal)
            clock = None
            continue
        if clock is not None and ts - clock > max_hold:
            restarts.append(ordinal)
        clock = ts if clock is None else max(clock, ts)
        if kind == TRADE:
            trades.append((ordinal, price))
    return restarts, trades


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(("mid", "trade")))
def test_the_longest_stretch_of_feature_rows(data: st.DataObject, price: str) -> None:
    config, batch = data.draw(strategies.cases())
    rows = by_name(run([batch], config), config)
    restarts, trades = restarts_and_trades(market_rows(batch), config.max_hold_ns)
    stretches: dict[int, list[tuple[int, float, float]]] = {}
    for ts, ordinal, mid, volume in zip(rows["ts"], rows["ordinal"], rows["mid"], rows["trade_volume"], strict=True):
        began = max((r for r in restarts if r <= ordinal), default=-1)
        paid = [p for o, p in trades if began < o <= ordinal]
        value = mid if price == "mid" else paid[-1] if paid else math.nan
        stretches.setdefault(began, []).append((ts, value, volume))
    longest = max(stretches.values(), key=len, default=[])
    longest = longest[next((i for i, row in enumerate(longest) if not math.isnan(row[1])), len(longest)) :]

    sampler = SegmentSampler(config, price)
    for part in strategies.split(batch, data.draw(strategies.splits(batch.rows))):
        sampler.add(part)
    got = sampler.longest()
    assert got.ts.tolist() == [ts for ts, _, _ in longest]
    assert got.price.tolist() == pytest.approx([math.log(value) for _, value, _ in longest], rel=1e-15)
    assert got.volume.tolist() == pytest.approx([math.log(1 + volume) for _, _, volume in longest], rel=1e-14)


def test_rows_before_the_range_only_make_the_book_known() -> None:
    script = Script()
    script.snapshot(10 * SECOND, bids=[(9.0, 1.0)], asks=[(11.0, 1.0)])
    for i in range(1, 8):
        script.delta((10 + i) * SECOND, bids=[(9.0 + i / 10, 1.0)])
    sampler = SegmentSampler(FeatureConfig(sampling_ns=SECOND), first_ordinal=4)
    sampler.add(script.batch())
    assert (sampler.longest().ts // SECOND).tolist() == [13, 14, 15, 16]
