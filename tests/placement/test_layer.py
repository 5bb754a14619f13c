"""Parent orders on a tape: done and never overdone, the same bits however run, by nobody who knows the future."""

import numpy as np
import pytest

from operators.config import MS, FeatureConfig
from operators.execution.grid import Grid, GridSearch
from operators.execution.schemas import FILLS, ORDERS
from operators.execution.state import ExecutionConfig
from operators.execution.strategy import MarketView, OrderSender
from operators.placement.dp import always_post, solve
from operators.placement.log import PLACEMENTS
from operators.placement.market import ACTIONS, PLACES, SHARES
from operators.placement.mcts import TreeSearch
from operators.placement.plan import METHODS, Placement
from operators.placement.probe import Probe
from operators.strategies.momentum import Momentum
from operators.trade_engine import TradeEngine
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from synthetic.market import SyntheticMarket, synthetic_tape
from tests.execution.test_exchange import texts
from tests.placement.markets import likely_market

INSTRUMENT = Instrument("binance_futures", "BTCUSDT")
CONFIG = FeatureConfig(sampling_ns=100 * MS)
START = 1_767_571_200_000_000_000
SLOW, STEPS = ExecutionConfig(latency_entry_ns=30 * MS, latency_response_ns=130 * MS), 12
STRATEGY = Momentum(0.5, 1.5, 0.5)


@pytest.fixture(scope="module")
def tape() -> TapeBatch:
    market = SyntheticMarket(INSTRUMENT, 7, START)
    parts = synthetic_tape(market, START + 40_000_000_000)
    return TapeBatch._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


@pytest.fixture(scope="module")
def grid(tape) -> Grid:
    search = GridSearch()
    search.add(tape)
    found = search.grid()
    assert found is not None
    return found


def placement(method: str, steps: int = STEPS) -> Placement:
    return Placement(method, likely_market(1), steps=steps, simulations=60)


def engine(grid, method, strategy=STRATEGY, execution=SLOW, steps=STEPS):
    return TradeEngine(
        CONFIG, execution, grid, strategy=strategy, placement=placement(method, steps), name=str(INSTRUMENT)
    )


def columns(schema, rows):
    names = [column.name for column in schema.columns]
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def traded(parts):
    return tuple(texts(schema, [getattr(p, schema.name) for p in parts]) for schema in (ORDERS, FILLS, PLACEMENTS))


def number(text) -> float:
    return float.fromhex(text) if text != "nan" else np.nan


@pytest.mark.parametrize("method", METHODS[:4])
@pytest.mark.parametrize("execution", [ExecutionConfig(), SLOW], ids=["fast", "slow"])
def test_every_parent_is_done_and_none_is_overdone(tape, grid, method, execution):
    run = engine(grid, method, execution=execution)
    orders, fills, rows = traded(list(run.trade(tape)))
    p, f = columns(PLACEMENTS, rows), columns(FILLS, fills)
    parent = {child: number for number, child in zip(p["parent_id"], p["order_id"], strict=True) if child}
    assert set(f["order_id"]) <= set(parent)  # nothing trades but for a parent
    done = {number for number, action in zip(p["parent_id"], p["action"], strict=True) if action == "done"}
    assert len(done) > 5
    lots: dict[int, int] = {}
    for order_id, size in zip(f["order_id"], f["size"], strict=True):
        number_ = parent[order_id]
        lots[number_] = lots.get(number_, 0) + round(number(size) / float(grid.lot))
    whole = {}
    for number_, leaves in zip(p["parent_id"], p["leaves"], strict=True):
        whole.setdefault(number_, round(number(leaves) / float(grid.lot)))
    for number_ in done:
        assert lots[number_] == whole[number_]
    assert all(lots[n] <= whole[n] for n in lots)
    # Of one parent no two orders are open at once.
    open_now: dict[int, int] = {}
    o = columns(ORDERS, orders)
    for order_id, status in zip(o["order_id"], o["status"], strict=True):
        if status == "accepted":
            assert open_now.setdefault(parent[order_id], order_id) == order_id
        elif status in ("filled", "cancelled", "expired") and order_id in parent:
            open_now.pop(parent[order_id], None)
    if method != "twap":
        begun = dict(zip(reversed(p["parent_id"]), reversed(p["ts"]), strict=True))
        late = [ts - begun[n] for n, ts in zip(p["parent_id"], p["ts"], strict=True)]
        assert max(late) <= STEPS * 250 * MS + 1000 * MS


def test_the_state_is_that_of_the_features_and_the_action_that_of_the_solution(tape, grid):
    market = likely_market(1)
    solution = solve(market, STEPS)
    parts = list(engine(grid, "dp").trade(tape))
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    features = {int(ts): v for p in parts for ts, v in zip(p.features.integer[0], p.features.value[:4].T, strict=True)}
    p = columns(PLACEMENTS, traded(parts)[2])
    decided = 0
    for i, action in enumerate(p["action"]):
        bid, bid_size, ask, ask_size = features[p["ts"][i]]
        assert number(p["mid"][i]) == (bid + ask) / 2, names
        own = bid_size if p["side"][i] > 0 else ask_size
        assert p["share"][i] == min(int(5 * own / (bid_size + ask_size)), 4)
        assert p["spread"][i] == min(round((ask - bid) / float(grid.tick)), 3)
        if np.isnan(number(p["cost_take"][i])):
            continue
        column = next(c for c in PLACEMENTS.columns if c.name == "place")
        state = ((p["spread"][i] - 1) * SHARES + p["share"][i]) * len(PLACES) + column.words.index(p["place"][i])
        assert action == ACTIONS[solution.action[p["left"][i], state]]
        found = [number(p[f"cost_{name}"][i]) for name in ACTIONS]
        np.testing.assert_array_equal(np.nan_to_num(found, nan=np.inf), solution.costs[p["left"][i], state])
        decided += 1
    assert decided > 20


