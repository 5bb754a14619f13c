"""What a run foretells: intervals against the definition, restarts, states, and any split of the rows."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from dataflows.runtime.forecast_metrics import Watched
from operators.config import FeatureConfig
from operators.models.conformal import COVERAGE, offset
from operators.models.drift import reference
from operators.models.logarithm import log_ratio
from operators.models.predictions import Predictor, prediction_schema
from operators.models.served import Forecasts, ModelHead, ModelRows
from operators.row_batch import RowBatch, concat_rows
from operators.schema import SINCE_RESTART, array_rows, column_row
from sources.instrument import Instrument
from tests.models.oracle import Row, as_array, intervals

CONFIG = FeatureConfig(windows=(("1s", 10**9),), depths=(1,))
A = Instrument("okx_swap", "A")
HORIZONS = (("3ns", 3), ("10ns", 10))
SCORES = np.sort(np.random.default_rng(5).normal(size=(2, 19)), axis=1) * 1e-3


class Memory(NamedTuple):
    """The rows that were shown, and the sum of what was."""

    rows: np.ndarray
    total: np.ndarray


@dataclass(frozen=True)
class Counting:
    """A model with a state: what it says depends on every row since the restart, and on its place among them."""

    head: ModelHead

    def start(self, instrument: Instrument) -> Memory:
        return Memory(np.zeros(1, np.int64), np.zeros(2))

    def step(self, state: Memory, rows: ModelRows, out: Forecasts) -> None:
        for r in range(len(rows.ts)):
            state.rows[0] += 1
            state.total[:] += rows.inputs[r]
            for h in range(2):
                spread = 1e-4 * np.array([-1.0, 0.5, 0.0, 2.0, 1.5])  # they cross
                out.quantiles[r, h] = 1e-4 * math.sin(state.total[0] + h) + spread / (1 + h)
            out.epistemic[r] = state.rows[0]
            if self.head.classes:
                out.classes[r] = state.rows[0] / 1000, 0.0, state.total[0]


def model(latency: int = 0) -> Counting:
    return Counting(ModelHead("ab" * 32, "counting", ("ofi_l0", "trade_count"), HORIZONS, latency, 40, SCORES))


def feature_rows(seed: int, n: int, grid: bool, restart: float = 0.02, cold: float = 0.2) -> RowBatch:
    """Rows with steps of time that are all one, or 0 and more, restarts and cold stretches."""
    random = np.random.default_rng(seed)
    integers, codes, values = array_rows(CONFIG)
    integer = np.zeros((integers, n), np.int64)
    integer[0] = 5 + np.cumsum(np.ones(n) if grid else random.choice([0, 0, 1, 2, 7], n))
    integer[1], integer[2] = integer[0] + 1, np.arange(n) * 2
    integer[column_row(CONFIG, "trade_count")] = random.integers(0, 9, n)
    restarts = random.random(n) < restart
    restarts[:1] = True
    begins = np.maximum.accumulate(np.where(restarts, np.arange(n), 0))
    integer[SINCE_RESTART] = np.arange(n) - begins
    code = np.zeros((codes, n), np.int8)
    code[column_row(CONFIG, "warm")] = np.where(random.random(n) < cold, 63, -1)  # without the bit of the book
    value = random.normal(size=(values, n))
    value[column_row(CONFIG, "mid")] = 100 * np.exp(np.cumsum(random.normal(size=n)) * 1e-3)
    return RowBatch(integer, code, value, np.empty((0, 0)))


def split(rows: RowBatch, cuts: list[int]) -> list[RowBatch]:
    at = [0, *sorted(min(cut, rows.rows) for cut in cuts), rows.rows]
    return [rows.slice(a, b) for a, b in pairwise(at) if b > a]


def told(rows: RowBatch, cuts: list[int], latency: int = 0) -> RowBatch | None:
    predictor = Predictor(model(latency), CONFIG, A)
    return concat_rows([part for each in split(rows, cuts) if (part := predictor.process(each)) is not None])


def same(one: RowBatch | None, other: RowBatch | None) -> None:
    assert one is not None
    assert other is not None
    for array, expected in zip(one, other, strict=True):
        assert array.tobytes() == expected.tobytes()


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 120), st.booleans(), st.sampled_from([0, 1, 2]))
def test_intervals_are_those_of_the_definition(seed: int, n: int, grid: bool, latency: int) -> None:
    rows = feature_rows(seed, n, grid)
    found = told(rows, [], latency)
    warm = rows.code[column_row(CONFIG, "warm")] == -1
    if found is None:
        assert not warm.any()
        return
    np.testing.assert_array_equal(found.integer, rows.integer[:3, warm])
    np.testing.assert_array_equal(found.code[0], rows.integer[0, warm] < 40)
    memory, machine, shown = model().start(A), model(), iter(range(n))
    part: list[Row] = []
    inputs = np.stack([rows.value[column_row(CONFIG, "ofi_l0")], rows.integer[column_row(CONFIG, "trade_count")]], 1)
    for r in shown:
        restarts = rows.integer[SINCE_RESTART, r] == 0
        memory = machine.start(A) if restarts else memory
        out = Forecasts(np.zeros((1, 2, 5)), np.zeros((1, 2)))
        if warm[r]:
            machine.step(
                memory, ModelRows(rows.integer[0, r : r + 1], rows.integer[2, r : r + 1], inputs[r : r + 1]), out
            )
        mid = float(rows.value[column_row(CONFIG, "mid"), r])
        part.append(Row(int(rows.integer[0, r]), mid, out.quantiles[0].tolist() if warm[r] else None, bool(restarts)))
    table = found.value.T.reshape(-1, 2, 8)
    expected = as_array(intervals(part, [3, 10], latency, SCORES.tolist()))
    np.testing.assert_array_equal(table[:, :, 5:7], expected)
    quantiles = np.sort([row.quantiles for row in part if row.quantiles is not None], axis=2)
    np.testing.assert_array_equal(table[:, :, :5], quantiles)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans(), st.lists(st.integers(0, 300), max_size=8))
def test_any_split_gives_the_same_bits(seed: int, grid: bool, cuts: list[int]) -> None:
    rows = feature_rows(seed, 300, grid)
    same(told(rows, cuts), told(rows, []))


def test_chances_stand_behind_the_horizons() -> None:
    """And beside feature rows, where those are cold NaN; for any split."""
    rows = feature_rows(3, 300, False)
    with_classes = Counting(replace(model().head, classes=True))
    whole = Predictor(with_classes, CONFIG, A).process(rows)
    split_up = Predictor(with_classes, CONFIG, A)
    same(whole, concat_rows([p for part in split(rows, [7, 8, 150]) if (p := split_up.process(part)) is not None]))
    assert whole is not None
    assert (whole.value[-3] > 0).all()
    assert (whole.value[-2] == 0).all()
    without = told(rows, [])
    assert without is not None
    assert whole.value[:-3].tobytes() == without.value.tobytes()
    predictor = Predictor(with_classes, CONFIG, A)
    beside = predictor.beside(rows)
    warm = ~np.isnan(beside[0])
    assert beside[:, warm].tobytes() == whole.value.tobytes()
    assert 0 < np.isnan(beside).all(axis=0).sum() == (~warm).sum()
    assert predictor.columns[-3:] == ("forecast_p_down", "forecast_p_flat", "forecast_p_up")


def test_drift_of_inputs_and_of_errors() -> None:
    """Inputs move and returns triple in the middle: the index rises, and ADWIN sees the misses."""
    n, random = 40_000, np.random.default_rng(8)
    rows = feature_rows(3, n, True, restart=0.0, cold=0.0)
    moves = random.normal(size=n) * np.where(np.arange(n) < n // 2, 1.0, 3.0) * 1e-3
    rows.value[column_row(CONFIG, "mid")] = 100 * np.exp(np.cumsum(moves))
    rows.value[column_row(CONFIG, "ofi_l0")][n // 2 :] += 1.0
    x = np.stack([rows.value[column_row(CONFIG, "ofi_l0")], rows.integer[column_row(CONFIG, "trade_count")]], axis=1)
    scores = np.sort(np.abs(random.normal(size=(2, 999))) * np.sqrt([[3.0], [10.0]]) * 1e-3, axis=1)
    head = replace(model().head, calibration=scores, reference=reference(x[: n // 2]))
    predictor = Predictor(Counting(head), CONFIG, A)
    assert [each[2] for each in predictor.misses] == [0, 0]
    assert np.isnan([*predictor.stability.values(), *(each[1] for each in predictor.misses)]).all()
    predictor.process(rows.slice(0, n // 2))
    assert list(predictor.stability) == ["ofi_l0", "trade_count"]
    assert max(predictor.stability.values()) < 0.02
    for name, share, changes in predictor.misses:
        assert (name, changes) in (("3ns", 0), ("10ns", 0))
        assert share == pytest.approx(0.1, abs=0.03)
    predictor.process(rows.slice(n // 2, n))
    assert predictor.stability["ofi_l0"] > 0.25 > 0.02 > predictor.stability["trade_count"]
    for _, share, changes in predictor.misses:
        assert changes >= 1
        assert share == pytest.approx(math.erfc(1.645 / 3 / math.sqrt(2)), abs=0.08)
    assert Predictor(model(), CONFIG, A).stability == {}


def test_what_the_metrics_are_told() -> None:
    rows = feature_rows(3, 300, True, restart=0.0, cold=0.0)
    head = replace(model().head, reference=reference(np.random.default_rng(1).normal(size=(100, 2))))
    watched, alone = (Predictor(Counting(head), CONFIG, A) for _ in range(2))
    watching = Watched(watched, "okx_swap:METRICS")
    same(watching.process(rows), alone.process(rows))
    assert watching.snapshot() == alone.snapshot()
    labels = {"instrument": "okx_swap:METRICS"}
    value = REGISTRY.get_sample_value
    for column, index in alone.stability.items():
        assert value("tickwax_forecast_input_psi", {**labels, "column": column}) == index > 0
    for horizon, share, changes in alone.misses:
        assert value("tickwax_forecast_missed_share", {**labels, "horizon": horizon}) == share
        assert value("tickwax_forecast_error_changes_total", {**labels, "horizon": horizon}) == changes
    assert value("tickwax_predict_seconds_count") >= 1
    assert value("tickwax_wire_to_forecast_seconds_count") >= 300
    calls, late = value("tickwax_predict_seconds_count"), value("tickwax_wire_to_forecast_seconds_count")
    beside = Watched(Predictor(Counting(head), CONFIG, A), "okx_swap:BESIDE")
    numbers = beside.beside(rows)
    same(
        beside.said(rows._replace(value=np.vstack([rows.value, numbers]))), Predictor(model(), CONFIG, A).process(rows)
    )
    assert value("tickwax_predict_seconds_count") == calls + 1
    assert value("tickwax_wire_to_forecast_seconds_count") >= late + 1
    assert beside.misses == alone.misses


def test_row_by_row_gives_the_same_bits() -> None:
    rows = feature_rows(3, 400, False, restart=0.005)
    same(told(rows, list(range(400))), told(rows, []))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans(), st.integers(0, 300), st.lists(st.integers(0, 300), max_size=4))
def test_a_state_that_is_taken_up(seed: int, grid: bool, cut: int, cuts: list[int]) -> None:
    """It goes on with the same bits, and is itself the same for any split."""
    rows, before = feature_rows(seed, 300, grid), Predictor(model(), CONFIG, A)
    parts = [before.process(rows.slice(0, cut))] if cut else []
    other = Predictor(model(), CONFIG, A)
    for each in split(rows.slice(0, cut), cuts) if cut else []:
        other.process(each)
    assert other.snapshot() == before.snapshot()
    after = Predictor(model(), CONFIG, A)
    after.resume(before.snapshot())
    assert after.snapshot() == before.snapshot()
    parts += [after.process(rows.slice(cut))] if cut < 300 else []
    same(concat_rows([part for part in parts if part is not None]), told(rows, []))


def test_a_segment_knows_nothing_of_the_one_before() -> None:
    rows = feature_rows(9, 200, True, restart=0.0)
    rows.integer[SINCE_RESTART, 100:] = np.arange(100)
    whole = told(rows, [])
    assert whole is not None
    warm = int(np.count_nonzero(rows.code[column_row(CONFIG, "warm"), :100] == -1))
    same(whole.slice(warm), told(rows.slice(100), []))


def test_states_that_are_none() -> None:
    predictor = Predictor(model(), CONFIG, A)
    predictor.process(feature_rows(1, 50, True))
    data = predictor.snapshot()
    for wrong in (b"", data[:-1], data[:40], b"\xff" * len(data)):
        with pytest.raises(ValueError, match="state of"):
            Predictor(model(), CONFIG, A).resume(wrong)
    other = Counting(model().head.__class__(**{**model().head.__dict__, "identity": "cd" * 32}))
    with pytest.raises(ValueError, match="state of another model"):
        Predictor(other, CONFIG, A).resume(data)


def test_a_column_that_is_not_there() -> None:
    head = ModelHead("ab" * 32, "counting", ("ofi_l5",), HORIZONS, 0, 0, SCORES)
    with pytest.raises(ValueError, match="reads 'ofi_l5', which these features do not have"):
        Predictor(Counting(head), CONFIG, A)


def test_the_data_set() -> None:
    schema = prediction_schema(model().head)
    names = [column.name for column in schema.columns]
    assert names[:5] == ["ts", "receive_ts", "ordinal", "q05_3ns", "q25_3ns"]
    assert names[-5:] == ["lo_10ns", "hi_10ns", "epistemic_10ns", "in_sample", "model"]
    assert schema.columns[-1].words == ("abababababababab",)
    assert all(column.definition and column.unit for column in schema.columns)


@given(st.floats(1e-8, 1e8), st.floats(1e-8, 1e8))
def test_log_ratio(a: float, b: float) -> None:
    assert log_ratio(a, b) == pytest.approx(math.log(a / b), rel=1e-13, abs=3e-16)
    assert log_ratio(a, a) == 0.0


@given(st.floats(1e-3, 1e6), st.floats(-0.01, 0.01))
def test_log_ratio_of_neighbours(a: float, by: float) -> None:
    b = a * (1 + by)
    expected = math.log1p((b - a) / a)
    assert log_ratio(b, a) == pytest.approx(expected, rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("drift", [0.3, 1.0, 3.0])
def test_intervals_cover_although_the_market_changes(drift: float) -> None:
    """Returns are as wide as those of the calibration, three times narrower, or three times wider."""
    random = np.random.default_rng(2)
    n = 40_000
    rows = feature_rows(1, n, True, restart=0.0, cold=0.0)
    steps = 1e-4 * drift * random.normal(size=n)
    rows.value[column_row(CONFIG, "mid")] = 100 * np.exp(np.cumsum(steps))
    calibrated = np.sort(np.abs(1e-4 * random.normal(size=(2, 999)) * np.sqrt([[3], [10]])), axis=1) - 1.5e-4
    head = ModelHead("ab" * 32, "counting", ("ofi_l0", "trade_count"), HORIZONS, 0, 0, calibrated)
    found = Predictor(Counting(head), CONFIG, A).process(rows)
    assert found is not None
    for h, horizon in enumerate((3, 10)):
        y = np.log(rows.value[column_row(CONFIG, "mid")])
        y = y[horizon:] - y[:-horizon]
        low, high = found.value[8 * h + 5, :-horizon], found.value[8 * h + 6, :-horizon]
        assert np.mean((low <= y) & (y <= high)) == pytest.approx(COVERAGE, abs=0.015)


def test_an_offset_without_a_score_large_enough() -> None:
    assert offset(SCORES[0], 0.0) == math.inf
    assert offset(SCORES[0], -1.0) == math.inf
    assert offset(SCORES[0], 2.0) == SCORES[0, 0]
