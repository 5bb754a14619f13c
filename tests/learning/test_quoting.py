"""Trading by orders that rest: the fills of a backtest of the same actions, and Gymnasium's own checks."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from learning.environment.account import OWN, ROW
from learning.environment.quotes import ACTIONS, CLOSE, SHOWN
from learning.environment.quoting import Quoting
from learning.environment.quoting_vector import QuotingVector
from learning.environment.recording import Recording, record
from learning.environment.trading import Task
from operators.config import MS, FeatureConfig
from operators.execution.state import CASH, FEES, FUNDING_PAID, POSITION, ExecutionConfig
from operators.execution.strategy import MarketView, OrderSender
from operators.execution.words import QUEUES
from operators.trade_engine import TradeEngine
from sources.tape.batch import TapeBatch
from tests.execution.test_exchange import small, with_funding
from tests.learning.test_environment import COLUMNS, grid_of, sixty_seconds, with_four_fundings
from tests.strategies import split, splits, tapes

pytestmark = pytest.mark.slow  # the kernels take ten seconds to compile

NONE, BEHIND, JOIN, IMPROVE = range(4)


def action_of(bid: int, ask: int) -> int:
    return 4 * bid + ask


class Quotes:
    """A strategy of a backtest that takes the same actions, feature row by feature row, written from their text."""

    columns = ("bid_price", "ask_price")

    def __init__(self, actions: dict[int, int], size: float, least: float) -> None:
        self.actions, self.size, self.least = actions, size, least
        self.row = -1

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        self.row += 1
        if (action := self.actions.get(self.row)) is None:
            return
        best = {1: round(view.columns[0] / view.tick), -1: round(view.columns[1] / view.tick)}
        held, whole = round(view.position / view.lot), round(self.size / view.lot)
        places = {1: action // 4, -1: action % 4} if action != CLOSE else {1: NONE, -1: NONE}
        working = list(view.working)
        for side in (1, -1):
            ticks = best[side] + {BEHIND: -side, IMPROVE: side if best[-1] - best[1] > 1 else 0}.get(places[side], 0)
            own = [order for order in working if order.side == side]
            lots = min(whole, whole - side * held)
            if not own and places[side] != NONE and lots * view.lot >= max(self.least, view.lot) - 1e-9:
                orders.limit(side, ticks * view.tick, lots * view.lot, "gtx")
            elif own and own[0].acknowledged and places[side] == NONE:
                orders.cancel(own[0].order_id)
            elif own and own[0].acknowledged and round(own[0].price / view.tick) != ticks:
                orders.amend(own[0].order_id, ticks * view.tick, float("nan"))
        if action == CLOSE and held and not working:
            orders.market(-1 if held > 0 else 1, abs(held) * view.lot)


def assert_as_in_a_backtest(
    tape: list[TapeBatch], config: FeatureConfig, recording: Recording, first: int, actions: list[int], size: float
) -> int:
    """Position, cash and fees at each decision of an episode, to the bit; returns how many fills there were."""
    env = Quoting(recording, size=size, reward="pnl", episode=1_000_000)
    env.reset(seed=0, options={"start": first})
    states, by_row, over, k, filled = [], {}, False, first, 0
    while not over:
        action = actions[(k - first) % len(actions)]
        by_row[int(recording.row[k])] = action
        _, _, terminated, over, told = env.step(np.int64(action))
        assert not terminated
        k += 1
        assert told["decision"] == k
        exchange = env._seats.players[0].value.exchange
        assert exchange.money[3] == recording.mid[k] or np.isnan(recording.mid[k])
        filled += env.fills.shape[1]
        states.append((int(exchange.clock[POSITION]), float(exchange.money[CASH]), float(exchange.money[FEES])))
    grid = recording.grid
    engine = TradeEngine(config, recording.execution, grid, strategy=Quotes(by_row, size, float(grid.least)))
    equity = np.concatenate([part.equity.value for batch in tape for part in engine.trade(batch)], axis=1)
    expected = equity[:, recording.row[first + 1 : first + 1 + len(states)]]
    got = np.array(states).T
    np.testing.assert_array_equal(got[1:], expected[[1, 4]])
    np.testing.assert_allclose(got[0] * float(grid.lot), expected[0], rtol=1e-12)
    return filled


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_fills_are_those_of_a_backtest(data: st.DataObject) -> None:
    """On tapes that go to every corner: resets, holes, torn messages, crossed books, clocks that go back."""
    config = small(data.draw(st.sampled_from([0, 100 * MS])))
    tape = data.draw(tapes(config))
    execution = ExecutionConfig(
        queue=data.draw(st.sampled_from(QUEUES)),
        latency_entry_ns=data.draw(st.sampled_from([0, 1, 10 * MS])),
        latency_response_ns=data.draw(st.sampled_from([0, 10 * MS])),
        one_clock=data.draw(st.booleans()),
        max_position=data.draw(st.sampled_from([float("inf"), 1.0])),
    )
    if data.draw(st.booleans()):
        tape = data.draw(with_funding(tape))
    grid = grid_of([tape])
    assume(grid is not None)
    batches = list(split(tape, data.draw(splits(tape.rows))))
    step = data.draw(st.sampled_from([1, 100 * MS]))
    try:
        recording = record(batches, config, execution, grid, (), step_ns=step, depth=1, resting=True)
    except ValueError:  # too few decisions
        assume(False)
    firsts = np.flatnonzero(recording.last > np.arange(len(recording)))
    assume(len(firsts))
    first = int(data.draw(st.sampled_from(firsts.tolist())))
    actions = data.draw(st.lists(st.integers(0, ACTIONS - 1), min_size=1, max_size=12))
    size = data.draw(st.sampled_from([1, 3, 40])) * float(grid.lot)
    assert_as_in_a_backtest(batches, config, recording, first, actions, size)


@pytest.fixture(scope="module")
def tape() -> list[TapeBatch]:
    return sixty_seconds()


def recorded(tape: list[TapeBatch], **more: Any) -> Recording:
    return record(tape, FeatureConfig(), ExecutionConfig(), grid_of(tape), COLUMNS, resting=True, **more)


@pytest.fixture(scope="module")
def recording(tape: list[TapeBatch]) -> Recording:
    return recorded(tape)


@pytest.mark.parametrize(("sampling", "entry", "size"), [(0, 0, 0.001), (100 * MS, 10 * MS, 3.0), (0, 300 * MS, 8.0)])
def test_many_quotes_fill_as_in_a_backtest(tape: list[TapeBatch], sampling: int, entry: int, size: float) -> None:
    config, execution = FeatureConfig(sampling_ns=sampling), ExecutionConfig(latency_entry_ns=entry)
    recording = record(tape, config, execution, grid_of(tape), (), step_ns=50 * MS, depth=1, resting=True)
    actions = np.random.default_rng(5).integers(0, ACTIONS, 997).tolist()
    assert assert_as_in_a_backtest(tape, config, recording, 37, actions, size) > 30


@pytest.mark.filterwarnings("ignore:.*A Box observation space")
def test_gymnasium_is_content(recording: Recording) -> None:
    env = gym.make("tickwax/Quoting-v0", recording=recording, size=0.01)
    check_env(env.unwrapped, skip_render_check=True)
    assert env.observation_space.shape == (len(COLUMNS) + OWN + SHOWN,)


def test_an_order_at_the_best_price_is_seen_and_earns_the_spread(recording: Recording) -> None:
    env = Quoting(recording, size=0.01, reward="pnl")
    env.reset(options={"start": 5})
    own = len(COLUMNS) + OWN
    seen = env.step(np.int64(action_of(JOIN, NONE)))[0]
    if not env.fills.shape[1]:
        assert seen[own] == 1.0
        assert 0.0 <= seen[own + 2] <= 1.0
    assert not seen[own + 3 :].any()  # nothing on the other side
    while not env.fills.shape[1]:
        seen = env.step(np.int64(action_of(JOIN, NONE)))[0]
    price, size, fee, _ = env.fills
    assert (size > 0).all()
    assert fee == pytest.approx(price * size * 2 / 10_000)  # a maker's


def test_closing_cancels_then_takes(recording: Recording) -> None:
    env = Quoting(recording, size=0.01)
    env.reset(options={"start": 5})
    lots = 0
    while lots == 0:
        lots = env.step(np.int64(action_of(JOIN, BEHIND)))[4]["lots"]
    own = len(COLUMNS) + OWN
    seen, _, _, _, told = env.step(np.int64(CLOSE))
    assert told["lots"] != 0  # an order was still there
    assert not seen[own:].any()
    assert env.step(np.int64(CLOSE))[4]["lots"] == 0
    assert env.fills[2] == pytest.approx(env.fills[0] * abs(env.fills[1]) * 5 / 10_000)  # a taker's


def test_the_position_stays_within_its_size(recording: Recording) -> None:
    env = Quoting(recording, size=0.01)
    rng, most = np.random.default_rng(3), 0
    for start in range(0, 50, 7):
        env.reset(options={"start": start})
        over = False
        while not over:
            *_, over, told = env.step(rng.integers(ACTIONS))
            most = max(most, abs(told["lots"]))
    assert most == 10


def test_a_position_pays_funding_as_in_a_backtest(tape: list[TapeBatch]) -> None:
    funded = with_four_fundings(tape)
    recording = recorded(funded)
    first = int(recording.settled[0, 0]) - 2
    assert assert_as_in_a_backtest(funded, FeatureConfig(), recording, first, [action_of(IMPROVE, NONE)], 0.5) > 0
    env = Quoting(recording, size=0.5)
    env.reset(options={"start": first})
    for _ in range(9):
        env.step(np.int64(action_of(IMPROVE, NONE)))
    assert env._seats.players[0].value.exchange.money[FUNDING_PAID] != 0.0


def test_many_agents_have_the_bits_of_one(recording: Recording) -> None:
    task = Task(size=0.01, episode=7, eta=0.1)
    many, alone = QuotingVector([recording, recording], [task, task], 5), [Quoting(recording, task) for _ in range(5)]
    seen, _ = many.reset(seed=1)
    rng, fresh = np.random.default_rng(0), np.ones(5, bool)

    def row(e: int) -> int:
        return int(many._parts[e % 2][0].players[e // 2].value.exchange.clock[ROW])

    assert len({row(e) for e in range(5)}) > 1
    for _ in range(30):
        for e in np.flatnonzero(fresh):  # an episode has begun
            assert alone[e].reset(options={"start": row(e)})[0].tobytes() == seen[e].tobytes()
        over = np.array([env._over[0] for env in alone])
        actions = rng.integers(0, ACTIONS, 5)
        seen, rewards, terminated, truncated, _ = many.step(actions)
        assert not terminated.any()
        for e in np.flatnonzero(~over):
            one, reward, _, over_now, _ = alone[e].step(actions[e])
            assert (one.tobytes(), reward, over_now) == (seen[e].tobytes(), rewards[e], truncated[e])
        assert not rewards[over].any()
        fresh = over


def test_any_split_gives_the_same_calls_in_effect(tape: list[TapeBatch], recording: Recording) -> None:
    again = recorded([TapeBatch(*(column[i : i + 777] for column in b)) for b in tape for i in range(0, b.rows, 777)])
    actions, walks = np.random.default_rng(2).integers(0, ACTIONS, 50), []
    for each in (recording, again):
        env = Quoting(each, size=0.01)
        seen = [env.reset(options={"start": 3})[0]]
        seen += [env.step(action)[0] for action in actions]
        walks.append(np.array(seen).tobytes())
    assert walks[0] == walks[1]


def test_what_cannot_be_is_refused(tape: list[TapeBatch], recording: Recording) -> None:
    taking = record(tape, FeatureConfig(), ExecutionConfig(), recording.grid, COLUMNS)
    with pytest.raises(ValueError, match=r"^recording: orders may not rest in it"):
        Quoting(taking, size=0.01)
    env = Quoting(recording, size=0.01)
    with pytest.raises(ValueError, match=r"^step: the episode is over"):
        env.step(np.int64(1))
    env.reset()
    with pytest.raises(ValueError, match=r"^action: 17 is not a whole number from 0 to 16"):
        env.step(np.int64(17))
    many = QuotingVector([recording], [Task(size=0.01)], 2)
    many.reset(seed=0)
    with pytest.raises(ValueError, match=r"^actions: shape \(2,\); 2 whole numbers from 0 to 16"):
        many.step(np.array([0, 17]))
