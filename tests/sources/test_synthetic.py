import zlib
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from sources.instrument import Instrument
from sources.tape.batch import DELTA, SNAPSHOT, TRADE, concat
from sources.tape.builder import TapeBuilder
from sources.tape.collected import Levels
from synthetic.market import SyntheticMarket, synthetic_tape
from synthetic.messages import MessageBatch
from synthetic.parameters import MarketParameters, parameters_of
from synthetic.state import CAPACITY

START = 1_767_571_200_000_000_000
SECOND = 1_000_000_000
BINANCE = Instrument("binance_futures", "BTCUSDT")
BYBIT = Instrument("bybit_linear", "BTCUSDT")


def tape(instrument=BINANCE, seconds=10.0, seed=7, parameters=None):
    market = SyntheticMarket(instrument, seed, START, parameters)
    return concat(list(synthetic_tape(market, START + int(seconds * SECOND))))


def join(batches):
    """Message batches as one."""
    batches = list(batches)
    rows = np.cumsum([0, *(len(b.side) for b in batches)])
    shifted = [b._replace(stop=b.stop + first) for b, first in zip(batches, rows[:-1], strict=True)]
    return MessageBatch(*(np.concatenate(columns) for columns in zip(*shifted, strict=True)))


def messages(instrument=BINANCE, seconds=10.0, seed=7, parameters=None):
    return join(SyntheticMarket(instrument, seed, START, parameters).run(START + int(seconds * SECOND)))


def same(a, b):
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def books(m):
    """The book after each book message, in ticks and lots, with the message's index."""
    book = {1: {}, -1: {}}
    begin = 0
    for i, (kind, stop) in enumerate(zip(m.kind.tolist(), m.stop.tolist(), strict=True)):
        rows = list(zip(*(c[begin:stop].tolist() for c in (m.side, m.ticks, m.lots)), strict=True))
        begin = stop
        if kind == TRADE:
            continue
        for side, tick, lots in rows:
            if lots == 0:
                del book[side][tick]  # only what stands is removed
            else:
                book[side][tick] = lots
        yield i, book[1], book[-1]


@pytest.fixture(scope="module", params=[BINANCE, BYBIT], ids=str)
def minute(request):
    return request.param, messages(request.param, 60)


@pytest.mark.jit_off
def test_the_same_market_on_every_machine():
    # The digest is of this model with these constants; it changes when they are changed, and never otherwise.
    with np.errstate(over="ignore"):  # the random numbers wrap on purpose
        m = messages(BINANCE, 2.0)
    assert zlib.crc32(b"".join(column.astype(np.int64).tobytes() for column in m)) == 3593480623


def test_the_same_seed_gives_the_same_bits():
    assert same(tape(), tape())


def test_nobody_takes_at_any_price():
    # Sizes of market orders have no finite variance: one of these, of 160 s, would take 400 levels, 2 % of the price.
    m = messages(Instrument("binance_futures", "SOLUSDT"), 160)
    prints = m.kind == TRADE
    ts, ticks = m.exchange_ts[prints], m.ticks[m.stop - 1][prints]
    together = np.split(ticks, np.flatnonzero(np.diff(ts)) + 1)
    assert 20 < max(np.ptp(at_once) for at_once in together) <= 2 * 38  # at most two orders in a millisecond


def test_seed_and_instrument_make_the_market():
    first = tape()
    assert not same(first, tape(seed=8))
    for instrument in (Instrument("binance_futures", "BTCUSDC"), Instrument("binance_spot", "BTCUSDT"), BYBIT):
        other = tape(instrument, parameters=parameters_of(BINANCE))
        assert other.rows != first.rows or not np.array_equal(other.size, first.size)


@pytest.mark.parametrize("interval", [100, 0])
def test_any_chunking_gives_the_same_bits(interval):
    parameters = replace(parameters_of(BINANCE), diff_interval_ms=interval)
    rng = np.random.default_rng(1)
    end = START + 5 * SECOND
    # To the nanosecond, twice the same, before the start.
    cuts = sorted([START - 1, START, START + 1, end, end, *(START + rng.integers(0, 5 * SECOND, 40)).tolist()])
    market = SyntheticMarket(BINANCE, 7, START, parameters)
    parts = [batch for cut in cuts for batch in market.run(cut)]
    assert same(join(parts), messages(BINANCE, 5.0, parameters=parameters))
    assert all(b.exchange_ts[-1] < end for b in parts)