def test_a_search_is_that_of_the_module_alone_and_of_its_seed(tape, grid):
    market = likely_market(1)
    p = columns(PLACEMENTS, traded(list(engine(grid, "mcts").trade(tape)))[2])
    search, same = TreeSearch(market, always_post(market, STEPS), simulations=2000), []
    words = next(c for c in PLACEMENTS.columns if c.name == "place").words
    for i, action in enumerate(p["action"]):
        visits = [p[f"visits_{name}"][i] for name in ACTIONS]
        if sum(visits):
            assert sum(visits) == 60
            state = ((p["spread"][i] - 1) * SHARES + p["share"][i]) * len(PLACES) + words.index(p["place"][i])
            same.append(ACTIONS[search.decide(p["left"][i], state, 1, i).action] == action)
    assert len(same) > 20
    assert np.mean(same) > 0.7  # 60 simulations choose what 2000 do, most of the time
    other = TradeEngine(CONFIG, SLOW, grid, strategy=STRATEGY, placement=placement("mcts"), name="another:NAME")
    assert columns(PLACEMENTS, traded(list(other.trade(tape)))[2]) != p


def test_the_split_of_the_tape_changes_nothing(tape, grid):
    first = traded(list(engine(grid, "mcts").trade(tape)))
    run = engine(grid, "mcts")
    cut = [part for at in range(0, tape.rows, 997) for part in run.trade(tape.slice(at, at + 997))]
    assert traded(cut) == first


def test_a_resumed_run_goes_on_with_the_same_bits(tape, grid):
    first = traded(list(engine(grid, "mcts").trade(tape)))
    for at in (9_001, 13_000):
        run = engine(grid, "mcts")
        parts = list(run.trade(tape.slice(0, at)))
        state, run = run.snapshot(), engine(grid, "mcts")
        run.resume(state)
        parts += run.trade(tape.slice(at, tape.rows))
        assert traded(parts) == first


def test_no_decision_knows_what_comes_later(tape, grid):
    cut = int(np.flatnonzero(tape.last)[len(np.flatnonzero(tape.last)) // 2]) + 1
    poisoned = TapeBatch._make(column.copy() for column in tape)
    poisoned.size[cut:] *= 3.0
    poisoned.price[cut:] *= 2.0
    now = int(tape.exchange_ts[:cut].max())
    true, other = (traded(list(engine(grid, "mcts").trade(rows))) for rows in (tape, poisoned))
    for one, two in zip(true, other, strict=True):
        before = [row for row in one if row[0] < now]
        assert len(before) > 10
        assert before == [row for row in two if row[0] < now]


class InPython:
    """`operators.strategies.momentum` in the other form."""

    columns = ("ofi_z_l0_1s",)

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        (z,) = view.columns
        if np.isnan(z) or view.working:
            return
        target = 0.5 if z >= 1.5 else -0.5 if z <= -1.5 else 0.0 if abs(z) <= 0.5 else view.position
        lots = round((target - view.position) / view.lot)
        if lots:
            orders.market(1 if lots > 0 else -1, abs(lots) * view.lot)


@pytest.mark.parametrize("method", ["peg", "mcts"])
def test_both_forms_of_a_strategy_give_the_same_bits(tape, grid, method):
    short = tape.slice(0, 8_000)
    one, other = (traded(list(engine(grid, method, s).trade(short))) for s in (STRATEGY, InPython()))
    assert one == other
    assert one[1]


class Quoting:
    """Has a limit order and a parent at once, and cancels the parent after a while."""

    columns = ("bid_price",)

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.step = 0

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        self.step += 1
        self.seen.append([order.order_id for order in view.working])
        (bid,) = view.columns
        if self.step == 1:
            orders.limit(1, bid - 50 * view.tick, view.lot, "gtx")
            orders.market(-1, 3 * view.lot)
            orders.limit(1, bid - 60 * view.tick, view.lot, "gtx")
        if self.step == 6:
            orders.cancel(2)


def test_a_strategy_sees_its_parents_and_its_own_orders(tape, grid):
    strategy = Quoting()
    # A limit that nobody reaches: the child stands behind until its parent is cancelled.
    run = TradeEngine(CONFIG, SLOW, grid, strategy=strategy, placement=Placement("twap", steps=400), name="a:B")
    orders, fills, rows = traded(list(run.trade(tape.slice(0, 8_000))))
    assert strategy.seen[1] == [1, 2, 3]
    assert strategy.seen[5] == [1, 2, 3]
    assert strategy.seen[7] == [1, 3]
    assert not fills
    p = columns(PLACEMENTS, rows)
    assert p["action"][-1] == "done"
    assert number(p["leaves"][-1]) == 3 * float(grid.lot)
    assert {row[2] for row in orders} == {1, 3}


def test_a_probe_is_everywhere(tape, grid):
    run = engine(grid, "explore", Probe(float(grid.lot)), ExecutionConfig(), steps=1 << 40)
    p = columns(PLACEMENTS, traded(list(run.trade(tape)))[2])
    assert set(p["place"]) == set(next(c for c in PLACEMENTS.columns if c.name == "place").words)
    assert set(p["action"]) == {"wait", "join", "improve", "behind", "done"}


def test_what_it_refuses():
    for wrong, says in (
        ({"method": "pegg"}, "method: 'pegg' is not one of peg, twap, dp, mcts, explore"),
        ({"method": "dp"}, "method: dp needs a model"),
        ({"method": "peg", "steps": 0}, "steps: 0 is not at least 1"),
    ):
        with pytest.raises(ValueError, match=says):
            Placement(**wrong)
