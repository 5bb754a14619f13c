"""What strategies see of a model: its forecasts of the very row that they decide at, whatever the split."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.state import ExecutionConfig
from operators.execution.strategy import MarketView, OrderSender
from operators.feature_engine import FeatureEngine
from operators.models.forecasts_ahead import Said
from operators.models.predictions import Predictor
from operators.models.served import ModelHead
from operators.row_batch import concat_rows
from operators.schema import column_row
from operators.strategies.momentum import Momentum
from operators.trade_engine import TradeEngine
from tests.execution.test_exchange import texts
from tests.execution.test_strategies import CONFIG, INSTRUMENT, MomentumInPython, grid, tape  # noqa: F401
from tests.models.test_predictions import Counting

SCORES = np.sort(np.random.default_rng(5).normal(size=(2, 19)), axis=1) * 1e-5
HEAD = ModelHead("ab" * 32, "counting", ("ofi_l0", "volatility"), (("300ms", 3 * 10**8), ("1s", 10**9)), 0, 0, SCORES)
COLUMN = "forecast_q50_1s"


def predictor() -> Predictor:
    return Predictor(Counting(HEAD), CONFIG, INSTRUMENT)


def made(grid, strategy) -> TradeEngine:  # noqa: F811
    return TradeEngine(CONFIG, ExecutionConfig(), grid, strategy=strategy, forecasts=predictor())


def rows_of(parts) -> tuple[list[tuple[object, ...]], ...]:
    return tuple(texts(s, [getattr(p, s.name) for p in parts]) for s in (ORDERS, FILLS, EQUITY))


class Watching:
    """Notes what it is shown."""

    def __init__(self) -> None:
        self.columns = ("mid", *predictor().columns)
        self.seen: list[tuple[float, ...]] = []

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        self.seen.append((view.ts, *view.columns))


@pytest.mark.parametrize("lead", [0, 1])
def test_the_forecasts_are_those_of_the_row_that_is_decided_at(tape, grid, lead) -> None:  # noqa: F811
    watching = Watching()
    engine = made(grid, watching)
    parts = [part for batch in tape for part in (batch.slice(0, 9001), batch.slice(9001, batch.rows))]
    for batch in parts[:lead]:
        engine.lead(batch)
    for batch in parts[lead:]:
        list(engine.trade(batch))
    features, alone = FeatureEngine(CONFIG), predictor()
    expected = []
    for n, batch in enumerate(parts):
        rows = features.process(batch)
        if rows is None:
            continue
        told = alone.process(rows)
        if n >= lead:
            by_row = {} if told is None else dict(zip(told.integer[0].tolist(), told.value.T, strict=True))
            cold = np.full(len(alone.columns), np.nan)
            mids = rows.value[column_row(CONFIG, "mid")]
            for ts, mid in zip(rows.integer[0].tolist(), mids, strict=True):
                expected.append((ts, mid, *by_row.get(ts, cold)))
    found, wanted = np.array(watching.seen), np.array(expected)
    assert len(found) > 100
    assert 0 < np.isnan(wanted[:, 2]).sum() < len(wanted) / 2 or lead
    assert found.tobytes() == wanted.tobytes()


def test_both_forms_of_a_strategy_do_the_same(tape, grid) -> None:  # noqa: F811
    plain = MomentumInPython(0.5, 6e-5, 2e-5)
    plain.columns = (COLUMN,)
    compiled = Momentum(0.5, 6e-5, 2e-5, COLUMN)
    ours, theirs = (_run(grid, tape, strategy) for strategy in (compiled, plain))
    assert len(ours[1]) > 10
    assert ours == theirs


def _run(grid, tape, strategy):  # noqa: F811
    engine = made(grid, strategy)
    return rows_of([part for batch in tape for part in engine.trade(batch)])


def test_a_split_and_a_state_that_is_taken_up_change_nothing(tape, grid) -> None:  # noqa: F811
    whole = _run(grid, tape, Momentum(0.5, 6e-5, 2e-5, COLUMN))
    engine, parts = made(grid, Momentum(0.5, 6e-5, 2e-5, COLUMN)), []
    at = np.random.default_rng(3).integers(1, 2000, 1000).cumsum()
    for batch in tape:
        cuts = [0, *at[at < batch.rows].tolist(), batch.rows]
        for k, (start, stop) in enumerate(pairwise(cuts)):
            if k % 7 == 3:
                state = engine.snapshot()
                engine = made(grid, Momentum(0.5, 6e-5, 2e-5, COLUMN))
                engine.resume(state)
                assert engine.snapshot() == state
            parts += engine.trade(batch.slice(start, stop))
    assert rows_of(parts) == whole


def test_the_data_set_is_what_the_strategy_was_shown(tape, grid) -> None:  # noqa: F811
    """Rows that are traded on tell their forecasts: what a predictor of its own makes of the features, to the bit."""
    engine, alone, features = made(grid, Momentum(0.5, 6e-5, 2e-5, COLUMN)), predictor(), FeatureEngine(CONFIG)
    assert engine.forecasts is not None
    step, said, expected = Said(engine.forecasts.predictor), [], []
    for batch in tape:
        cuts = [*range(0, batch.rows, 997), batch.rows]
        for start, stop in pairwise(cuts):
            said += [step.process(part.features) for part in engine.trade(batch.slice(start, stop))]
        rows = features.process(batch)
        assert rows is not None
        expected.append(alone.process(rows))
    found, wanted = (concat_rows([each for each in parts if each is not None]) for parts in (said, expected))
    assert found.rows > 100
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.tobytes() == theirs.tobytes()
        assert ours.flags.c_contiguous
    assert step.snapshot() == alone.snapshot()


def test_a_state_of_another_model_is_refused(tape, grid) -> None:  # noqa: F811
    engine = made(grid, Momentum(column=COLUMN))
    list(engine.trade(tape[0]))
    other = Predictor(Counting(replace(HEAD, identity="cd" * 32)), CONFIG, INSTRUMENT)
    strategy = Momentum(column=COLUMN)
    with pytest.raises(ValueError, match="another model"):
        TradeEngine(CONFIG, ExecutionConfig(), grid, strategy=strategy, forecasts=other).resume(engine.snapshot())
    without = TradeEngine(CONFIG, ExecutionConfig(), grid, strategy=Momentum())
    list(without.trade(tape[0]))
    with pytest.raises(ValueError, match="forecasts"):
        engine.resume(without.snapshot())


@pytest.mark.parametrize(
    ("column", "forecasts", "line"),
    [
        ("forecast_q50_5s", True, "does not foretell; it has forecast_q50_300ms, forecast_q50_1s and what"),
        ("forecast_q50_1s", False, "'forecast_q50_1s', and no model foretells: name one with predict.model"),
        ("mid_price", True, "'mid_price', which is no column of numbers of these features"),
    ],
)
def test_a_column_that_there_is_not(grid, column: str, forecasts: bool, line: str) -> None:  # noqa: F811
    with pytest.raises(ValueError, match=line):
        TradeEngine(
            CONFIG, ExecutionConfig(), grid, strategy=Momentum(column=column),
            forecasts=predictor() if forecasts else None,
        )  # fmt: skip
