"""Where the money was lost: each bucket against plain sums, and what a bucket is made of."""

import math
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest

from learning.reflection.analysis import Bucket, analyse, worst
from learning.reflection.table import EpisodeTable
from tests.rules.synthetic_episodes import made


def with_words(table: EpisodeTable) -> EpisodeTable:
    """The same with the columns that runs have beside those of the entry row."""
    random, n = np.random.default_rng(2), len(table)
    entry = {**table.entry, "mid": np.full(n, 100.0), "volatility": random.random(n)}
    entry["forecast_q50_1s"] = np.where(random.random(n) < 0.1, np.nan, random.normal(size=n))
    entry["forecast_q05_1s"] = random.normal(size=n)
    other = {
        "regime": random.choice(np.array(["trending", "ranging", None], object), n),
        "side": random.choice([-1, 1], n), "liquidity": random.choice(np.array(["maker", "taker"], object), n),
        "markout_1s": random.normal(size=n), "markout_10s": random.normal(size=n),
        "seconds": (table.closed - table.opened) / 1e9, "net": table.net_bp / 100.0,
    }  # fmt: skip
    return EpisodeTable(table.instrument, table.opened, table.closed, table.net_bp, entry, other)


@pytest.fixture(scope="module")
def table() -> EpisodeTable:
    return with_words(made(3, planted=True, episodes=500))


@pytest.fixture(scope="module")
def buckets(table) -> list[Bucket]:
    return analyse(table)


def test_every_dimension_is_there(buckets):
    assert list(dict.fromkeys(b.by for b in buckets)) == [
        "instrument", "regime", "side", "liquidity", "hour", "markout after 1 s", "spread, bp", "volatility, bp a row",
        "seconds held", "forecast q50_1s",
    ]  # fmt: skip


def test_of_words_it_is_the_plain_sum(table, buckets):
    for bucket in (b for b in buckets if b.by == "regime"):
        rows = [i for i in range(len(table)) if table.other["regime"][i] == bucket.bucket]
        assert bucket.episodes == len(rows)
        assert bucket.net == pytest.approx(math.fsum(table.other["net"][i] for i in rows))
        assert bucket.mean_bp == pytest.approx(fmean(table.net_bp[i] for i in rows))
        assert bucket.losing == pytest.approx(fmean(table.net_bp[i] < 0 for i in rows))
        assert bucket.from_bp < bucket.mean_bp < bucket.to_bp


def test_ranges_of_a_forecast_hold_every_episode_that_has_one(table, buckets):
    ranges = [b for b in buckets if b.by == "forecast q50_1s"]
    values = table.entry["forecast_q50_1s"]
    assert sum(b.episodes for b in ranges) == np.count_nonzero(~np.isnan(values))
    sizes = [b.episodes for b in ranges]
    assert max(sizes) - min(sizes) <= 1
    assert all(one.high <= other.low for one, other in pairwise(ranges))


def test_what_lost_beyond_doubt_comes_first(buckets):
    first = worst(buckets, 5)
    assert first[0].to_bp < 0
    assert all(b.net < 0 for b in first)
    sure = [b.to_bp < 0 for b in first]
    assert sure == sorted(sure, reverse=True)
