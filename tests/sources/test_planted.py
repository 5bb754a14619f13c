import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import tickwax as tw
from dataflows.command_line.verbs import app
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import TRADE
from synthetic.market import SyntheticMarket
from synthetic.parameters import parameters_of
from synthetic.planted import MEAN_SQUARE, MEAN_TICKS
from synthetic.skill import attainable, expected_r2, latent, stay
from tests.sources.test_synthetic import START, books, join

SECOND = 1_000_000_000
HERE = Instrument("binance_futures", "XUSDT")
HORIZONS = {"1s": SECOND, "5s": 5 * SECOND, "30s": 30 * SECOND}


def planted(edge, **more):
    return replace(parameters_of(HERE), edge=edge, **more)


def messages(p, seconds, seed=7, instrument=HERE):
    return join(SyntheticMarket(instrument, seed, START, p).run(START + int(seconds * SECOND)))


@pytest.mark.jit_off
def test_the_same_planted_market_on_every_machine():
    with np.errstate(over="ignore"):
        m = messages(planted(0.5), 2.0)
    assert zlib.crc32(b"".join(column.astype(np.int64).tobytes() for column in m)) == 1562678940


@pytest.mark.parametrize("interval", [100, 0, 250])
@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_the_touch_is_the_path_and_no_order_moves_it(edge, interval):
    p = planted(edge, diff_interval_ms=interval, levels=30)
    m = messages(p, 20.0)
    touches = []
    for i, bids, asks in books(m):
        assert min(asks) == max(bids) + 1
        touches.append((m.exchange_ts[i], max(bids)))
    bids = np.array([bid for _, bid in touches])
    moves = bids[1:][np.diff(bids) != 0]
    path, _ = latent(HERE, 7, len(bids) if interval else 250, p)
    expected = np.concatenate([[p.first_price_ticks], path])
    expected = expected[1:][np.diff(expected) != 0]
    assert len(moves) > 20
    assert np.array_equal(moves, expected[: len(moves)])
    step = interval or 100
    times = np.array([ts for ts, _ in touches])[1:][np.diff(bids) != 0]
    assert len(np.unique(times % (step * 1_000_000))) == 1


def test_a_trade_is_at_the_touch_that_was_told_and_leaves_some_of_it():
    m = messages(planted(0.3), 60.0)
    told = iter([*((i, max(bids), min(asks)) for i, bids, asks in books(m)), (len(m.kind), 0, 0)])
    _, bid, ask = next(told)
    following = next(told)
    trades = 0
    for i, kind in enumerate(m.kind.tolist()):
        if i == following[0]:
            (_, bid, ask), following = following, next(told)
        if kind == TRADE:
            row = m.stop[i] - 1
            assert m.ticks[row] == (ask if m.side[row] > 0 else bid)
            trades += 1
    assert trades > 1000


def test_without_an_edge_the_order_flow_and_the_price_know_nothing_of_each_other():
    """The price is the same under any flow, and the signal that flow leans with is the same under any edge."""
    busy = planted(0.0, events_per_second=4000.0, branching=0.2, levels=50)
    quiet = planted(0.0, events_per_second=600.0, branching=0.5, levels=50)
    first, second = ([max(bids) for _, bids, _ in books(messages(p, 20.0))] for p in (busy, quiet))
    assert len(first) == len(second) > 190
    shift = {tuple(np.diff(each)) for each in (first, second)}
    assert len(shift) == 1
    signals = [latent(HERE, 7, 5000, planted(edge))[1] for edge in (0.0, 1.0)]
    assert np.array_equal(*signals)


def flow_and_moves(p, seconds, seed):
    """Of each step: trades by side, imbalance of the touch and the last move, which were told, and the next move."""
    m = messages(p, seconds, seed)
    rows, flow, begin = [], 0, 0
    of_message = {i: (max(bids), bids[max(bids)], asks[min(asks)]) for i, bids, asks in books(m)}
    for i, (kind, stop) in enumerate(zip(m.kind.tolist(), m.stop.tolist(), strict=True)):
        if kind == TRADE:
            flow += int(m.side[stop - 1])
        else:
            bid, lots, against = of_message[i]
            rows.append((bid, flow, (lots - against) / (lots + against)))
        begin = stop
    assert begin == len(m.side)
    bid, flow, imbalance = np.array(rows, float).T
    move = np.diff(bid)
    memory = np.array([np.diff(flow, prepend=0)[max(0, k - 9) : k + 1].sum() for k in range(len(flow))])
    x = np.stack([memory[1:-1], imbalance[1:-1], move[:-1]], axis=1)
    return x, move[1:]


