"""Episodes that are made up: outcomes without any pattern, or with a habit that somebody planted."""

import numpy as np

from learning.reflection.table import EpisodeTable

SECOND = 1_000_000_000


def made(seed: int, planted: bool, episodes: int = 1200, noise: int = 12) -> EpisodeTable:
    """Heavy-tailed outcomes around 0; where planted, entries at a spread above 1.5 lose 4 bp on average.

    The spread is autocorrelated, as real ones are; half of the other columns are so, too.
    """
    random = np.random.default_rng(seed)
    opened = np.cumsum(random.exponential(20, episodes) * SECOND).astype(np.int64)
    entry = {}
    for n in range(noise):
        x = random.normal(size=episodes)
        if n % 2:
            x = smooth(x)
        entry[f"noise_{n}"] = x
    spread = np.exp(0.5 * smooth(random.normal(size=episodes)))
    net = 5.0 * random.standard_t(4, episodes)
    if planted:
        net = net - np.where(spread > 1.5, 4.0, 0.0) + 0.5
    entry["spread"] = spread
    closed = opened + (random.exponential(5, episodes) * SECOND).astype(np.int64) + 1
    instrument = np.full(episodes, "binance_futures:BTCUSDT", object)
    return EpisodeTable(instrument, opened, closed, net, entry, {})


def smooth(x):
    out = np.empty_like(x)
    out[0] = x[0]
    for i in range(1, len(x)):
        out[i] = 0.8 * out[i - 1] + 0.6 * x[i]
    return out
