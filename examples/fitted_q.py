"""Somebody else's learner in the trading environment: fitted Q iteration (Ernst, Geurts & Wehenkel 2005), with trees of
scikit-learn, which the extra `learn` has. Any algorithm for Gymnasium and discrete actions runs on it likewise."""

import gymnasium as gym
import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from learning.environment.recording import record
from operators.config import FeatureConfig
from operators.execution.grid import GridSearch
from operators.execution.state import ExecutionConfig
from sources.instrument import Instrument
from synthetic.market import SyntheticMarket, synthetic_tape
from synthetic.parameters import MarketParameters


def market(seed, seconds):
    kind = SyntheticMarket(Instrument("okx_swap", "A-USDT-SWAP"), seed, 10**18, MarketParameters(edge=0.8))
    tape, search = list(synthetic_tape(kind, 10**18 + seconds * 10**9)), GridSearch()
    list(map(search.add, tape))
    seen = record(tape, FeatureConfig(), ExecutionConfig(taker=1.0), search.grid(), ("ofi_z_l5_1s",))
    return gym.make("learning.environment:tickwax/Trading-v0", recording=seen, size=1.0, reward="pnl", episode=10_000)


def walk(env, choose):
    (seen, _), over, steps = env.reset(seed=0, options={"start": 0}), False, []
    while not over:
        after, reward, _, over, _ = env.step(action := choose(seen))
        steps, seen = [*steps, np.array([*seen, action, reward, *after])], after
    return np.array(steps)


random, known = np.random.default_rng(1), market(1, 900)
steps = np.vstack([walk(known, lambda seen: np.int64(random.integers(3))) for _ in range(4)])
q = np.zeros((len(steps), 3))
for _ in range(8):  # steps that it looks ahead
    trees = ExtraTreesRegressor(10, min_samples_leaf=30, random_state=1).fit(steps[:, :6], steps[:, 6] + 0.9 * q.max(1))
    q = np.stack([trees.predict(np.column_stack([steps[:, 7:], np.full(len(steps), a)])) for a in range(3)], axis=1)
earned = walk(market(2, 300), lambda seen: trees.predict([[*seen, a] for a in range(3)]).argmax())[:, 6]
print(f"{len(steps):,} random steps seen; {earned.sum():,.0f} basis points in {len(earned)} steps of another tape")
