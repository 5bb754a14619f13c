"""What agents learn on markets whose answer is known: planted, null, too dear, and with the future given.

Each is judged on tapes that it has never seen, by `tickwax/Trading-v0`, whose accounts are those of backtests.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from learning.agents.plan import AgentPlan, Scaling
from learning.agents.training import train_members
from learning.environment.recording import Recording
from learning.environment.trading import Trading
from operators.execution.statistics import tail_mean
from tests.learning.agents import planted, silent, walk

EPISODE = 100  # steps whose profit is one number
DEAR = 100.0  # basis points: no planted move pays for that


def learned(training: Recording, seed: int, **more: Any) -> Any:
    """An agent of all decisions, with its gate."""
    plan = AgentPlan(size=1.0, seed=seed, **more)
    return train_members(training, np.arange(len(training)), plan, 0, silent(99, plan.steps)).model(training, plan)


def judged(model: Any, unseen: Recording) -> tuple[Any, Any, float]:
    """Profit of each episode in basis points, of the agent and of holding; the agent's share of steps in position."""
    env = Trading(unseen, size=1.0, reward="pnl", episode=len(unseen), **Scaling(model.mean, model.scale)._asdict())
    rewards, share = walk(env, lambda seen, held: 1 + model.target(seen, int(np.sign(held))))
    held, _ = walk(env, lambda seen, held: 2)
    whole = len(rewards) // EPISODE * EPISODE
    return (*(each[:whole].reshape(-1, EPISODE).sum(axis=1) for each in (rewards, held)), share)


def with_the_future(recording: Recording, steps: int = 5) -> Recording:
    """What the mid will have done some decisions later stands among the columns."""
    ahead = np.minimum(np.arange(len(recording)) + steps, len(recording) - 1)
    future = np.log(recording.mid[ahead] / recording.mid)[:, None]
    features = np.ascontiguousarray(np.hstack([recording.features, future]))
    return replace(recording, columns=(*recording.columns, "future"), features=features)


def beats_both(profit: Any, held: Any) -> bool:
    found, other = ((each.mean(), tail_mean(each, 0.25)) for each in (profit, held))
    return all(mine > max(theirs, 0.0) for mine, theirs in zip(found, other, strict=True))


@pytest.mark.slow
def test_a_planted_edge_pays_and_where_there_is_none_it_stays_flat() -> None:
    """A short form of what follows: one network, one seed, fewer steps."""
    short: dict[str, Any] = {"members": 1, "steps": 8_000}
    profit, held, share = judged(learned(planted(0.8, 10, 900, 5.0), 0, **short), planted(0.8, 100, 900, 5.0))
    assert beats_both(profit, held)
    assert share > 0.2
    assert judged(learned(planted(0.0, 11, 900, 5.0), 0, **short), planted(0.0, 101, 900, 5.0))[2] <= 0.02


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_an_agent_beats_holding_and_nothing_on_a_planted_market(seed: int) -> None:
    """In the mean of episodes net of costs, and in the mean of their worst quarter."""
    profit, held, _ = judged(learned(planted(0.8, 10 + seed, 1800, 5.0), seed), planted(0.8, 100 + seed, 1800, 5.0))
    print(f"PLANTED {seed}: agent {profit.mean():.1f} {tail_mean(profit, 0.25):.1f}, "
          f"hold {held.mean():.1f} {tail_mean(held, 0.25):.1f}")  # fmt: skip
    assert beats_both(profit, held)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("edge", "taker"), [(0.0, 5.0), (0.8, DEAR)])
def test_an_agent_stays_flat_where_nothing_pays(edge: float, taker: float, seed: int) -> None:
    share = judged(learned(planted(edge, 10 + seed, 1800, taker), seed), planted(edge, 100 + seed, 1800, taker))[2]
    print(f"NULL edge {edge} fee {taker} seed {seed}: {share:.4f} of steps in position")
    assert share <= 0.02


@pytest.mark.soak
def test_an_agent_that_is_given_the_future_gets_rich() -> None:
    """On a market without an edge, or else what it is given is lost on the way."""
    model = learned(with_the_future(planted(0.0, 20, 1800, 1.0)), 0)
    profit, _, _ = judged(model, with_the_future(planted(0.0, 21, 1800, 1.0)))
    print(f"CHEATER: {profit.mean():.1f} ± {profit.std(ddof=1) / np.sqrt(len(profit)):.1f} a hundred steps")
    assert profit.mean() > 10 * profit.std(ddof=1) / np.sqrt(len(profit))
    assert profit.min() > 0
