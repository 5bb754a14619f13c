"""Order flow imbalance as users call it: against the definition in plain Python, and the dataflow's own bits."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import zscore

from operators.config import MS, SECOND, FeatureConfig
from operators.ofi import OrderFlowImbalance, order_flow_imbalance
from tests.operators.columns import by_name, run
from tests.oracle import order_flow as oracle
from tests.oracle.book import BookView
from tests.oracle.script import Script

Levels = list[tuple[float, float]]
TIMES = [0, 40, 90, 90, 1200, 1150, 1300, 6400]


@st.composite
def books(draw: st.DrawFn) -> tuple[Levels, Levels]:
    """A small book on a coarse grid, so that prices often stay, move and come back."""
    touch = draw(st.integers(95, 105))
    sides = []
    for direction in (-1, 1):
        gaps = draw(st.lists(st.integers(1, 2), min_size=1, max_size=4))
        prices = touch + direction * (np.cumsum(gaps) - 0.5)
        sizes = draw(st.lists(st.integers(1, 40), min_size=len(gaps), max_size=len(gaps)))
        sides.append([(float(p), s / 8) for p, s in zip(prices, sizes, strict=True)])
    return sides[0], sides[1]


def columns(book: tuple[Levels, Levels]) -> dict[str, list[float]]:
    (bp, bq), (ap, aq) = (zip(*side, strict=True) for side in book)
    return {"bid_prices": list(bp), "bid_quantities": list(bq), "ask_prices": list(ap), "ask_quantities": list(aq)}


@settings(max_examples=40)
@given(st.lists(books(), min_size=1, max_size=8), st.sampled_from(("cont", "depth")))
def test_each_update_is_the_definition_and_the_dataflows_bits(taken: list[tuple[Levels, Levels]], kind: str) -> None:
    ofi = OrderFlowImbalance(timeframes_ms=[100, 1000, 5000], depths=[1, 2, 20], definition=kind, zscore_window=4)
    windows = (("100ms", 100 * MS), ("1s", SECOND), ("5s", 5 * SECOND))
    config = FeatureConfig(sampling_ns=0, windows=windows, depths=(1, 2, 20), ofi=kind, zscore_window=4)
    script = Script()
    before = None
    sums: list[float] = []
    got = []
    for ms, book in zip(TIMES, taken, strict=False):
        f = ofi.update(symbol="BTCUSDT", timestamp=ms, **columns(book))
        script.snapshot(ms * MS, *book)
        now = BookView(*book, covered=True)
        for depth, value in ((1, f.ofi_level_0), (2, f.ofi_level_2), (20, f.ofi_level_20)):
            first = sum(q for _, q in book[0][:depth]) - sum(q for _, q in book[1][:depth])
            assert value == (oracle.ofi(before, now, depth, kind) if before else first)
        before = now
        got.append(f)
        sums = [*sums, f.ofi_1s][-4:]
        spread = np.std(sums)
        want = zscore(sums)[-1] if len(sums) > 1 and spread > 1e-9 * abs(np.mean(sums)) else 0.0
        assert f.ofi_zscore_1s == pytest.approx(want, abs=1e-12)
    rows = by_name(run([script.batch()], config), config)
    names = {"ofi_l0_100ms": "ofi_100ms", "ofi_l0_5s": "ofi_5s", "ofi_z_l0_1s": "ofi_zscore_1s"}
    for theirs in ("ofi_l0_100ms", "ofi_l0_5s", "ofi_z_l0_1s", "vw_ofi", "ofi_momentum", "ofi_acceleration"):
        assert rows[theirs] == [getattr(f, names.get(theirs, theirs)) for f in got]
    assert rows["ofi_l0"][1:] == [f.ofi_level_0 for f in got[1:]]
    assert rows["ofi_l20"][1:] == [f.ofi_level_20 for f in got[1:]]


def random_books(n: int, levels: int, seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    mid = 100 + 0.5 * random.integers(-1, 2, n).cumsum()[:, None]
    away = 0.25 + 0.5 * np.arange(levels)
    size = random.integers(1, 100, (2, n, levels)) / 16
    return {"bid_prices": mid - away, "bid_quantities": size[0], "ask_prices": mid + away, "ask_quantities": size[1]}


def test_many_at_once_have_the_bits_of_one_by_one() -> None:
    n = 400
    times = np.random.default_rng(2).integers(-20, 300, n).cumsum() + 10_000  # some run backwards
    arrays = random_books(n, 20)
    whole = order_flow_imbalance(times, **arrays, timeframes_ms=[100, 2500], zscore_window=50)
    ofi = OrderFlowImbalance([100, 2500], zscore_window=50)
    each = [ofi.update("A", int(t), **{k: v[i] for k, v in arrays.items()}) for i, t in enumerate(times)]
    assert whole._fields == each[0]._fields
    assert "ofi_2500ms" in whole._fields
    np.testing.assert_array_equal(np.array(whole).T, np.array(each))
    assert whole.timestamp.tolist() == np.maximum.accumulate(times).tolist()


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float64])
def test_windows_end_where_they_should_at_todays_times(kind: type) -> None:
    """An event exactly w before t is outside (t − w, t]; in float64, times in ns would be wrong by up to 128."""
    start = 1_723_161_255_117
    arrays = random_books(40, 3)
    whole = order_flow_imbalance([kind(start + 7 * i) for i in range(40)], **arrays, timeframes_ms=[70])
    ofi = OrderFlowImbalance([70])
    for i in range(40):
        f = ofi.update("A", kind(start + 7 * i), **{k: v[i] for k, v in arrays.items()})
        ofi.add_trade("A", kind(start + 7 * i), 1.0, False)
        want = math.fsum(whole.ofi_level_0[max(1, i - 9) : i + 1])
        assert f.ofi_70ms == whole.ofi_70ms[i] == want
        assert ofi.get_trade_imbalance("A", kind(start + 7 * i), 70) == min(i + 1, 10)


def test_lists_tuples_pandas_and_polars_are_alike() -> None:
    book = random_books(1, 5)
    want = OrderFlowImbalance().update("A", 1, **{k: v[0] for k, v in book.items()})
    for kind in (list, tuple, pd.Series, pl.Series):
        assert OrderFlowImbalance().update("A", 1, **{k: kind(v[0]) for k, v in book.items()}) == want
    frames = order_flow_imbalance(pl.Series([1]), **{k: pd.DataFrame(v) for k, v in book.items()})
    assert [column[0] for column in frames] == list(want)


def test_symbols_do_not_mix_and_reset_forgets() -> None:
    ofi = OrderFlowImbalance()
    book = {k: v[0] for k, v in random_books(1, 3).items()}
    first = ofi.update("A", 5, **book)
    assert ofi.update("B", 9, **book)._replace(timestamp=5.0) == first
    assert ofi.update("A", 6, **book).ofi_level_0 == 0.0
    ofi.reset("A")
    assert ofi.update("A", 5, **book) == first
    assert ofi.update("B", 9, **book).ofi_level_0 == 0.0
    ofi.reset()
    assert ofi.update("B", 5, **book) == first


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 10**6), st.booleans()), max_size=60))
def test_trade_imbalance_is_the_signed_volume_of_the_window(trades: list[tuple[int, int, bool]]) -> None:
    ofi = OrderFlowImbalance(trade_history_ms=5000)
    now, kept = 1000, []
    for step, size, is_buyer_maker in trades:
        now += step
        ofi.add_trade("BTCUSDT", now, size / 1000, is_buyer_maker)
        kept.append((now, -size / 1000 if is_buyer_maker else size / 1000))
        for t, window in ((now, 1000), (now - 500, 700), (now + 300, 5000)):
            want = math.fsum(x for at, x in kept if t - window < at <= t)
            assert ofi.get_trade_imbalance("BTCUSDT", t, window_ms=window) == want
    assert ofi.get_trade_imbalance("ETHUSDT", now) == 0.0


BOOK = {
    "bid_prices": [99.0, 98.0],
    "bid_quantities": [1.0, 2.0],
    "ask_prices": [101.0, 102.0],
    "ask_quantities": [1, 2],
}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"bid_prices": [98.0, 99.0]}, "bid_prices: not sorted; the best comes first, then falling"),
        ({"ask_prices": [102.0, 101.0]}, "ask_prices: not sorted; the best comes first, then rising"),
        ({"ask_prices": [101.0, 101.0]}, "ask_prices: not sorted"),
        ({"bid_prices": [99.0, math.nan]}, "bid_prices: nan at 1; numbers must be finite"),
        ({"ask_quantities": [1.0, math.inf]}, "ask_quantities: inf at 1"),
        ({"ask_quantities": [1.0]}, "ask_quantities: has shape (1,), ask_prices (2,)"),
        ({"bid_quantities": [1.0, 0.0]}, "bid_quantities: 0 is not positive"),
        ({"bid_prices": [[99.0, 98.0]]}, "bid_prices: has shape (1, 2); 1 dimension expected"),
        ({"bid_prices": [], "bid_quantities": []}, "bid_prices: has no level"),
        ({"bid_prices": [101.0, 98.0]}, "bid_prices: the best bid, 101, is not below the best ask, 101"),
        ({"timestamp": math.nan}, "timestamp: nan is not a finite number"),
        ({"timestamp": -1}, "timestamp: -1 ms is not between 1970 and 2116"),
    ],
)
def test_a_wrong_book_is_named_and_changes_nothing(wrong: dict[str, object], text: str) -> None:
    ofi = OrderFlowImbalance()
    ofi.update("A", 5, **BOOK)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        ofi.update(**{"symbol": "A", "timestamp": 5, **BOOK, **wrong})
    assert str(caught.value).startswith(text)
    assert ofi.update("A", 5, **BOOK).ofi_level_0 == 0.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: OrderFlowImbalance([]), "timeframes_ms: [] is empty"),
        (lambda: OrderFlowImbalance([1000, 1000]), "timeframes_ms: [1000, 1000] is empty, or has one twice"),
        (lambda: OrderFlowImbalance([0]), "timeframes_ms: 0.0 is not a whole number from 1 on"),
        (lambda: OrderFlowImbalance(depths=[5]), "depths: [5] does not begin with 1"),
        (lambda: OrderFlowImbalance(definition="x"), "definition: 'x' is not one of cont, depth"),
        (lambda: OrderFlowImbalance(zscore_window=1), "zscore_window: 1 is not a whole number from 2 on"),
        (lambda: OrderFlowImbalance().add_trade("A", 1, 0, True), "quantity: 0 is not positive"),
        (lambda: OrderFlowImbalance().add_trade("A", 1, 1e308, True), "quantity: 1e+308 is above 1e+15"),
        (lambda: OrderFlowImbalance().add_trade("A", 1, 10**400, True), "quantity: 1000"),
        (lambda: OrderFlowImbalance([10**13]), "timeframes_ms: 10000000000000.0 is above 3153600000000"),
        (lambda: OrderFlowImbalance([10**400]), "timeframes_ms: has a number beyond what a float64 holds"),
        (lambda: OrderFlowImbalance([100], trade_history_ms=10**16), "trade_history_ms: 10000000000000000 is above"),
        (lambda: OrderFlowImbalance([100], zscore_window=10**400), "zscore_window: 1000"),
        (
            lambda: OrderFlowImbalance(range(1, 251), depths=[1, *range(2, 11)], zscore_window=100_000),
            "zscore_window: 100000 rows of 2500 windows and depths take 2.0 GB an instrument; at most 1 GB",
        ),
        (lambda: OrderFlowImbalance().get_trade_imbalance("A", 1, 60_001), "window_ms: 60001 is outside"),
        (lambda: order_flow_imbalance([1, 2], **random_books(1, 2)), "timestamps: 2 of them, but 1 rows of bids"),
    ],
)
def test_what_cannot_be_is_named(call: object, text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        call()
    assert str(caught.value).startswith(text)


def test_trades_that_are_no_longer_kept_are_not_made_up() -> None:
    ofi = OrderFlowImbalance(trade_history_ms=1000)
    ofi.add_trade("A", 1000, 1.0, False)
    ofi.add_trade("A", 5000, 1.0, False)
    with pytest.raises(ValueError, match="lies so far back"):
        ofi.get_trade_imbalance("A", 1000, 500)
