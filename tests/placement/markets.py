"""Made-up markets of placement."""

import itertools

import numpy as np

from operators.placement.market import BEHIND, FIRST_THIRD, IMPROVED, NONE, PLACES, SHARES, SPREADS, Market, market_of

FEES = {"maker": 0.2, "taker": 0.5}


def any_market(seed: int, most: int = 12) -> Market:
    """Any outcomes of any state."""
    random = np.random.default_rng(seed)
    outcomes = []
    for _ in range(SPREADS * SHARES):
        for place in PLACES:
            chance = [0.0, 0.03, 0.08, 0.15, 0.3, 0.4][place]
            weights = random.random(random.integers(1, most))
            weights *= (1 - chance) / weights.sum()
            after = random.integers(SPREADS * SHARES * len(PLACES), size=len(weights))
            moves = random.integers(-2, 3, len(weights)) / 2
            own = [(float(w), 0, float(d), int(s)) for w, d, s in zip(weights, moves, after, strict=True)]
            outcomes.append(own + ([(chance, 1, 0.0, 0)] if chance else []))
    return market_of(outcomes, [1.0, 2.0, 4.1], **FEES)


def likely_market(seed: int) -> Market:
    """As markets are: states last, the mid goes where there is less to pass, those in front are filled first."""
    random = np.random.default_rng(seed)
    stay = 0.7 + 0.2 * random.random()
    drift = 0.02 + 0.08 * random.random()
    busy = 0.5 + random.random()
    outcomes = []
    for spread, share, place in itertools.product(range(SPREADS), range(SHARES), PLACES):
        fill = busy * [0.0, 0.004, 0.02, 0.05, 0.14, 0.2][place] * (1.5 - 0.2 * share)
        own = [(fill, 1, 0.0, 0)] if fill else []
        up = 0.05 + drift * (share - 2) / 2
        for move, chance in ((0.5, max(up, 0.005)), (-0.5, max(0.1 - up, 0.005)), (0.0, 0.9)):
            for next_spread, next_share in itertools.product(range(SPREADS), range(SHARES)):
                near = abs(next_share - share) + 2 * abs(next_spread - spread)
                weight = stay if near == 0 else (1 - stay) * 0.5**near / 2
                further = place
                if place not in (NONE, BEHIND, FIRST_THIRD, IMPROVED) and near:
                    further += 1
                if move > 0 and place not in (NONE, IMPROVED):
                    further = BEHIND if place != BEHIND else NONE
                after = (next_spread * SHARES + next_share) * len(PLACES) + further
                own.append(((1 - fill) * chance * weight, 0, move, after))
        outcomes.append(own)
    return market_of(outcomes, [1.0, 2.0, 4.1], **FEES)
