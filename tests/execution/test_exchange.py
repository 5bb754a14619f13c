"""The simulated exchange against a brute force: the same bits, whatever the tape, the schedule and the batches."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from operators.config import MS, SECOND, FeatureConfig
from operators.execution.grid import Grid, GridSearch
from operators.execution.latency import Latency
from operators.execution.schedule import Schedule
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.state import ExecutionConfig
from operators.execution.words import ACTIONS, TIMES_IN_FORCE
from operators.row_batch import RowBatch, RowSchema
from operators.trade_engine import TradeEngine
from sources.tape.batch import FUNDING, MARK, TapeBatch, tape_batch
from tests.oracle.exchange import Command, Law, simulate
from tests.strategies import split, splits, tapes, with_derivatives

LATENCIES = (0, 1, 10 * MS, 300 * MS)


def small(sampling_ns: int) -> FeatureConfig:
    return FeatureConfig(
        sampling_ns=sampling_ns, windows=(("1s", SECOND),), depths=(1,), zscore_window=2, max_hold_ns=SECOND,
        price_d=1.0, volume_d=1.0, fdi_window=3, fdi_interval_ns=SECOND, volatility_window=2,
    )  # fmt: skip


def texts(schema: RowSchema, batches: list[RowBatch]) -> list[tuple[object, ...]]:
    """The rows of a data set; numbers as their bits, so that NaN is NaN and −0.0 is not 0.0."""
    rows: list[tuple[object, ...]] = []
    for batch in batches:
        columns = []
        for column in schema.columns:
            values = getattr(batch, column.array)[column.row].tolist()
            if column.type == "word":
                values = [column.words[code] if code >= 0 else "" for code in values]
            columns.append([bits(x) for x in values])
        rows += zip(*columns, strict=True)
    return rows


def bits(x: object) -> object:
    return "nan" if isinstance(x, float) and math.isnan(x) else x.hex() if isinstance(x, float) else x


def as_schedule(commands: list[Command]) -> Schedule:
    def column(values: list[object], dtype: str) -> np.ndarray:
        return np.array(values, dtype)

    return Schedule(
        local_ts=column([c.local_ts for c in commands], "i8"),
        order_id=column([c.order_id for c in commands], "i8"),
        side=column([c.side for c in commands], "i1"),
        action=column([ACTIONS.index(c.action) for c in commands], "i1"),
        tif=column([TIMES_IN_FORCE.index(c.tif) if c.tif else -1 for c in commands], "i1"),
        price=column([c.price for c in commands], "f8"),
        size=column([c.size for c in commands], "f8"),
    )


def run(
    batches: list[TapeBatch],
    config: FeatureConfig,
    execution: ExecutionConfig,
    grid: Grid,
    commands: list[Command],
    latency: Latency | None = None,
) -> tuple[list[tuple[object, ...]], ...]:
    """Rows of orders, fills and equity."""
    engine = TradeEngine(config, execution, grid, schedule=as_schedule(commands), latency=latency)
    traded = [part for batch in batches for part in engine.trade(batch)]
    return (
        texts(ORDERS, [part.orders for part in traded]),
        texts(FILLS, [part.fills for part in traded]),
        texts(EQUITY, [part.equity for part in traded]),
    )


@st.composite
def schedules(draw: st.DrawFn, tape: TapeBatch, grid: Grid, entry: int) -> list[Command]:
    """Orders that act at, just before and just after rows of the tape, at prices around its own."""
    commands: list[Command] = []
    sides = (1, -1)
    prices = tape.price[tape.price > 0]
    for order_id in range(1, draw(st.integers(1, 14)) + 1):
        row = draw(st.integers(0, tape.rows - 1))
        at = int(tape.exchange_ts[row]) - entry + draw(st.sampled_from((0, 0, -1, 1, 30 * MS)))
        what = draw(st.sampled_from(("limit",) * 8 + ("market", "cancel", "cancel", "amend")))
        near = float(prices[draw(st.integers(0, len(prices) - 1))])
        ticks = round(near / grid.tick) + draw(st.sampled_from((0, 0, 1, -1, 3, -3)))
        price = float(ticks * grid.tick) + draw(st.sampled_from((0.0,) * 9 + (float(grid.tick) / 3,)))
        lots = draw(st.sampled_from((1, 2, 5, 10, 30, 200, 10**7)))
        size = float(lots * grid.lot) * draw(st.sampled_from((1.0,) * 9 + (0.3, math.nan)))
        if what in ("cancel", "amend"):
            target = draw(st.integers(1, order_id))
            commands.append(Command(at, target, what, price=price, size=size))
            continue
        tif = draw(st.sampled_from(("gtc",) * 4 + ("gtx", "ioc"))) if what == "limit" else ""
        side = draw(st.sampled_from(sides))
        commands.append(Command(at, order_id, what, side, tif, price if what == "limit" else math.nan, size))
    return commands


@st.composite
def with_funding(draw: st.DrawFn, tape: TapeBatch) -> TapeBatch:
    """The tape with fundings that are due at times of its own rows, and mark prices; one without rows as it is."""
    if tape.rows == 0:
        return tape
    places = sorted(draw(st.lists(st.integers(0, tape.rows), min_size=1, max_size=6)))
    kinds = [draw(st.sampled_from((FUNDING, FUNDING, MARK))) for _ in places]
    due = [int(tape.exchange_ts[draw(st.integers(0, tape.rows - 1))]) // MS for _ in places]
    price = [99.5 if kind == MARK else draw(st.sampled_from((1e-2, -3e-2))) for kind in kinds]
    ts = [int(tape.exchange_ts[min(place, tape.rows - 1)]) for place in places]
    n = len(places)
    columns = {
        "exchange_ts": ts, "receive_ts": ts, "sequence": due, "kind": kinds, "side": [0] * n, "price": price,
        "size": [8.0] * n, "last": [True] * n,
    }  # fmt: skip
    mixed = {name: np.insert(getattr(tape, name), places, values) for name, values in columns.items()}
    return tape_batch(ordinal=np.arange(tape.rows + n), **mixed)


@st.composite
def measurements(draw: st.DrawFn, tape: TapeBatch) -> tuple[int, int, int]:
    """An order that was sent around a row of the tape, when it acted, and when that was reported."""
    sent = int(tape.exchange_ts[draw(st.integers(0, tape.rows - 1))]) + draw(st.sampled_from((0, 1, -MS)))
    acted = sent + draw(st.sampled_from(LATENCIES))
    return sent, acted, acted + draw(st.sampled_from(LATENCIES))


@st.composite
def cases(draw: st.DrawFn) -> tuple[TapeBatch, FeatureConfig, Law, list[Command], list[TapeBatch]]:
    config = small(draw(st.sampled_from((100 * MS, 0))))
    tape = draw(tapes(config))
    assume(tape.rows > 0)
    search = GridSearch()
    search.add(tape)
    found = search.grid()
    assume(found is not None)
    assert found is not None
    law = Law(
        found.tick,
        found.lot,
        entry=draw(st.sampled_from(LATENCIES)),
        response=draw(st.sampled_from(LATENCIES)),
        queue=draw(st.sampled_from(("power", "power", "risk_averse", "optimistic"))),
        power=draw(st.sampled_from((3, 1, 2))),
        maker=draw(st.sampled_from((2.0, -1.0, 0.0))),
        least=draw(st.sampled_from((0.0, 0.0, float(2 * found.lot)))),
        max_position=draw(st.sampled_from((math.inf, math.inf, float(15 * found.lot)))),
        max_order=draw(st.sampled_from((math.inf, math.inf, float(20 * found.lot)))),
        measured=tuple(draw(st.lists(measurements(tape), max_size=4))),
    )
    commands = draw(schedules(tape, Grid(found.tick, found.lot), law.entry))
    if draw(st.booleans()):
        tape = draw(draw(st.sampled_from((with_derivatives, with_funding)))(tape))
    return tape, config, law, commands, split(tape, draw(splits(tape.rows)))


@given(cases())
def test_every_row_is_that_of_the_brute_force(case):
    tape, config, law, commands, batches = case
    grid = Grid(law.tick, law.lot, law.least)
    execution = ExecutionConfig(
        queue=law.queue, queue_power=law.power, latency_entry_ns=law.entry, latency_response_ns=law.response,
        maker=law.maker, taker=law.taker, max_position=law.max_position, max_order=law.max_order,
    )  # fmt: skip
    latency = Latency.measured(*np.array(law.measured, np.int64).T) if law.measured else None
    truth = simulate(tape, config, law, commands)
    expected = tuple([tuple(map(bits, row)) for row in rows] for rows in (truth.orders, truth.fills, truth.equity))
    for parts in ([tape], batches):
        orders, fills, equity = run(parts, config, execution, grid, commands, latency)
        assert orders == expected[0]
        assert fills == expected[1]
        assert equity == expected[2]


def test_the_grid_of_a_tape_is_the_largest_that_holds_it():
    search = GridSearch()
    assert search.grid() is None
    from tests.oracle.script import Script

    search.add(Script().snapshot(1, [(10.5, 0.3), (10.0, 0.9)], [(11.5, 0.6)]).batch())
    assert search.grid() == Grid(Fraction(1, 2), Fraction(3, 10))


def test_funding_is_paid_once_by_what_is_held_when_it_is_due():
    """8 hours' funding of 0.01 % on 2 long at a mark price of 101; a second row that tells of it late pays nothing."""
    from tests.oracle.script import Script

    due = 2_000  # ms
    script = Script().snapshot(1 * SECOND, [(100.0, 5.0)], [(101.0, 5.0)])
    tape = script.delta(1 * SECOND + 500 * MS, [(99.0, 5.0)], []).delta(3 * SECOND, [(98.0, 5.0)], []).batch()
    beside = tape_batch(
        ordinal=[0, 0, 0], exchange_ts=[SECOND] * 3, receive_ts=[SECOND] * 3, sequence=[0, due, due],
        kind=[MARK, FUNDING, FUNDING], side=[0] * 3, price=[101.0, 1e-4, 1e-4], size=[0.0] * 3, last=[True] * 3,
    )  # fmt: skip
    parts = [tape.slice(0, 2), beside.slice(0, 2), tape.slice(2, 4), beside.slice(2, 3), tape.slice(3, tape.rows)]
    engine = TradeEngine(
        small(0), ExecutionConfig(latency_entry_ns=0, taker=0.0), Grid(Fraction(1), Fraction(1)),
        schedule=as_schedule([Command(1 * SECOND, 1, "market", 1, size=2.0)]),
    )  # fmt: skip
    traded = [part for rows in parts for part in engine.trade(rows)]
    cash = [value for part in traded for value in part.equity.value[1].tolist()]
    assert cash[-1] == -2 * 101.0 - 2 * 101.0 * 1e-4
    assert engine.funding == (1, 2 * 101.0 * 1e-4)


