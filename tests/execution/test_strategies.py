"""Strategies on a recorded tape: both forms do the same, nobody knows the future, and the account adds up."""

from fractions import Fraction

import numpy as np
import pytest

from operators.config import MS, FeatureConfig
from operators.execution import driving
from operators.execution.columns import chosen_rows
from operators.execution.grid import Grid, GridSearch
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.state import MOST_SENT, ExecutionConfig
from operators.execution.strategy import MarketView, OrderSender, Strategy, StrategyError
from operators.feature_engine import FeatureEngine
from operators.strategies import STRATEGIES
from operators.strategies.glft import Glft
from operators.strategies.hold import Hold
from operators.strategies.momentum import Momentum
from operators.strategies.peg import Peg
from operators.strategies.twap import Twap
from operators.trade_engine import TooManyOrdersError, TradeEngine
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from synthetic.market import SyntheticMarket, synthetic_tape
from tests.execution.test_exchange import texts

INSTRUMENT = Instrument("binance_futures", "BTCUSDT")
CONFIG = FeatureConfig(sampling_ns=100 * MS)
START = 1_767_571_200_000_000_000


@pytest.fixture(scope="module")
def tape() -> list[TapeBatch]:
    market = SyntheticMarket(INSTRUMENT, 7, START)
    return list(synthetic_tape(market, START + 60_000_000_000))


@pytest.fixture(scope="module")
def grid(tape) -> Grid:
    search = GridSearch()
    for batch in tape:
        search.add(batch)
    found = search.grid()
    assert found is not None
    return found


USUAL = ExecutionConfig()


def traded(tape, grid, strategy, execution=USUAL):
    engine = TradeEngine(CONFIG, execution, grid, strategy=strategy)
    parts = [part for batch in tape for part in engine.trade(batch)]
    return (
        texts(ORDERS, [p.orders for p in parts]),
        texts(FILLS, [p.fills for p in parts]),
        texts(EQUITY, [p.equity for p in parts]),
    )


def number(text: object) -> float:
    assert isinstance(text, str)
    return float.fromhex(text)


class MomentumInPython:
    """`operators.strategies.momentum` in the other form."""

    columns = ("ofi_z_l0_1s",)

    def __init__(self, size: float, enter: float, leave: float) -> None:
        self.size, self.enter, self.leave = size, enter, leave

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        (z,) = view.columns
        if np.isnan(z) or view.working:
            return
        target = view.position
        if z >= self.enter:
            target = self.size
        elif z <= -self.enter:
            target = -self.size
        elif abs(z) <= self.leave:
            target = 0.0
        lots = round((target - view.position) / view.lot)
        if lots:
            orders.market(1 if lots > 0 else -1, abs(lots) * view.lot)


class PegInPython:
    columns = ("bid_price", "ask_price")

    def __init__(self, size: float) -> None:
        self.size = size

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        side = 1 if self.size > 0 else -1
        price = view.columns[0] if side > 0 else view.columns[1]
        left = round((self.size - view.position) * side / view.lot)
        if left <= 0:
            return
        working = view.working
        if not working:
            orders.limit(side, price, left * view.lot, "gtx")
        elif working[0].acknowledged and round(working[0].price / view.tick) != round(price / view.tick):
            orders.amend(working[0].order_id, price, working[0].leaves)