def test_a_full_log_is_one_more_way_of_chunking():
    market = SyntheticMarket(BINANCE, 7, START)
    parts = [batch for second in range(1, 201) for batch in market.run(START + second * SECOND)]
    whole = list(SyntheticMarket(BINANCE, 7, START).run(START + 200 * SECOND))
    assert len(whole) > 1
    assert all(len(batch.side) <= CAPACITY for batch in whole)
    assert same(join(parts), join(whole))


def test_the_book_is_never_crossed_and_its_sizes_are_positive(minute):
    _, m = minute
    assert min(m.lots) >= 0
    count = 0
    for _, bids, asks in books(m):
        assert max(bids) < min(asks)
        assert min(bids.values()) > 0
        assert min(asks.values()) > 0
        count += 1
    assert count > 590


def test_a_message_tells_each_level_once_bids_first(minute):
    _, m = minute
    for start, stop in pairwise([0, *m.stop.tolist()]):
        sides = m.side[start:stop]
        assert (np.diff(sides) <= 0).all()
        assert len(set(zip(sides.tolist(), m.ticks[start:stop].tolist(), strict=True))) == stop - start


def test_the_snapshot_is_as_deep_as_the_venue_sends(minute):
    instrument, m = minute
    levels = {BINANCE: 1000, BYBIT: 200}[instrument]
    assert m.kind[0] == SNAPSHOT
    assert (m.kind[1:] != SNAPSHOT).all()
    for side in (1, -1):
        count = int((m.side[: m.stop[0]] == side).sum())
        assert 0.9 * levels < count <= levels


def test_messages_come_in_order_of_time_and_deltas_on_their_grid(minute):
    _, m = minute
    assert (np.diff(m.exchange_ts) >= 0).all()
    assert (np.diff(m.receive_ts) >= 0).all()
    latency = m.receive_ts - m.exchange_ts
    assert latency.min() >= 1_000_000
    assert latency.max() < 30_000_000
    assert m.exchange_ts[0] == START
    assert len(np.unique(m.exchange_ts[m.kind == DELTA] % 100_000_000)) == 1
    assert len(np.unique(m.exchange_ts[m.kind == TRADE] % 100_000_000)) == 100


def test_ids_chain_as_the_venues_ids_do(minute):
    _, m = minute
    book = m.kind != TRADE
    first, last = m.first_id[book], m.update_id[book]
    assert (first <= last).all()
    assert np.array_equal(first[1:], last[:-1] + 1)  # Binance: pu is the last u
    assert (np.diff(m.number[book]) == 1).all()  # Bybit: u rises by 1
    assert (np.diff(m.number[~book]) == 1).all()  # trade ids
    assert (np.diff(m.update_id[~book]) > 0).all()  # Bybit: seq of the trades


def test_tape_rows_are_those_of_the_builder(minute):
    instrument, m = minute
    parameters = parameters_of(instrument)
    builder = TapeBuilder()
    begin = 0
    for i in range(2000):
        stop = int(m.stop[i])
        rows = slice(begin, stop)
        begin = stop
        prices = np.array([float(Decimal(int(t)).scaleb(-parameters.price_digits)) for t in m.ticks[rows]])
        sizes = np.array([float(Decimal(int(n)).scaleb(-parameters.size_digits)) for n in m.lots[rows]])
        times = int(m.exchange_ts[i]), int(m.receive_ts[i])
        update_id, number = int(m.update_id[i]), int(m.number[i])
        if m.kind[i] == TRADE:
            trade_id = update_id if instrument == BYBIT else number
            builder.trade(*times, trade_id, int(m.side[begin - 1]), float(prices[0]), float(sizes[0]))
        else:
            sequence = number if instrument == BYBIT else update_id
            put = builder.snapshot if m.kind[i] == SNAPSHOT else builder.delta
            put(*times, sequence, Levels(m.side[rows], prices, sizes))
    expected = builder.take()
    assert same(tape(instrument, 60).slice(0, expected.rows), expected)


