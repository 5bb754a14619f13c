"""The brute-force oracle against numbers worked out by hand."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.config import FeatureConfig
from sources.tape.batch import DELTA, FUNDING, SNAPSHOT, TapeBatch, concat
from tests.oracle.book import BookView, message_ends, state, top, unknown_deltas
from tests.oracle.features import books, columns, features, quality_events
from tests.oracle.fracdiff import ffd, weights
from tests.oracle.fractal import dimension, regime
from tests.oracle.order_flow import ask_flow, bid_flow, ofi, windowed
from tests.oracle.script import Script
from tests.oracle.trades import Trade, imbalance, vwap
from tests.oracle.volatility import volatility
from tests.oracle.zscore import zscore
from tests.strategies import cases, split, splits

CONFIG = FeatureConfig(
    sampling_ns=10,
    windows=(("20ns", 20), ("15ns", 15)),
    depths=(1, 2),
    zscore_window=3,
    max_hold_ns=100,
    price_d=1.0,
    volume_d=0.0,
    ffd_threshold=0.1,
    fdi_window=3,
    fdi_interval_ns=20,
    volatility_window=2,
)
UPDATES = replace(CONFIG, sampling_ns=0)

NO_BID, NO_ASK = (-math.inf, 0.0), (math.inf, 0.0)


def opened(ts: int = 5) -> Script:
    """A tape that begins with the book 99x1 98x2 | 101x3 102x4."""
    return Script().snapshot(ts, [(99, 1), (98, 2)], [(101, 3), (102, 4)])


def view(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> BookView:
    return BookView(bids, asks, True)


class TestBook:
    def test_state(self) -> None:
        row = state([(99, 1), (98, 2)], [(101, 3), (102, 4)], (1, 2, 5))
        assert list(row) == [
            *("bid_price", "bid_size", "ask_price", "ask_size", "mid", "spread", "microprice"),
            *("depth_imbalance_l0", "depth_imbalance_l2", "depth_imbalance_l5", "vw_ofi"),
        ]
        assert (row["bid_price"], row["bid_size"], row["ask_price"], row["ask_size"]) == (99, 1, 101, 3)
        assert (row["mid"], row["spread"]) == (100, 2)
        assert row["microprice"] == (99 * 3 + 101 * 1) / 4 == 99.5
        assert row["depth_imbalance_l0"] == 1 - 3
        assert row["depth_imbalance_l2"] == row["depth_imbalance_l5"] == (1 + 2) - (3 + 4)
        # 1% off the mid weighs 1/2, 2% off weighs 1/3
        assert row["vw_ofi"] == pytest.approx((1 / 2 + 2 / 3) - (3 / 2 + 4 / 3), rel=1e-15)

    def test_vw_ofi_reads_20_levels(self) -> None:
        bids, asks = [(100.0 - m, 1.0) for m in range(25)], [(101.0 + m, 1.0) for m in range(25)]
        assert state(bids, asks, (1,))["vw_ofi"] == 0
        bids[20:] = [(price, 1e9) for price, _ in bids[20:]]
        assert state(bids, asks, (1,))["vw_ofi"] == 0

    def test_delta_sets_and_removes(self) -> None:
        tape = opened().delta(6, [(99, 0), (97, 5)], [(101, 7), (555, 0)])
        ends = message_ends(tape.batch())
        assert list(ends) == [3, 7]
        assert ends[7].bids == [(98, 2), (97, 5)]
        assert ends[7].asks == [(101, 7), (102, 4)]

    def test_snapshot_replaces(self) -> None:
        tape = opened().snapshot(6, [(90, 1)], [(91, 1)]).snapshot(7, [(80, 1)], [(81, 1)])
        assert message_ends(tape.batch())[7].bids == [(80, 1)]

    def test_snapshot_after_torn_delta_begins_anew(self) -> None:
        tape = opened().delta(6, [(97, 5)], torn=True).snapshot(7, [(90, 1)], [(91, 1)])
        assert message_ends(tape.batch())[6].bids == [(90, 1)]

    def test_torn_message_is_no_end(self) -> None:
        tape = opened().delta(6, [(99.5, 5)], torn=True).reset(6).trade(7, 1, 99, 1)
        assert list(message_ends(tape.batch())) == [3]

    def test_reset_empties(self) -> None:
        tape = opened().reset(5).snapshot(6, [(97, 5)], [(98, 1)])
        assert message_ends(tape.batch())[6] == BookView([(97, 5)], [(98, 1)], True)

    def test_no_book_before_a_snapshot(self) -> None:
        quote = ([(97, 5)], [(98, 1)])
        tape = Script().delta(1, *quote).snapshot(2, [(90, 1)], [(91, 1)]).delta(3, *quote)  # rows 0-1, 2-3, 4-5
        assert list(message_ends(tape.batch())) == [3, 5]
        assert message_ends(tape.batch())[5].bids == [(97, 5), (90, 1)]  # and nothing of the first delta
        tape.reset(4).delta(5, *quote).trade(6, 1, 98, 1).delta(7, *quote)  # rows 6, 7-8, 9, 10-11
        assert list(message_ends(tape.batch())) == [3, 5]
        assert unknown_deltas(tape.batch()) == {0, 1, 7, 8, 10, 11}

    def test_half_a_snapshot_is_none(self) -> None:
        tape = opened().snapshot(6, [(90, 1)], [(91, 1)], torn=True).delta(7, [(97, 5)], [(98, 1)])
        assert list(message_ends(tape.batch())) == [3]
        assert unknown_deltas(tape.batch()) == {6, 7}
        again = tape.snapshot(8, [(80, 1)], [(81, 1)]).delta(9, [(79, 2)])
        assert message_ends(again.batch())[10].bids == [(80, 1), (79, 2)]

    def test_quality_events(self) -> None:
        tape = opened().delta(6, [(101, 1)]).delta(7, [(101.5, 1)]).delta(8, [(101, 0), (101.5, 0)])
        tape.delta(9, asks=[(101, 0), (102, 0)]).delta(10, [(99, 0), (98, 0)]).trade(11, 1, 99, 1)
        # locked, crossed, fine again, one-sided, empty
        assert [v.is_update for v in message_ends(tape.batch()).values()] == [True, False, False, True, False, False]
        assert quality_events(tape.batch()) == 4

    def test_top(self) -> None:
        row = top([(99, 1)], [(100.0 + m, float(m + 1)) for m in range(25)])
        assert len(row) == 80
        assert (row["bid_price_0"], row["bid_size_0"]) == (99, 1)
        assert math.isnan(row["bid_price_1"])
        assert math.isnan(row["bid_size_19"])
        assert (row["ask_price_19"], row["ask_size_19"]) == (119, 20)


class TestOrderFlow:
    @pytest.mark.parametrize(
        ("before", "now", "b"),
        [
            ((100, 5), (101, 3), 3),  # up
            ((100, 5), (100, 8), 3),  # equal, more
            ((100, 5), (100, 1), -4),  # equal, less
            ((100, 5), (99, 4), -5),  # down
            ((100, 5), NO_BID, -5),
            (NO_BID, (99, 4), 4),
            (NO_BID, NO_BID, 0),
        ],
    )
    def test_bid(self, before: tuple[float, float], now: tuple[float, float], b: float) -> None:
        assert bid_flow(before, now) == b

    @pytest.mark.parametrize(
        ("before", "now", "a"),
        [
            ((102, 5), (103, 3), -5),  # up
            ((102, 5), (102, 8), 3),  # equal, more
            ((102, 5), (102, 1), -4),  # equal, less
            ((102, 5), (101, 4), 4),  # down
            ((102, 5), NO_ASK, -5),
            (NO_ASK, (103, 4), 4),
            (NO_ASK, NO_ASK, 0),
        ],
    )
    def test_ask(self, before: tuple[float, float], now: tuple[float, float], a: float) -> None:
        assert ask_flow(before, now) == a

    def test_depths(self) -> None:
        before = view([(99, 1), (98, 2)], [(101, 3), (102, 4)])
        # The best bid is new, so level 2 is the old best: up as well. The best ask grew; its level 2 is gone.
        now = view([(99.5, 10), (99, 1), (98, 2)], [(101, 5)])
        assert ofi(before, now, 1, "cont") == 10 - 2
        assert ofi(before, now, 2, "cont") == (10 - 2) + (1 + 4)
        assert ofi(before, now, 3, "cont") == (10 - 2) + (1 + 4) + (2 - 0)
        assert ofi(before, now, 50, "cont") == ofi(before, now, 3, "cont")
        assert ofi(before, now, 1, "depth") == (10 - 5) - (1 - 3)
        assert ofi(before, now, 2, "depth") == (11 - 5) - (3 - 7)
        assert ofi(before, now, 3, "depth") == (13 - 5) - (3 - 7)

    @pytest.mark.parametrize("definition", ["cont", "depth"])
    def test_first_update_contributes_nothing(self, definition: str) -> None:
        assert ofi(None, view([(99, 1)], [(101, 3)]), 1, definition) == 0

    def test_window_is_open_to_the_left(self) -> None:
        flows = [(10, 1.0), (11, 2.0), (20, 4.0), (21, 8.0)]
        assert windowed(flows, 20, 10) == 2 + 4
        assert windowed(flows, 20, 11) == 1 + 2 + 4
        assert windowed(flows, 40, 10) == 0

    def test_crossed_book_is_skipped(self) -> None:
        """The flow after a crossed message counts from the last update before it."""
        tape = opened().delta(6, [(101, 50)]).delta(7, [(101, 0), (99, 4)])
        rows = features(tape.batch(), UPDATES)
        assert rows["ts"] == [5, 7]
        assert rows["ofi_l0"] == [0, 3]


class TestSampling:
    def test_rows_are_emitted_once_the_clock_passes(self) -> None:
        tape = opened(5)  # ordinals 0-3
        tape.delta(10, [(99, 2)])  # 4: still part of row 10
        tape.delta(11, [(99, 3)])  # 5
        tape.delta(20, [(99, 4)])  # 6: does not pass 20
        tape.trade(41, 1, 101, 2)  # 7: passes 20, 30 and 40
        rows = features(tape.batch(), CONFIG)
        assert rows["ts"] == [10, 20, 30, 40]
        assert rows["ordinal"] == [4, 6, 6, 6]
        assert rows["receive_ts"] == [15, 25, 25, 25]
        assert rows["bid_size"] == [2, 4, 4, 4]
        assert rows["ofi_l0"] == [1, 2, 0, 0]
        assert rows["ofi_l0_20ns"] == [1, 3, 2, 0]  # (10, 30] holds the updates of 11 and 20; 20 is not in (20, 40]
        assert rows["ofi_l0_15ns"] == [1, 3, 1, 0]  # (5, 20] holds those of 10, 11 and 20; (15, 30] the last
        assert rows["trade_count"] == [0, 0, 0, 0]

    def test_end_drops_the_pending_row(self) -> None:
        assert features(opened(5).delta(10, [(99, 2)]).batch(), CONFIG)["ts"] == []

    def test_first_row_is_no_earlier_than_the_first_update(self) -> None:
        tape = Script().trade(1, 1, 100, 2).trade(12, -1, 100, 3)
        tape.snapshot(20, [(99, 1)], [(101, 3)]).trade(21, 1, 101, 5).trade(31, 1, 101, 7)
        rows = features(tape.batch(), CONFIG)
        assert rows["ts"] == [20, 30]
        assert rows["trade_volume"] == [5, 5]  # trades before the first update included
        assert rows["trade_count"] == [2, 1]
        assert rows["vwap"] == [100, 101]
        assert rows["trade_imbalance_20ns"] == [2 - 3, -3 + 5]  # (0, 20] and (10, 30]
        assert rows["trade_imbalance_15ns"] == [-3, 5]  # (5, 20] and (15, 30]

    def test_nothing_before_an_update(self) -> None:
        tape = Script().trade(1, 1, 100, 2).snapshot(5, [(99, 1)], []).trade(35, 1, 100, 2)
        assert features(tape.batch(), CONFIG)["ts"] == []
        assert features(tape.batch(), UPDATES)["ts"] == []

    def test_time_that_steps_back_does_not_move_the_clock(self) -> None:
        tape = opened(15).delta(3, [(99, 2)]).trade(4, 1, 101, 1).trade(21, 1, 101, 1)
        rows = features(tape.batch(), CONFIG)
        assert (rows["ts"], rows["ordinal"], rows["bid_size"]) == ([20], [5], [2])
        assert rows["receive_ts"] == [9]
        assert rows["trade_imbalance_15ns"] == [1]  # the trade's clock is 15, not 4
        assert features(tape.batch(), UPDATES)["ts"] == [15, 15]

    def test_clock_moves_inside_a_message(self) -> None:
        tape = opened(5)  # 0-3
        tape.row(8, DELTA, 1, 99, 7, last=False)  # 4: in row 10, but its message is not over
        tape.row(12, DELTA, 1, 98, 7, last=True)  # 5: passes 10
        tape.trade(21, 1, 101, 1)  # 6
        rows = features(tape.batch(), CONFIG)
        assert (rows["ts"], rows["ordinal"]) == ([10, 20], [4, 5])
        assert rows["bid_size"] == [1, 7]
        assert rows["ofi_l2"] == [0, 6 + 5]

    def test_a_crossed_book_is_not_read(self) -> None:
        tape = opened(5).delta(6, [(150, 1)]).trade(11, 1, 101, 1)
        rows = features(tape.batch(), CONFIG)
        assert (rows["bid_price"], rows["ordinal"]) == ([99], [4])

    def test_update_sampling(self) -> None:
        tape = opened(5).trade(6, 1, 101, 2).delta(7, [(99, 3)]).delta(7, [(99, 4)]).trade(8, 1, 101, 2)
        rows = features(tape.batch(), UPDATES)
        assert rows["ts"] == [5, 7, 7]
        assert rows["ordinal"] == [3, 5, 6]
        assert rows["ofi_l0"] == [0, 2, 1]
        assert rows["ofi_l0_20ns"] == [0, 2, 3]  # the third update is not yet there at the second row
        assert rows["trade_count"] == [0, 1, 0]

    def test_reset_restarts(self) -> None:
        tape = opened(5).delta(6, [(99, 9)]).trade(6, 1, 101, 2).reset(12).trade(13, -1, 101, 4)
        tape.snapshot(14, [(89, 1)], [(91, 1)]).trade(21, 1, 90, 1)
        rows = features(tape.batch(), CONFIG)
        # The reset's own time moves no clock, so row 10 is still pending when it comes.
        assert (rows["ts"], rows["mid"]) == ([20], [90])
        assert rows["trade_imbalance_20ns"] == [-4]
        assert rows["ofi_l0_20ns"] == [0]

    def test_time_may_step_back_after_a_reset(self) -> None:
        tape = opened(55).trade(61, 1, 101, 2).reset(61).snapshot(14, [(89, 1)], [(91, 1)]).trade(21, 1, 90, 1)
        assert features(tape.batch(), CONFIG)["ts"] == [60, 20]

    def test_max_hold(self) -> None:
        at_most = opened(5).delta(105, [(99, 2)]).batch()
        assert features(at_most, CONFIG)["ts"] == [*range(10, 101, 10)]
        assert features(at_most, UPDATES)["ofi_l0"] == [0, 1]

        too_far = opened(5).delta(12, [(98, 3)]).delta(113, [(99, 2)]).trade(121, 1, 99, 1).batch()
        rows = features(too_far, CONFIG)
        assert rows["ts"] == [10, 120]  # row 20 was pending
        assert rows["bid_size"] == [1, 2]
        assert rows["ofi_l2_20ns"] == [0, 0]  # the book stays, but its first update counts nothing
        assert rows["depth_imbalance_l2"] == [3 - 7, 5 - 7]
        assert features(too_far, UPDATES)["ofi_l2"] == [0, 1, 0]

    def test_max_hold_before_the_first_update_and_by_a_trade(self) -> None:
        tape = Script().trade(1, 1, 100, 2).trade(102, 1, 100, 4).snapshot(103, [(99, 1)], [(101, 3)])
        assert features(tape.batch(), UPDATES)["trade_volume"] == [4]
        tape = opened(5).trade(106, 1, 100, 2).trade(131, 1, 100, 3).delta(132, [(99, 2)]).trade(141, 1, 100, 1)
        rows = features(tape.batch(), CONFIG)
        assert (rows["ts"], rows["trade_volume"], rows["ofi_l0"]) == ([140], [5], [0])

    def test_max_hold_inside_a_message(self) -> None:
        tape = opened(5).row(6, DELTA, 1, 99, 7, last=False).row(107, DELTA, 1, 98, 7, last=True)
        rows = features(tape.batch(), UPDATES)
        assert (rows["ts"], rows["bid_size"], rows["depth_imbalance_l2"]) == ([5, 107], [1, 7], [-4, 14 - 7])
        assert rows["ofi_l2"] == [0, 0]

    def test_books(self) -> None:
        rows = books(opened(5).delta(12, [(99, 0)]).trade(21, 1, 101, 1).batch(), CONFIG)
        assert list(rows)[:3] == ["ts", "ordinal", "bid_price_0"]
        assert (rows["ts"], rows["ordinal"]) == ([10, 20], [3, 4])
        assert (rows["bid_price_0"], rows["ask_size_1"]) == ([99, 98], [4, 4])
        assert math.isnan(rows["bid_price_1"][1])


class TestStatistics:
    @pytest.mark.parametrize(
        ("values", "z"),
        [
            ([5.0], 0),  # fewer than 2
            ([1.0, 3.0], 1),  # mean 2, deviation 1
            ([3.0, 1.0], -1),
            ([0.0, 0.0, 3.0], math.sqrt(2)),  # mean 1, deviation √2
            ([0.1, 0.1, 0.1], 0),  # no deviation
            ([0.0, 0.0], 0),
            ([0.0, 2e-9], 0.1),  # mean and deviation 1e-9, floored at 1e-8
            ([1e9, 1e9 + 1], 0),  # deviation 0.5 is below 1e-9·mean, 1.0000000005
            ([1e9, 1e9 + 4], 1),  # deviation 2 is not
        ],
    )
    def test_zscore(self, values: list[float], z: float) -> None:
        assert zscore(values) == pytest.approx(z, rel=1e-15)

    def test_zscore_forgets(self) -> None:
        tape = Script()
        for n, size in enumerate([1, 2, 4, 7, 7]):
            tape.message(n, DELTA if n else SNAPSHOT, [(99, size)], [(101, 1)])
        rows = features(tape.batch(), replace(UPDATES, windows=(("1ns", 1),)))
        assert rows["ofi_l0_1ns"] == [0, 1, 2, 3, 0]
        # (1, 2, 3): mean 2, deviation √(2/3); (2, 3, 0): mean 5/3, deviation √(14/9)
        expected = [0, 1, 1 / math.sqrt(2 / 3), 1 / math.sqrt(2 / 3), -5 / 3 / math.sqrt(14 / 9)]
        assert rows["ofi_z_l0_1ns"] == pytest.approx(expected, rel=1e-15)
        assert rows["ofi_momentum"] == [0, 1, 1, 1, -3]
        assert rows["ofi_acceleration"] == [0, 1, 0, 0, -4]

    def test_trades(self) -> None:
        some = [Trade(10, 1, 100.0, 8.0), Trade(11, 1, 100.0, 1.0), Trade(20, -1, 103.0, 2.0)]
        assert imbalance(some, 20, 10) == 1 - 2
        assert imbalance(some, 20, 11) == 8 + 1 - 2
        assert imbalance(some, 40, 10) == 0
        assert vwap(some[1:]) == 102
        assert math.isnan(vwap([]))

    def test_volatility(self) -> None:
        assert volatility([1.0], 5) == volatility([1.0, 2.0], 5) == 0
        assert volatility([1.0, math.e, 1.0], 5) == pytest.approx(1, rel=1e-15)
        assert volatility([1.0, 2.0, 4.0, 8.0], 5) == pytest.approx(0, abs=1e-15)
        assert volatility([1e5, 1.0, math.e, 1.0], 2) == pytest.approx(1, rel=1e-15)  # the fall is out of the window


class TestFracdiff:
    def test_weights(self) -> None:
        assert weights(0.5, 0.06) == [1, -0.5, -0.125, -0.0625]
        assert weights(1, 1e-5) == [1, -1]
        assert weights(2, 1e-5) == [1, -2, 1]
        assert weights(0, 1e-5) == [1]
        assert weights(0.5, 1) == [1]
        assert weights(1, 1) == [1, -1]  # a weight of exactly the threshold is kept
        assert len(weights(0.4, 1e-5)) == 1458
        assert len(weights(0.05, 1e-12)) == 10_000

    def test_first_difference(self) -> None:
        w, x = weights(1, 1e-5), [3.0, 5.0, 4.0]
        assert math.isnan(ffd(x[:1], w))
        assert [ffd(x[:n], w) for n in (2, 3)] == [2, -1]

    def test_half(self) -> None:
        assert ffd([8.0, 100.0, 4.0, 2.0, 1.0], weights(0.5, 0.06)) == 1 - 1 - 0.5 - 6.25

    def test_series(self) -> None:
        tape = opened(5).trade(6, 1, 101, 2).delta(7, [(100, 1)])
        rows = features(tape.batch(), UPDATES)
        assert math.isnan(rows["price_ffd"][0])
        assert rows["price_ffd"][1] == pytest.approx(math.log(100.5 / 100), rel=1e-12)
        assert rows["volume_ffd"] == [0, math.log(3)]


class TestFractal:
    @pytest.mark.parametrize(
        ("method", "line", "zigzag"),
        [
            ("variogram", 1, 2),  # V_2 = 4 V_1; V_2 = 0
            ("madogram", 1, 2),  # V_2 = 2 V_1; V_2 = 0
            ("sevcik", 1 + math.log(2 * math.sqrt(2)) / math.log(8), 2),  # L = √2; L = 4 √(17/16) clips
            ("chord", 1, 2),  # L = 1 < C clips; L/C = 16 clips
        ],
    )
    def test_five_points(self, method: str, line: float, zigzag: float) -> None:
        assert dimension([10.0, 11.0, 12.0, 13.0, 14.0], method) == pytest.approx(line, rel=1e-15)
        assert dimension([14.0, 13.0, 12.0, 11.0, 10.0], method) == pytest.approx(line, rel=1e-15)
        assert dimension([10.0, 20.0, 10.0, 20.0, 10.0], method) == zigzag
        assert dimension([7.0] * 5, method) == 1.5

    def test_in_between(self) -> None:
        # y = 0, 0, 1: V_1 = 1/2, V_2 = 1
        assert dimension([3.0, 3.0, 4.0], "madogram") == 1
        # y = 0, 1, 1/2, 1: V_1 = (1 + 1/2 + 1/2)/3 = 2/3, V_2 = (1/2 + 0)/2 = 1/4
        assert dimension([3.0, 5.0, 4.0, 5.0], "madogram") == 2.0  # 2 - log2(3/8) > 2
        # y = 0, 1/2, 1, 1/2: V_1 = 1/2, V_2 = (1 + 0)/2 = 1/2
        assert dimension([3.0, 4.0, 5.0, 4.0], "madogram") == 2.0
        # y = 0, 1/2, 1/2, 1: V_1 = 1/3, V_2 = 1/2
        assert dimension([3.0, 4.0, 4.0, 5.0], "madogram") == pytest.approx(2 - math.log2(1.5), rel=1e-15)
        # V_1 = 2/3, V_2 = 1: the same points, squared
        assert dimension([3.0, 4.0, 4.0, 5.0], "variogram") == pytest.approx(2 - 0.5 * math.log2(1.5), rel=1e-15)
        # V_1 = 1, V_2 = (4 + 4 + 0)/3 = 8/3
        assert dimension([1.0, 2.0, 3.0, 4.0, 3.0], "variogram") == pytest.approx(2 - 0.5 * math.log2(8 / 3), rel=1e-15)
        # y = 0, 0, 1, N = 3: L = 1/2 + √(1/4 + 1)
        assert dimension([3.0, 3.0, 4.0], "sevcik") == pytest.approx(
            1 + math.log(2 * (0.5 + math.sqrt(1.25))) / math.log(4), rel=1e-15
        )
        # a zigzag that ends on the other side: L = 3, C = √(1/9 + 1), whereas with an odd N it ends where it began
        assert dimension([1.0, 2.0, 1.0, 2.0], "chord") == pytest.approx(
            1 + math.log(3 / math.sqrt(10 / 9)) / math.log(6), rel=1e-15
        )

    def test_regime(self) -> None:
        assert [regime(x) for x in (1.2, 1.5, 1.7, math.nan)] == ["trending", "neutral", "ranging", None]

    def test_samples(self) -> None:
        """Of the rows 10, 20, 30 … every other one is a sample; in between the value holds."""
        tape = opened(5).delta(15, [(99, 2)]).delta(35, [(100, 2)]).delta(55, [(100.5, 2)]).trade(91, 1, 101, 1)
        rows = features(tape.batch(), replace(CONFIG, fdi_method="madogram"))
        assert rows["ts"] == [*range(10, 91, 10)]
        assert rows["mid"] == [100, 100, 100, 100.5, 100.5, 100.75, 100.75, 100.75, 100.75]
        # samples 100, 100.5, 100.75 (y = 0, 2/3, 1: V_1 = 1/2, V_2 = 1), then 100.5, 100.75, 100.75
        assert rows["regime"] == [None] * 5 + ["trending"] * 4
        assert all(math.isnan(x) for x in rows["fdi"][:5])
        assert rows["fdi"][5:] == pytest.approx([1, 1, 1, 1])
        rows = features(tape.batch(), CONFIG)
        # the same samples: V_1 = 5/32, V_2 = 9/16; then V_1 = 1/32, V_2 = 1/16, twice V_1
        assert rows["fdi"][5:] == pytest.approx([2 - 0.5 * math.log2(3.6)] * 2 + [1.5] * 2)
        assert rows["regime"] == [None] * 5 + ["trending"] * 2 + ["neutral"] * 2
        flat = features(opened(5).trade(61, 1, 101, 1).batch(), CONFIG)
        assert (flat["fdi"][-1], flat["regime"][-1]) == (1.5, "neutral")


class TestValidity:
    def test_bits(self) -> None:
        tape = opened(5).trade(71, 1, 101, 1)
        rows = features(tape.batch(), replace(CONFIG, volume_d=1.0), full_depth=True)
        # Rows 10, 20 … 70: two FFD rows, three rows for z-scores and volatility (2 returns), windows from
        # 5 + 20 on, FDI at its third sample, 60.
        bits = {1: 30, 2: 30, 4: 20, 8: 20, 16: 60, 32: 30, 64: 10}
        assert rows["warm"] == [sum(bit for bit, since in bits.items() if ts >= since) for ts in rows["ts"]]

    def test_window_bit_is_set_on_the_dot(self) -> None:
        assert [w & 1 for w in features(opened(10).trade(41, 1, 101, 1).batch(), CONFIG)["warm"]] == [0, 0, 1, 1]

    def test_restart_clears(self) -> None:
        tape = opened(5).trade(71, 1, 101, 1).delta(172, [(99, 2)]).trade(181, 1, 101, 1)
        assert features(tape.batch(), CONFIG)["warm"][-1] == 8 | 64  # volume_d = 0 needs one row; the book stays

    def test_depth_bit(self) -> None:
        tape = opened(5)  # 98 to 102
        tape.delta(6, [(97, 1)])  # deeper than the snapshot looked
        tape.delta(7, [(97, 0)], [(102, 9)])
        tape.delta(8, asks=[(103, 1)])
        tape.snapshot(9, [(90, 1)], [(110, 1)]).delta(10, [(97, 1)]).reset(10).delta(11, [(97, 1)], [(98, 1)])
        assert [w & 64 for w in features(tape.batch(), UPDATES)["warm"]] == [
            64,
            0,
            64,
            0,
            64,
            64,
        ]  # and no row without a snapshot
        assert {w & 64 for w in features(tape.batch(), UPDATES, full_depth=True)["warm"]} == {64}

    def test_depth_bit_reads_20_levels(self) -> None:
        ladder = [(100.0 - m, 1.0) for m in range(20)]
        tape = Script().snapshot(5, ladder, [(101, 1)]).delta(6, [(1, 1)]).delta(7, [(100, 0)])
        assert [w & 64 for w in features(tape.batch(), UPDATES)["warm"]] == [64, 64, 0]


def test_columns() -> None:
    assert columns(replace(CONFIG, depths=(1, 20))) == [
        *("ts", "receive_ts", "ordinal", "bid_price", "bid_size", "ask_price", "ask_size", "mid", "spread"),
        *("microprice", "depth_imbalance_l0", "depth_imbalance_l20", "vw_ofi", "ofi_l0", "ofi_l20"),
        *("ofi_l0_20ns", "ofi_l0_15ns", "ofi_l20_20ns", "ofi_l20_15ns"),
        *("ofi_z_l0_20ns", "ofi_z_l0_15ns", "ofi_z_l20_20ns", "ofi_z_l20_15ns"),
        *("ofi_momentum", "ofi_acceleration", "trade_imbalance_20ns", "trade_imbalance_15ns"),
        *("trade_volume", "trade_count", "vwap", "price_ffd", "volume_ffd", "fdi", "regime", "volatility", "warm"),
    ]
    assert "ofi_momentum" not in columns(replace(CONFIG, depths=(5,)))


def test_empty_tape() -> None:
    assert features(Script().batch(), CONFIG) == {name: [] for name in columns(CONFIG)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.data())
def test_a_row_reads_nothing_of_the_future(case: tuple[FeatureConfig, TapeBatch], data: st.DataObject) -> None:
    config, tape = case
    whole = features(tape, config)
    cut = data.draw(st.integers(0, tape.rows))
    for name, values in features(tape.slice(0, cut), config).items():
        assert repr(values) == repr(whole[name][: len(values)]), name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.data())
def test_tapes_are_tapes(case: tuple[FeatureConfig, TapeBatch], data: st.DataObject) -> None:
    config, tape = case
    assert all(a < b for a, b in pairwise(tape.ordinal.tolist()))
    assert (tape.price[tape.kind != FUNDING] >= 0).all()
    assert (tape.size >= 0).all()
    rows: dict[str, list[Any]] = features(tape, config)
    keys = list(zip(rows["ts"], rows["ordinal"], strict=True))
    assert len(set(keys)) == len(keys)
    whole = concat(split(tape, data.draw(splits(tape.rows))))
    assert all((a == b).all() for a, b in zip(whole, tape, strict=True))
