"""Trading as an environment: the fills of a backtest, nothing of the future, and Gymnasium's own checks."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from learning.environment.account import OWN, ROW
from learning.environment.recording import Recording, record
from learning.environment.trading import TARGETS, Task, Trading
from learning.environment.vector import TradingVector
from learning.rewards import DifferentialSharpe
from operators.config import MS, SECOND, FeatureConfig
from operators.execution.grid import GridSearch
from operators.execution.state import CASH, FEES, FUNDING_PAID, POSITION, ExecutionConfig
from operators.execution.strategy import MarketView, OrderSender
from operators.trade_engine import TradeEngine
from sources.instrument import Instrument
from sources.tape.batch import FUNDING, RESET, TapeBatch, concat, tape_batch
from synthetic.market import SyntheticMarket, synthetic_tape
from tests.execution.test_exchange import small, with_funding
from tests.strategies import split, splits, tapes

START = 1_767_571_200 * SECOND
COLUMNS = ("bid_price", "ofi_l0_1s")


def grid_of(tape: list[TapeBatch]) -> Any:
    search = GridSearch()
    for batch in tape:
        search.add(batch)
    return search.grid()


class Follow:
    """A strategy of a backtest that takes the same decisions, feature row by feature row."""

    columns = ()

    def __init__(self, targets: dict[int, float]) -> None:
        self.targets = targets  # position by feature row
        self.row = -1

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        self.row += 1
        target = self.targets.get(self.row)
        if target is None or view.working:
            return
        lots = round((target - view.position) / view.lot)
        if lots:
            orders.market(1 if lots > 0 else -1, abs(lots) * view.lot)


def walked(
    recording: Recording, first: int, actions: list[int], size: float
) -> tuple[list[tuple[float, float, float]], dict[int, float]]:
    """Position, cash and fees at each decision of an episode; and the targets by feature row."""
    env = Trading(recording, size=size, reward="pnl", episode=1_000_000)
    env.reset(seed=0, options={"start": first})
    lot = float(recording.grid.lot)
    states, targets, over, k = [], {}, False, first
    while not over:
        action = actions[(k - first) % len(actions)]
        targets[int(recording.row[k])] = TARGETS[action] * size
        _, _, terminated, over, told = env.step(np.int64(action))
        assert not terminated
        k += 1
        assert told["decision"] == k
        account = env._account
        states.append((int(account.clock[POSITION]) * lot, float(account.money[CASH]), float(account.money[FEES])))
    assert k == recording.last[first]
    return states, targets


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_fills_are_those_of_a_backtest(data: st.DataObject) -> None:
    """On tapes that go to every corner: resets, holes, torn messages, crossed books, clocks that go back."""
    config = small(data.draw(st.sampled_from([0, 100 * MS])))
    tape = data.draw(tapes(config))
    latency = data.draw(st.sampled_from([0, 1, 10 * MS]))
    response = data.draw(st.sampled_from([0, 10 * MS]))
    limit = data.draw(st.sampled_from([float("inf"), 1.0]))
    execution = ExecutionConfig(
        latency_entry_ns=latency, latency_response_ns=response, one_clock=data.draw(st.booleans()), max_position=limit
    )
    if data.draw(st.booleans()):
        tape = data.draw(with_funding(tape))
    grid = grid_of([tape])
    assume(grid is not None)
    size = data.draw(st.sampled_from([1, 3, 40])) * float(grid.lot)
    batches = list(split(tape, data.draw(splits(tape.rows))))
    try:
        recording = record(
            batches, config, execution, grid, (), step_ns=data.draw(st.sampled_from([1, 100 * MS])), depth=60
        )
        firsts = np.flatnonzero(
            np.append(True, np.diff(recording.segment)) & (recording.last > np.arange(len(recording)))
        )
        assume(len(firsts))
    except ValueError:  # too few decisions
        assume(False)
    first = int(data.draw(st.sampled_from(firsts.tolist())))
    actions = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=12))
    assert_as_in_a_backtest(batches, config, recording, first, actions, size)


def assert_as_in_a_backtest(
    tape: list[TapeBatch], config: FeatureConfig, recording: Recording, first: int, actions: list[int], size: float
) -> int:
    """Position, cash and fees at each decision of an episode; returns at how many of them fees had been paid anew."""
    states, targets = walked(recording, first, actions, size)
    engine = TradeEngine(config, recording.execution, recording.grid, strategy=Follow(targets))
    equity = [part.equity.value for batch in tape for part in engine.trade(batch)]
    rows = recording.row[first + 1 : first + 1 + len(states)]
    expected = np.concatenate(equity, axis=1)[:, rows]
    got = np.array(states).T
    np.testing.assert_array_equal(got[1:], expected[[1, 4]])  # cash and fees, to the bit
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-12)
    return len(set(got[2])) - 1


def sixty_seconds() -> list[TapeBatch]:
    market = SyntheticMarket(Instrument("binance_futures", "BTCUSDT"), 7, START)
    return list(synthetic_tape(market, START + 60 * SECOND))


@pytest.fixture(scope="module")
def tape() -> list[TapeBatch]:
    return sixty_seconds()


def recorded(tape: list[TapeBatch], **more: Any) -> Recording:
    return record(tape, FeatureConfig(), ExecutionConfig(), grid_of(tape), COLUMNS, **more)


@pytest.fixture(scope="module")
def recording(tape: list[TapeBatch]) -> Recording:
    return recorded(tape)


def with_four_fundings(tape: list[TapeBatch]) -> list[TapeBatch]:
    """Before an order of the tenth second's decision acts, and after it."""
    whole = concat(tape)
    due = [START // MS + 10_000 + more for more in (5, 150, 1_020, 2_500)]  # a decision is at 0, its order acts at 10
    at = int(np.searchsorted(whole.exchange_ts, START + 9 * SECOND))
    places = np.searchsorted(whole.exchange_ts, [START + 9 * SECOND, *(d * MS for d in due[:3])], side="right")
    places[1:] += 1  # each is told of when the one before is settled
    n = len(due)
    columns = {
        "exchange_ts": [whole.exchange_ts[at]] * n, "receive_ts": [whole.receive_ts[at]] * n, "sequence": due,
        "kind": [FUNDING] * n, "side": [0] * n, "price": [1e-2, -2e-2, 3e-2, 1e-3], "size": [8.0] * n,
        "last": [True] * n,
    }  # fmt: skip
    mixed = {name: np.insert(getattr(whole, name), places, values) for name, values in columns.items()}
    return [tape_batch(ordinal=np.arange(whole.rows + n), **mixed)]


def test_a_position_pays_funding_as_in_a_backtest(tape: list[TapeBatch]) -> None:
    funded = with_four_fundings(tape)
    recording = recorded(funded)
    assert recording.settled.shape == (2, 4)
    first = int(recording.settled[0, 0]) - 2
    assert_as_in_a_backtest(funded, FeatureConfig(), recording, first, [2, 0], 0.02)
    env = Trading(recording, size=0.02, reward="pnl")
    env.reset(options={"start": first})
    for _ in range(6):
        env.step(np.int64(2))
    price, rate = recording.funding
    assert env._account.money[FUNDING_PAID] == pytest.approx(0.02 * (price * rate).sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("sampling", "entry", "response", "size"),
    [
        (0, 0, 0, 0.001),
        (0, MS, MS, 3.0),
        (100 * MS, 0, 0, 3.0),
        (0, 10 * MS, 300 * MS, 8.0),
        (100 * MS, 300 * MS, 0, 1.0),
    ],
)
def test_orders_that_take_levels_are_those_of_a_backtest(
    tape: list[TapeBatch], sampling: int, entry: int, response: int, size: float
) -> None:
    """Large orders, one soon after the other: what they took of a level is missing until the level changes."""
    config = FeatureConfig(sampling_ns=sampling)
    execution = ExecutionConfig(latency_entry_ns=entry, latency_response_ns=response)
    recording = record(tape, config, execution, grid_of(tape), (), step_ns=20 * MS, depth=200)
    actions = np.random.default_rng(5).integers(0, 3, 997).tolist()
    assert assert_as_in_a_backtest(tape, config, recording, 0, actions, size) > 100


@pytest.mark.filterwarnings("ignore:.*A Box observation space")
def test_gymnasium_is_content(recording: Recording) -> None:
    env = gym.make("tickwax/Trading-v0", recording=recording, size=0.01)
    check_env(env.unwrapped, skip_render_check=True)
    assert env.observation_space.shape == (len(COLUMNS) + OWN,)


def test_decisions_are_a_step_apart(recording: Recording) -> None:
    assert len(recording) >= 55
    assert (np.diff(recording.ts) == SECOND).all()
    assert (recording.act == recording.local_ts + 10 * MS).all()
    assert (recording.local_ts >= recording.ts).all()
    assert (recording.price[:, 0, 0] < recording.price[:, 1, 0]).all()


def test_a_round_trip_pays_spread_and_fees(recording: Recording) -> None:
    env = Trading(recording, size=0.01, reward="pnl")
    env.reset(options={"start": 5})
    _, paid, *_ = env.step(np.int64(2))
    (price, lots, fee, act) = env.fills[:, 0]
    assert (price, lots, act) == (recording.price[5, 1, 0], 10, recording.act[5])
    assert fee == price * 0.01 * 5 / 10_000
    capital = 0.01 * recording.mid[5]
    assert paid == pytest.approx((0.01 * (recording.mid[6] - price) - fee) / capital * 1e4)
    observation, back, _, _, told = env.step(np.int64(1))
    sold = recording.price[6, 0, 0]
    profit = 0.01 * (sold - price) - told["fees"]
    assert paid + back == pytest.approx(profit / capital * 1e4)
    assert observation[len(COLUMNS)] == 0.0
    assert told["cash"] == pytest.approx(profit)


def test_rewards_are_differential_sharpe_ratios_of_returns(recording: Recording) -> None:
    actions = np.random.default_rng(3).integers(0, 3, 40)
    walks = []
    for reward in ("pnl", "sharpe"):
        env = Trading(recording, size=0.01, reward=reward, eta=0.05)
        env.reset(options={"start": 2})
        walks.append([env.step(a)[1] for a in actions])
    assert walks[1] == DifferentialSharpe(0.05).update_all(walks[0]).tolist()


def test_observations_tell_position_and_what_it_is_worth(recording: Recording) -> None:
    env = Trading(recording, size=0.01)
    env.reset(options={"start": 5})
    seen = env.step(np.int64(0))[0]
    price, n = env.fills[0, 0], len(COLUMNS)
    assert seen[n] == -1.0
    assert seen[n + 1] == 0.0
    assert seen[n + 2] == 0.0
    later = env.step(np.int64(0))[0]
    assert later[n + 1] == pytest.approx(-(recording.quote[7] / recording.quote[6] - 1) * 1e4, rel=1e-5, abs=1e-6)
    assert later[n + 2] == np.float32(0.01)
    assert later[n + 3] == pytest.approx(recording.spread[7] / recording.quote[7] * 1e4, rel=1e-6)
    assert env.fills[0, 0] == price  # nothing more was sent


def test_the_future_changes_nothing(tape: list[TapeBatch], recording: Recording) -> None:
    """Rows after a decision's are replaced: what was seen up to it, and what came of orders before, stays."""
    k = 30
    until = recording.local_ts[k]

    def poisoned(batch: TapeBatch) -> TapeBatch:
        later = batch.receive_ts > until
        price = np.where(later, batch.price * 3, batch.price)
        return batch._replace(price=price, size=np.where(later, batch.size * 5, batch.size))

    other = record([poisoned(b) for b in tape], FeatureConfig(), ExecutionConfig(), recording.grid, COLUMNS)
    assert (other.features[k + 2] != recording.features[k + 2]).any()
    actions = np.random.default_rng(4).integers(0, 3, k)
    walks = []
    for each in (recording, other):
        env = Trading(each, size=0.01)
        seen = [env.reset(options={"start": 0})[0]]
        rewards = []
        for action in actions:
            observation, reward, *_ = env.step(action)
            seen.append(observation)
            rewards.append(reward)
        walks.append((np.array(seen).tobytes(), rewards))
    assert walks[0] == walks[1]


def test_no_step_leads_over_a_reset(tape: list[TapeBatch]) -> None:
    market = SyntheticMarket(Instrument("binance_futures", "BTCUSDT"), 8, START + 65 * SECOND)
    after = list(synthetic_tape(market, START + 90 * SECOND))
    reset = after[0].slice(0, 1)._replace(kind=np.array([RESET], np.int8))
    broken = recorded([*tape, reset, *after])
    assert broken.segment[[0, -1]].tolist() == [0, 1]
    last = int(broken.last[0])
    assert last == np.flatnonzero(broken.segment == 0)[-1]
    env = Trading(broken, size=0.01)
    env.reset(options={"start": last - 1})
    *_, terminated, truncated, _ = env.step(np.int64(1))
    assert (terminated, truncated) == (False, True)
    with pytest.raises(ValueError, match=r"^step: the episode is over"):
        env.step(np.int64(1))
    with pytest.raises(ValueError, match=rf"^start: decision {last} is the last"):
        env.reset(options={"start": last})


def test_any_split_gives_the_same_recording(tape: list[TapeBatch], recording: Recording) -> None:
    again = recorded([TapeBatch(*(column[i : i + 777] for column in b)) for b in tape for i in range(0, b.rows, 777)])
    for name in (
        "features", "ts", "local_ts", "row", "mid", "quote", "spread", "act", "next_decision", "known", "price", "size",
        "since",
    ):  # fmt: skip
        assert getattr(again, name).tobytes() == getattr(recording, name).tobytes(), name


def test_many_agents_have_the_bits_of_one(recording: Recording) -> None:
    task = Task(size=0.01, episode=7, eta=0.1)
    many, alone = TradingVector([recording, recording], [task, task], 5), [Trading(recording, task) for _ in range(5)]
    seen, _ = many.reset(seed=1)
    rng, fresh = np.random.default_rng(0), np.ones(5, bool)
    assert len(set(many._accounts.clock[:, ROW])) > 1
    for _ in range(30):
        for e in np.flatnonzero(fresh):  # an episode has begun
            first = alone[e].reset(options={"start": int(many._accounts.clock[e, ROW])})[0]
            assert first.tobytes() == seen[e].tobytes()
        over = np.array([env._over for env in alone])
        actions = rng.integers(0, 3, 5)
        seen, rewards, terminated, truncated, _ = many.step(actions)
        assert not terminated.any()
        for e in np.flatnonzero(~over):
            one, reward, _, over_now, _ = alone[e].step(actions[e])
            assert (one.tobytes(), reward, over_now) == (seen[e].tobytes(), rewards[e], truncated[e])
        assert not rewards[over].any()
        fresh = over


def test_an_order_beyond_what_was_kept_is_refused(tape: list[TapeBatch]) -> None:
    env = Trading(recorded(tape, depth=1), size=1000.0)
    env.reset(options={"start": 3})
    with pytest.raises(ValueError, match=r"^depth: an order took all 1 levels"):
        env.step(np.int64(2))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"size": 0.0}, "size: 0.0 is no multiple"), ({"size": 0.0015}, "size: 0.0015"),
        ({"reward": "x"}, "reward: 'x'"),
        ({"eta": 0.0}, "eta: 0"), ({"episode": 0}, "episode: 0"), ({"scale": [1.0]}, "scale: 1 numbers"),
        ({"scale": [0.0, 1.0]}, "scale: "), ({"mean": [np.nan, 0.0]}, "mean: nan"),
    ],
)  # fmt: skip
def test_bad_tasks_are_refused(recording: Recording, change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        Trading(recording, **{"size": 0.01, **change})


def test_bad_recordings_are_refused(tape: list[TapeBatch]) -> None:
    with pytest.raises(ValueError, match=r"^columns: 'nothing' is no column"):
        record(tape, FeatureConfig(), ExecutionConfig(), grid_of(tape), ("nothing",))
    with pytest.raises(ValueError, match=r"^tape: has 0 decisions"):
        record([], FeatureConfig(), ExecutionConfig(), grid_of(tape), COLUMNS)