@given(cases(), st.data())
def test_an_engine_that_is_resumed_goes_on_with_the_same_bits(case, data):
    tape, config, law, commands, _ = case
    grid = Grid(law.tick, law.lot, law.least)
    execution = ExecutionConfig(latency_entry_ns=law.entry, latency_response_ns=law.response, maker=law.maker)
    whole = run([tape], config, execution, grid, commands)
    at = data.draw(st.integers(0, tape.rows))
    first = TradeEngine(config, execution, grid, schedule=as_schedule(commands))
    before = list(first.trade(tape.slice(0, at)))
    second = TradeEngine(config, execution, grid, schedule=Schedule.empty())
    second.resume(first.snapshot())
    traded = [*before, *second.trade(tape.slice(at, tape.rows))]
    parts = (
        texts(ORDERS, [part.orders for part in traded]),
        texts(FILLS, [part.fills for part in traded]),
        texts(EQUITY, [part.equity for part in traded]),
    )
    assert parts == whole
    assert second.funding[0] >= first.funding[0]


def test_what_is_no_state_is_refused():
    grid = Grid(Fraction(1), Fraction(1))
    engine = TradeEngine(small(0), ExecutionConfig(), grid)
    good = engine.snapshot()
    for bad in (b"", b"nothing", good[:-30]):
        with pytest.raises(ValueError, match="not a state"):
            engine.resume(bad)
    with pytest.raises(ValueError, match="another configuration"):
        TradeEngine(small(100 * MS), ExecutionConfig(), grid).resume(good)