@pytest.mark.parametrize(
    ("compiled", "plain"),
    [
        (Momentum(0.5, 1.5, 0.5), MomentumInPython(0.5, 1.5, 0.5)),
        (Peg(3.0), PegInPython(3.0)),
        (Peg(-3.0), PegInPython(-3.0)),
    ],
    ids=["momentum", "peg to buy", "peg to sell"],
)
def test_both_forms_give_the_same_bits(tape, grid, compiled, plain):
    first, second = traded(tape, grid, compiled), traded(tape, grid, plain)
    assert first == second
    assert len(first[1]) > 0


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("size", [1, 997])
def test_the_split_of_the_tape_changes_nothing(tape, grid, name, size):
    whole = TapeBatch._make(np.concatenate(columns) for columns in zip(*tape, strict=True)).slice(0, 20_000)
    parts = [whole.slice(at, at + size) for at in range(0, whole.rows if size > 1 else 3000, size)]
    end = parts[-1].ordinal[-1] + 1
    strategy = STRATEGIES[name](size=0.5)
    assert traded(parts, grid, strategy) == traded([whole.slice(0, int(end))], grid, strategy)


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_decision_knows_what_comes_later(tape, grid, name):
    """The same tape with other rows from some row on: what happened before it is the same."""
    whole = TapeBatch._make(np.concatenate(columns) for columns in zip(*tape, strict=True))
    cut = int(np.flatnonzero(whole.last)[len(np.flatnonzero(whole.last)) // 2]) + 1
    poisoned = TapeBatch._make(column.copy() for column in whole)
    poisoned.size[cut:] *= 3.0
    poisoned.price[cut:] *= 2.0
    strategy, now = STRATEGIES[name](size=0.5), int(whole.exchange_ts[:cut].max())
    for true, other in zip(traded([whole], grid, strategy), traded([poisoned], grid, strategy), strict=True):
        before = [row for row in true if row[0] < now]
        assert before == [row for row in other if row[0] < now]


@pytest.mark.parametrize("strategy", [Momentum(0.5, 1.5, 0.5), Glft(0.5, 5.0), Twap(2.0, 7, 30.0), Peg(3.0)])
def test_the_account_adds_up(tape, grid, strategy):
    """In exact arithmetic, but for the rounding of each product and sum."""
    orders, fills, equity = traded(tape, grid, strategy)
    assert fills
    cash = position = Fraction(0)
    for _, _, side, price, size, fee, _, after, _ in fills:
        cash -= side * Fraction(number(price)) * Fraction(number(size)) + Fraction(number(fee))
        position += side * Fraction(number(size)).limit_denominator(10**6)
        assert float(position) == pytest.approx(number(after), abs=1e-12)
    last_position, last_cash, last_equity, mid, fees, volume = map(number, equity[-1][1:])
    assert last_cash == pytest.approx(float(cash), rel=1e-12)
    assert last_equity == last_cash + last_position * mid
    assert fees == pytest.approx(sum(number(f[5]) for f in fills), rel=1e-12)
    assert volume == pytest.approx(sum(number(f[3]) * number(f[4]) for f in fills), rel=1e-12)
    filled: dict[object, float] = {}
    for _, order_id, _, _, size, *_ in fills:
        filled[order_id] = filled.get(order_id, 0.0) + number(size)
    for _, _, order_id, _, kind, _, _, size, _, status, _ in orders:
        if status == "accepted" and order_id in filled:
            assert filled[order_id] <= number(size) * (1 + 1e-12) or kind == "limit"


def test_hold_earns_what_the_mid_moves(tape, grid):
    _, fills, equity = traded(tape, grid, Hold(1.0), ExecutionConfig(taker=0.0))
    paid = sum(number(f[3]) * number(f[4]) for f in fills)
    assert number(equity[-1][3]) == pytest.approx(number(equity[-1][4]) - paid, rel=1e-9)


def test_an_order_acts_after_what_caused_it_whatever_the_clocks(tape, grid):
    """Receive times far before exchange times, as on a recorded capture whose clock was behind by 1.27 s."""
    early = [batch._replace(receive_ts=batch.exchange_ts - 1_270_000_000) for batch in tape]
    orders, _, equity = traded(early, grid, Hold(1.0), ExecutionConfig(latency_entry_ns=0))
    whole = np.concatenate([batch.exchange_ts for batch in tape])
    completed = int(whole[whole > equity[0][0]][0])
    assert orders[0][0] >= completed


def test_a_market_order_waits_for_its_latency(tape, grid):
    late = ExecutionConfig(latency_entry_ns=2_000_000_000, latency_response_ns=3_000_000_000)
    orders, fills, equity = traded(tape, grid, Hold(1.0), late)
    assert orders[0][0] >= equity[0][0] + 2_000_000_000
    assert orders[0][1] == orders[0][0] + 3_000_000_000
    assert fills[0][0] == orders[0][0]


class Many:
    columns = ()

    def __init__(self, count: int) -> None:
        self.count = count

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        for _ in range(self.count):
            orders.limit(1, view.tick, view.lot)


def test_orders_without_end_are_refused(tape, grid):
    with pytest.raises(TooManyOrdersError, match="more than 256 orders at once"):
        traded(tape, grid, Many(MOST_SENT + 1))
    with pytest.raises(TooManyOrdersError, match="while 1024 of its orders are open or on their way"):
        traded(tape, grid, Many(MOST_SENT), ExecutionConfig(latency_response_ns=10**15))


def test_too_many_open_orders_are_rejected_and_go_on(tape, grid):
    orders, _, _ = traded(tape[:40], grid, Many(100))
    assert ("rejected", "too many") in {(row[9], row[10]) for row in orders}


def test_a_strategy_that_raises_is_said_to(tape, grid):
    class Broken(Many):
        def decide(self, view: MarketView, orders: OrderSender) -> None:
            raise ZeroDivisionError("of my own")

    with pytest.raises(StrategyError, match=r"Broken failed at the feature row of 2026-01-05T00:00:00\S*Z") as caught:
        traded(tape, grid, Broken(1))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_column_that_is_not_there_is_refused(grid):
    class Odd(Many):
        columns = ("nope",)

    strategy: Strategy = Odd(1)
    with pytest.raises(ValueError, match="asks for 'nope', which is no column of numbers"):
        TradeEngine(CONFIG, ExecutionConfig(), grid, strategy=strategy)


def test_what_fees_cost_is_what_they_say(tape, grid):
    strategy = Momentum(1.0, 0.5, 0.4)
    *_, equity = traded(tape, grid, strategy, ExecutionConfig(taker=5.0))
    *_, free = traded(tape, grid, strategy, ExecutionConfig(taker=0.0))
    fees, volume = number(equity[-1][5]), number(equity[-1][6])
    assert fees > 0.0
    assert fees == pytest.approx(5e-4 * volume, rel=1e-12)
    assert number(free[-1][3]) - number(equity[-1][3]) == pytest.approx(fees, rel=1e-9)


def test_the_compiled_loop_of_a_shipped_strategy_is_kept_in_a_file(tape, grid, monkeypatch):
    traded(tape[:1], grid, Hold())  # compiles it, where it is not kept already
    made = {}
    monkeypatch.setattr(driving, "_driven", made)
    first = traded(tape, grid, Hold())
    (kept,) = made.values()
    assert sum(kept._compiled.stats.cache_hits.values()) == 1
    assert sum(kept._compiled.stats.cache_misses.values()) == 0
    assert first == traded(tape, grid, Hold())


class _Looks(Strategy):
    """Notes what it sees, and sends an order to buy or to sell at each decision, so that the exchange needs room."""

    def __init__(self, columns):
        self.columns, self.seen = columns, []

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        self.seen.append(list(view.columns))
        orders.market(1 if len(self.seen) % 2 else -1, 0.01)


@pytest.mark.parametrize("columns", [("bid_price",), ("price_ffd", "volume_ffd")])
@pytest.mark.parametrize("rows", [7, 1000, None])
def test_features_are_those_of_a_replay_whatever_a_strategy_looks_at(tape, grid, columns, rows):
    some = tape if rows is None else [b.slice(i, min(i + rows, b.rows)) for b in tape for i in range(0, b.rows, rows)]
    strategy, alone = _Looks(columns), FeatureEngine(CONFIG)
    engine = TradeEngine(CONFIG, USUAL, grid, strategy=strategy)
    given = [part.features.value.copy() for batch in some for part in engine.trade(batch) if part.features.rows]
    wanted = np.concatenate([part.value.copy() for batch in tape for part in alone.parts(batch)], axis=1)
    np.testing.assert_array_equal(np.concatenate(given, axis=1), wanted)
    names = chosen_rows(columns, CONFIG)
    np.testing.assert_array_equal(np.transpose(strategy.seen), wanted[names])