def test_trades_happen_at_the_touch_level_by_level():
    m = messages(BINANCE, 20.0, parameters=replace(parameters_of(BINANCE), diff_interval_ms=0, levels=60))
    after = {i: (dict(bids), dict(asks)) for i, bids, asks in books(m)}
    trades = 0
    bids, asks = after[0]
    for i in range(1, len(m.kind)):
        if i in after:
            if m.kind[i - 1] == TRADE:  # the prints told all that happened near the touch
                for mine, told in zip((bids, asks), after[i], strict=True):
                    best = sorted(told, key=lambda tick: abs(tick - max(bids)))[:10]
                    assert all(mine[tick] == told[tick] for tick in best)
            bids, asks = (dict(side) for side in after[i])
            continue
        row = m.stop[i] - 1
        side, tick, lots = int(m.side[row]), int(m.ticks[row]), int(m.lots[row])
        taken = asks if side > 0 else bids
        assert tick == (min(taken) if side > 0 else max(taken))
        assert 0 < lots <= taken[tick]
        taken[tick] -= lots
        if taken[tick] == 0:
            del taken[tick]
        trades += 1
    assert trades > 500


def test_it_looks_like_a_market():
    for instrument in (BINANCE, BYBIT):
        m = messages(instrument, 600)
        spread, mid, levels = [], [], []
        for _, bids, asks in books(m):
            spread.append(min(asks) - max(bids))
            mid.append((min(asks) + max(bids)) / 2)
            levels.append(min(len(bids), len(asks)))
        spread, mid, levels = (np.array(column) for column in (spread, mid, levels))
        assert (spread <= 3).mean() > 0.9
        assert (levels >= 20).mean() > 0.999
        assert (np.diff(mid) != 0).mean() > 0.3
        assert np.ptp(mid) > 100
        trades = m.kind == TRADE
        assert 0.4 < (m.side[m.stop[trades] - 1] > 0).mean() < 0.6
        counts = np.bincount((m.exchange_ts[trades] - START) // SECOND)
        assert counts.var() / counts.mean() > 2  # a Poisson process has 1
        lots = m.lots[m.stop[trades] - 1]
        assert lots.min() > 0
        assert lots.max() > 20 * np.median(lots)


def test_activity_is_as_asked():
    quiet = replace(parameters_of(BINANCE), events_per_second=50.0, branching=0.0)
    m = messages(BINANCE, 600, parameters=quiet)
    counts = np.bincount((m.exchange_ts[m.kind == TRADE] - START) // SECOND, minlength=600)
    prints_per_order = 1.3
    assert counts.mean() == pytest.approx(50 * 0.05 * prints_per_order, rel=0.2)


def test_one_symbol_moves_together_at_every_venue():
    a, b = (tape(instrument, 600) for instrument in (BINANCE, BYBIT))
    last = [float(t.price[t.kind == TRADE][-1]) for t in (a, b)]
    assert abs(last[0] - last[1]) < 5
    assert abs(last[0] - 95_000) > 10


def test_a_tiny_book_runs_dry_without_breaking():
    thin = MarketParameters(first_price_ticks=80, levels=20, price_digits=0, size_digits=0)
    m = messages(Instrument("binance_futures", "XUSDT"), 300, parameters=thin)
    for _, bids, asks in books(m):
        assert min(bids) > 0
        assert max(bids) < min(asks)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("levels", 19),
        ("levels", 1001),
        ("first_price_ticks", 3999),
        ("price_digits", -1),
        ("size_digits", 9),
        ("diff_interval_ms", -1),
        ("events_per_second", 0.0),
        ("branching", 1.0),
        ("memory_ms", 0.0),
    ],
)
def test_parameters_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        replace(MarketParameters(), **{name: value})


def test_the_start_is_a_whole_millisecond():
    with pytest.raises(ValueError, match="start_ns: 1 is not a whole number of milliseconds"):
        SyntheticMarket(BINANCE, 7, 1)
