"""Rules between a strategy and the exchange: what passes, what does not, and the same bits in every form and split."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.config import MS, FeatureConfig
from operators.execution.grid import Grid
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.state import Commands, ExecutionConfig
from operators.execution.words import AMEND, CANCEL, LIMIT, MARKET, WITHHELD
from operators.rules.applying import apply_once, make_log
from operators.rules.rule import parse_rule
from operators.rules.schemas import APPLIED
from operators.rules.table import make_table
from operators.schema import feature_columns
from operators.strategies.momentum import Momentum
from operators.trade_engine import TradeEngine
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from synthetic.market import SyntheticMarket, synthetic_tape
from tests.execution.test_exchange import texts
from tests.execution.test_strategies import MomentumInPython

LOT = 0.001
CONFIG = FeatureConfig(sampling_ns=100 * MS)
COLUMNS = {c.name: c.row for c in feature_columns(CONFIG) if c.array == "value"}
START = 1_767_571_200_000_000_000


def table_of(*rules, columns=None, **more):
    parsed = [parse_rule(rule) for rule in rules]
    return make_table(parsed, range(1, len(rules) + 1), columns or {"a": 0}, **more)


def when(column, op, value, **action):
    return {"when": [{"column": column, "op": op, "value": value}], **(action or {"action": "veto"})}


def applied(table, sent, position, context=(1.0,)):
    """Commands after the rules, as (action, side, lots), and the log."""
    commands = Commands(np.zeros(1, np.int64), np.zeros((4, 256), np.int64), np.zeros((2, 256)))
    for i, (action, side, lots) in enumerate(sent):
        commands.integer[:, i] = 0, side, action, 0
        commands.value[:, i] = 100.0, lots * LOT
    commands.noted[0] = len(sent)
    log = make_log()
    apply_once(table, np.array(context), 7, 8, position * LOT, LOT, commands, log)
    out = [
        (int(commands.integer[2, i]), int(commands.integer[1, i]), round(float(commands.value[1, i]) / LOT, 6))
        for i in range(len(sent))
    ]
    return out, log.take()


VETO, HALF = when("a", ">", 0), when("a", ">", 0, action="scale", scale=0.5)


def test_new_positions_are_vetoed_and_exits_pass():
    sent = [(CANCEL, 0, 1), (LIMIT, 1, 3), (MARKET, -1, 4), (AMEND, 0, 9), (MARKET, -1, 4)]
    out, log = applied(table_of(VETO), sent, position=5)
    assert out == [(CANCEL, 0, 1), (WITHHELD, 1, 3), (MARKET, -1, 4), (AMEND, 0, 9), (MARKET, -1, 1)]
    assert log.integer[:, 0].tolist() == [7, 8, 1, 2]
    assert log.value[1:, 0].tolist() == pytest.approx([0.0, 6 * LOT, 0.0])  # 3 of the buy, 3 beyond the position


def test_a_scale_leaves_whole_lots():
    out, log = applied(table_of(HALF), [(MARKET, 1, 5), (MARKET, -1, 1), (LIMIT, 1, 1)], position=0)
    assert out == [(MARKET, 1, 2), (WITHHELD, -1, 1), (WITHHELD, 1, 1)]
    assert log.code[0, 0] == 1


def test_nothing_is_done_where_no_rule_holds_or_nothing_is_new():
    sent = [(MARKET, 1, 5)]
    for table, given_, position in (
        (table_of(when("a", ">", 2)), sent, 0),
        (table_of(), sent, 0),
        (table_of(VETO), [(CANCEL, 0, 1)], 0),
        (table_of(VETO), [(MARKET, -1, 5)], 5),
    ):
        out, log = applied(table, given_, position)
        assert out == given_
        assert log.rows == 0


sizes = st.tuples(st.sampled_from([LIMIT, MARKET, CANCEL]), st.sampled_from([1, -1]), st.integers(1, 9))


@given(st.lists(sizes, max_size=6), st.integers(-9, 9), st.sampled_from([0.0, 0.25, 0.5, 0.9]))
@settings(max_examples=80, deadline=None)
def test_against_an_oracle(sent, position, scale):
    rule = VETO if scale == 0 else when("a", ">", 0, action="scale", scale=scale)
    found, _ = applied(table_of(rule), sent, position)
    wanted, left = [], {1: max(-position, 0), -1: max(position, 0)}
    for action, side, lots in sent:
        if action == CANCEL:
            wanted.append((action, side, lots))
            continue
        closing = min(lots, left[side])
        left[side] -= closing
        total = closing + int(Fraction(str(scale)) * (lots - closing))
        wanted.append((action, side, total) if total else (WITHHELD, side, lots))
    assert found == wanted


@pytest.fixture(scope="module")
def tape():
    return list(synthetic_tape(SyntheticMarket(Instrument("v", "S"), 7, START), START + 30_000_000_000))


def run(tape, strategy, rules, rows_at_once=None):
    grid = Grid(Fraction(1, 10), Fraction(1, 1000))
    engine = TradeEngine(CONFIG, ExecutionConfig(), grid, strategy=strategy, rules=rules)
    parts = []
    for batch in tape:
        step = rows_at_once or batch.rows
        for start in range(0, batch.rows, step):
            rows = TapeBatch._make(column[start : start + step] for column in batch)
            parts += engine.trade(rows)
    schemas = {"orders": ORDERS, "fills": FILLS, "equity": EQUITY, "applied": APPLIED}
    return {name: texts(schema, [getattr(p, name) for p in parts]) for name, schema in schemas.items()}


def test_both_forms_and_any_split_give_the_same_bits(tape):
    volatility = np.zeros((2, 1))
    rules = [when("ofi_momentum", ">", 0), when("spread", ">", 0.005, action="scale", scale=0.5)]

    def table():
        return table_of(*rules, columns=COLUMNS, names=["volatility"], mean=[0], spread=[1e-5], vectors=volatility)

    free = run(tape, Momentum(0.004, 1.0, 0.2), None)
    held = run(tape, Momentum(0.004, 1.0, 0.2), table())
    assert free["applied"] == []
    assert len(held["applied"]) > 10
    assert {row[4] for row in held["applied"]} == {"veto", "scale"}
    assert len(held["fills"]) != len(free["fills"])
    assert run(tape, MomentumInPython(0.004, 1.0, 0.2), table()) == held
    assert run(tape, Momentum(0.004, 1.0, 0.2), table(), rows_at_once=97) == held


def test_a_vetoed_order_keeps_its_number(tape):
    class Numbered:
        columns = ("spread",)
        sent = 0

        def decide(self, view, orders):
            for order in view.working:
                assert order.order_id <= self.sent
            if self.sent < 40 and not view.working:
                orders.market(1 if self.sent % 4 < 2 else -1, 0.001)
                self.sent += 1

    odd = table_of(when("spread", ">", -1), columns=COLUMNS)
    assert run(tape, Numbered(), odd)["orders"] == []
    some = run(tape, Numbered(), table_of(when("ofi_momentum", ">", 0), columns=COLUMNS))
    ids = sorted({int(row[2]) for row in some["orders"]})
    assert ids[-1] > len(ids)  # numbers of the vetoed ones are missing
