"""What the dataflow writes is what a browser is sent, once, in order, and told of where some is gone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.execution.schemas import FILLS
from operators.row_batch import NO_MORE_ROWS, row_batch
from operators.schema import feature_schema
from sources.tape.batch import DELTA, RESET, TRADE
from tests.window.conftest import BTC, CONFIG, NOW, events, rows
from window.columns import RESTART, feature_rows
from window.frames import binary
from window.ring import Ring
from window.tap import FEATURES, RESETS, TRADES, Tap


@settings(max_examples=60)
@given(st.lists(st.integers(0, 25), max_size=12), st.integers(1, 10), st.data())
def test_a_ring_hands_out_what_a_list_would(lengths: list[int], capacity: int, data: st.DataObject) -> None:
    ring, whole = Ring(2, capacity), np.empty((2, 0))
    for n in lengths:
        new = np.arange(2.0 * n).reshape(2, n) + whole.shape[1]
        ring.append(new)
        whole = np.concatenate([whole, new], axis=1)
        seen = data.draw(st.integers(0, whole.shape[1]))
        found, gone = ring.since(seen)
        kept = whole[:, max(seen, whole.shape[1] - capacity) :]
        assert np.array_equal(found, kept)
        assert gone == whole.shape[1] - seen - kept.shape[1]
    wider = ring.grown(capacity + 3)
    assert np.array_equal(wider.since(0)[0], ring.since(0)[0])
    assert wider.count == ring.count


def test_every_column_of_the_features_is_sent_as_it_is() -> None:
    batch, columns = rows(3, 4, restart=True), feature_rows(CONFIG)
    found = dict(zip(columns.names, columns.of(batch), strict=True))
    for column in feature_schema(CONFIG).columns:
        expected = getattr(batch, column.array)[column.row].astype(float)
        if column.type == "timestamp":
            expected = expected / 1e6
        assert np.array_equal(found[column.name], expected), column.name
    assert found[RESTART].tolist() == [0, 1, 2, 3]
    assert found["ask_price_19"].tolist() == [119.5] * 4
    assert found["bid_size_0"].tolist() == [2.0] * 4


def test_a_mask_that_fills_its_byte_is_not_negative() -> None:
    batch, columns = rows(0, 1), feature_rows(CONFIG)
    batch.code[:] = -1
    found = dict(zip(columns.names, columns.of(batch)[:, 0], strict=True))
    assert found["warm"] == 255
    assert found["regime"] == -1


def test_rows_come_once_and_in_order(tap: Tap) -> None:
    first = tap.since(BTC, {})
    assert list(first) == [FEATURES]
    assert first[FEATURES][1:] == (0, 50)
    tap.put(FEATURES, BTC, rows(50, 5))
    tap.put(FEATURES, BTC, NO_MORE_ROWS)
    found, gone, count = tap.since(BTC, {FEATURES: 50})[FEATURES]
    assert found[0].tolist() == [(NOW + n * 100_000_000) / 1e6 for n in range(50, 55)]
    assert (gone, count) == (0, 55)
    assert tap.since(BTC, {FEATURES: 55}) == {}
    assert tap.since("nobody:X", {}) == {}


def test_who_is_too_slow_is_told_what_is_gone(tap: Tap) -> None:
    for n in range(10):
        tap.put(FEATURES, BTC, rows(50 + 500 * n, 500))
    found, gone, count = tap.since(BTC, {FEATURES: 50})[FEATURES]
    assert (found.shape[1], gone, count) == (3000, 2000, 5050)


def test_trades_and_resets_are_taken_from_the_tape(tap: Tap) -> None:
    tap.put_tape(events(7, [DELTA, TRADE, DELTA, RESET, TRADE]))
    found = tap.since(BTC, {FEATURES: 50})
    assert found[TRADES][0].tolist() == [
        [(NOW + n * 100_000_000) / 1e6 for n in (8, 11)], [100.5] * 2, [0.25] * 2, [1, 1]
    ]  # fmt: skip
    assert found[RESETS][0].tolist() == [[(NOW + 10 * 100_000_000) / 1e6]]
    tap.put_tape(events(12, [TRADE] * 2))  # nothing but trades
    again = tap.since(BTC, {TRADES: 2})[TRADES][0]
    assert again.tolist() == [[(NOW + n * 100_000_000) / 1e6 for n in (12, 13)], [100.5] * 2, [0.25] * 2, [1, 1]]
    assert tap.tape_rows == 7
    names, table, versions = tap.changed(np.empty(0))
    newest = dict(zip(tap.overview.columns, table[1:, 0], strict=True))
    assert names == [BTC]
    assert (newest["gaps"], newest["known"], newest["mid"]) == (1, 0, 100)
    tap.put(FEATURES, BTC, rows(60, 1, restart=True, mid=7))
    names, table, _ = tap.changed(versions)
    newest = dict(zip(tap.overview.columns, table[1:, 0], strict=True))
    assert names == []
    assert (newest["gaps"], newest["known"], newest["mid"]) == (1, 1, 7)


def test_other_data_sets_are_sent_by_their_columns(tap: Tap) -> None:
    tap.declare(FILLS)
    values = {"order_id": [4], "side": [-1], "price": [100.5], "size": [2.0], "fee": [0.1], "position": [-2.0]}
    tap.put("fills", BTC, row_batch(FILLS, ts=[NOW], liquidity=["taker"], mid=[100.0], **values))
    found, _, _ = tap.since(BTC, {})["fills"]
    told = dict(zip(tap.schemas["fills"]["columns"], found[:, 0], strict=True))
    assert (told["ts"], told["side"], told["price"]) == (NOW / 1e6, -1, 100.5)
    assert tap.schemas["fills"]["words"]["liquidity"][int(told["liquidity"])] == "taker"


def test_sparklines_have_a_point_a_second_and_break_at_a_reset(tap: Tap) -> None:
    for n in range(5):
        tap.put(FEATURES, BTC, rows(50 + 10 * n, 10, mid=200.0 + n, restart=n == 3))
    assert tap.sparks()[-5:, 0].tolist()[:3] == [200, 201, 202]
    assert np.isnan(tap.sparks()[-2, 0])


def test_two_thousand_instruments_fit_into_the_budget(tap: Tap) -> None:
    tap.expect(f"binance_futures:X{n}" for n in range(2000))
    for n in range(2000):
        tap.put(FEATURES, f"binance_futures:X{n}", rows(0, 1, mid=1.0 + n))
    names, table, versions = tap.changed(np.empty(0))
    assert len(names) == len(versions) == 2001
    assert table[1 + tap.overview.columns.index("mid")].tolist() == [100.0, *(1.0 + n for n in range(2000))]
    last = "binance_futures:X1999"
    tap.put(FEATURES, last, rows(1, 100))
    assert tap.since(last, {})[FEATURES][0].shape[1] == 32  # beyond the budget, until somebody looks
    tap.watch(last)
    tap.put(FEATURES, last, rows(101, 100))
    assert tap.since(last, {})[FEATURES][0].shape[1] == 132


def test_a_frames_columns_lie_where_the_page_reads_them() -> None:
    columns = np.array([[1.5, 2.5, 3.5], [4.0, 5.0, 6.0]])
    for symbol in ("A", "AB", "ABC:DEFGH"):
        frame = binary(columns, kind="rows", symbol=symbol)
        length = int.from_bytes(frame[:4], "little")
        assert (4 + length) % 8 == 0
        assert np.frombuffer(frame, "<f8", offset=4 + length).tolist() == [1.5, 2.5, 3.5, 4, 5, 6]