def chi_square(x, y):
    """Of no correlation between columns and the next move: about a χ² of as many degrees."""
    x = (x - x.mean(0)) / x.std(0)
    return float(((x.T @ y) ** 2 / (len(y) * np.mean(y**2))).sum())


@pytest.mark.slow
def test_over_seeds_nothing_foretells_the_null_and_flow_foretells_an_edge():
    """The mids' next moves against what was told before; they do not overlap, so each seed's statistic is a χ² of 3."""
    seeds = range(12)
    null = [chi_square(*flow_and_moves(planted(0.0, levels=50), 120.0, seed)) for seed in seeds]
    assert np.mean(null) == pytest.approx(3.0, abs=4 * math.sqrt(6 / len(seeds)))
    assert max(null) < 20  # exceeded by chance once in 500 times 12 draws
    edge = [chi_square(*flow_and_moves(planted(1.0, levels=50), 120.0, seed)) for seed in seeds]
    assert np.mean(edge) > 20


@pytest.mark.parametrize("edge", [0.0, 0.2, 1.0])
def test_the_signal_attains_on_a_tape_what_is_expected(edge):
    """Over 16 tapes of an hour: the mean of R² on the tape is the expected one."""
    found = [attainable(HERE, seed, 3600 * SECOND, HORIZONS, planted(edge)) for seed in range(16)]
    for name in HORIZONS:
        r2 = np.array([each[name].r2 for each in found])
        rank = np.array([each[name].rank for each in found])
        assert r2.mean() == pytest.approx(found[0][name].expected_r2, abs=0.002 + 4 * r2.std() / math.sqrt(16))
        if edge == 0:
            assert (r2 == 0).all()
            assert abs(rank.mean()) < 4 * rank.std() / math.sqrt(16)
        else:
            assert rank.mean() > 0.1


def test_expected_skill_by_brute_force():
    p = planted(0.7)
    bids, signals = latent(HERE, 3, 400_000, p)
    moves = np.diff(bids, prepend=p.first_price_ticks)
    assert np.abs(moves).mean() == pytest.approx(MEAN_TICKS, rel=0.01)
    assert (moves**2).mean() == pytest.approx(MEAN_SQUARE, rel=0.02)
    ends = bids[50:] - bids[:-50]
    slope, here = 0.7 * MEAN_TICKS * sum(stay(p) ** k for k in range(50)), signals[:-50]
    assert np.polyfit(here, ends, 1)[0] == pytest.approx(slope, rel=0.03)
    assert np.corrcoef(here, ends)[0, 1] ** 2 == pytest.approx(expected_r2(0.7, stay(p), 50), rel=0.05)


def test_each_instrument_has_a_price_of_its_own():
    there = Instrument("bybit_linear", "XUSDT")
    a, b = (np.diff(latent(i, 7, 20_000, planted(0.0))[0]) for i in (HERE, there))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03


def test_a_low_price_turns_back_from_its_floor():
    p = planted(0.0, first_price_ticks=80, levels=20, price_digits=0)
    seed = next(seed for seed in range(100) if latent(HERE, seed, 1000, p)[0].min() == 60)
    told = np.array([max(each) for _, each, _ in books(messages(p, 110.0, seed))])
    assert told.min() == 60 == latent(HERE, seed, 1000, p)[0].min()


def test_an_edge_out_of_range_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^edge: 1.5 is outside 0 to 1"):
        planted(1.5)
    with pytest.raises(ValueError, match=r"^edge: -1 is outside 0 to 1"):
        tw.synthetic_tape(tmp_path / "a", edge=-1)
    with pytest.raises(TickwaxError, match=r"^--edge: 2.0 is outside 0 to 1"):
        CliRunner().invoke(app, ["synth", "--tape", str(tmp_path / "b"), "--edge", "2"], catch_exceptions=False)
    assert not any((tmp_path / name).exists() for name in "ab")
    with pytest.raises(ValueError, match="edge: None"):
        latent(HERE, 7, 10, parameters_of(HERE))
