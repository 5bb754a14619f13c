"""Rows beside the book of a synthetic market: what they are, and that they change nothing else."""

from functools import cache

import numpy as np
import pytest

from sources.instrument import Instrument
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, TRADE, TapeBatch, concat, market_rows
from synthetic.derivative_rows import DerivativeRows
from synthetic.market import SyntheticMarket, synthetic_tape
from synthetic.parameters import parameters_of
from tests.importers.captures import check_invariants

BTC = Instrument("binance_futures", "BTCUSDT")
START, SECOND = 1_767_571_200_000_000_000, 1_000_000_000
SPAN = 40


def made(cuts: list[int]) -> TapeBatch:
    """The tape, made in parts that end at the given times (ns from the start)."""
    market, beside = SyntheticMarket(BTC, 3, START), DerivativeRows(BTC, parameters_of(BTC))
    out: list[TapeBatch] = []
    rows = 0
    for cut in cuts:
        for batch in synthetic_tape(market, START + cut):
            out.append(beside.among(batch, rows))
            rows += out[-1].rows
    return concat(out)


@cache
def tape() -> TapeBatch:
    return made([SPAN * SECOND])


def test_the_market_is_the_same() -> None:
    plain = concat(list(synthetic_tape(SyntheticMarket(BTC, 3, START), START + SPAN * SECOND)))
    check_invariants(tape())
    for a, b in zip(plain[1:], market_rows(tape())[1:], strict=True):
        assert np.array_equal(a, b)


def test_any_cutting_gives_the_same_bits() -> None:
    cuts = [SECOND // 3, SECOND, SECOND + 7_000_000, 5 * SECOND, 17 * SECOND + 123_000_000, SPAN * SECOND]
    for a, b in zip(tape(), made(cuts), strict=True):
        assert np.array_equal(a, b)


def test_no_row_stands_inside_a_message() -> None:
    whole = tape()
    beside = np.flatnonzero(whole.kind > TRADE + 1)
    assert beside[0] > 0
    assert whole.last[beside].all()
    assert whole.last[beside - 1].all()


@pytest.mark.parametrize(("kind", "seconds"), [(MARK, 1), (FUNDING, 1), (OPEN_INTEREST, 5)])
def test_one_row_in_its_time(kind: int, seconds: int) -> None:
    times = tape().exchange_ts[tape().kind == kind] // (seconds * SECOND)
    assert len(times) == SPAN // seconds
    assert (np.diff(times) == 1).all()


def test_values_are_those_of_a_perpetual() -> None:
    whole = tape()
    mark, funding = (whole.kind == kind for kind in (MARK, FUNDING))
    prices = whole.price[whole.kind == TRADE]
    assert (abs(whole.price[mark] / whole.size[mark] - 1) < 0.01).all()
    assert prices.min() * 0.99 < whole.price[mark].min() <= whole.price[mark].max() < prices.max() * 1.01
    assert (abs(whole.price[funding]) <= 7.5e-3).all()
    assert (whole.size[funding] == 8).all()
    hours = whole.sequence[funding] * 1_000_000 - whole.exchange_ts[funding]
    assert ((hours > 0) & (hours <= 8 * 3600 * SECOND)).all()
    assert (whole.size[whole.kind == OPEN_INTEREST] > 0).all()
    assert len(np.unique(whole.price[mark])) > SPAN / 2


def test_a_liquidation_follows_the_trade_that_brought_it_about() -> None:
    whole = tape()
    forced = np.flatnonzero(whole.kind == LIQUIDATION)
    assert len(forced) > 0
    assert (whole.kind[forced - 1] == TRADE).all()
    assert np.array_equal(whole.price[forced], whole.price[forced - 1])
    assert np.array_equal(whole.exchange_ts[forced], whole.exchange_ts[forced - 1])
    assert (whole.size[forced] > 0).all()
