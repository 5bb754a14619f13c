"""Frames as the exchanges document them, and what is done with those that are not like that."""

import json
from typing import Any

import pytest

from sources.messages import BadFrame, BookMessage, Message, TradeMessage
from sources.tape.batch import DELTA, SNAPSHOT
from sources.venues.binance_futures.decoder import decoder as futures
from sources.venues.binance_spot.decoder import decoder as spot
from sources.venues.bybit_linear.decoder import decoder as bybit

MS = 1_000_000
NOW = 1790526540000 * MS

DEPTH = b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1790526538985,"T":1790526538981,"s":"BTCUSDT","ps":"BTCUSDT","U":11671659683245,"u":11671659687966,"pu":11671659683147,"b":[["1000.00","139.491"],["82548.60","0.000"]],"a":[["84551.10","5.302"]],"st":1}}'  # noqa: E501
AGG_TRADE = b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1790526539033,"a":3466782974,"s":"BTCUSDT","p":"84551.10","q":"0.030","nq":"0.030","f":8123344783,"l":8123344783,"T":1790526538883,"m":false,"st":1}}'  # noqa: E501
TRADE = b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":true}}'  # noqa: E501
REST = b'{"lastUpdateId":5123107852948,"E":1723161256501,"T":1723161256493,"bids":[["61800.20","2.909"]],"asks":[["61800.30","1"]]}'  # noqa: E501
SPOT_DEPTH = b'{"stream":"nexousdt@depth@100ms","data":{"e":"depthUpdate","E":1721749183710,"s":"NEXOUSDT","U":134180600,"u":134180601,"b":[["1.18800000","169.66000000"]],"a":[]}}'  # noqa: E501
SPOT_TRADE = b'{"stream":"nexousdt@trade","data":{"e":"trade","E":1721749184044,"s":"NEXOUSDT","t":12792147,"p":"1.21600000","q":"10.82000000","T":1721749184043,"m":false,"M":true}}'  # noqa: E501
SPOT_REST = b'{"lastUpdateId": 134180599, "bids": [["1.21400000", "63.38000000"]], "asks": [["1.25000000", "1"]]}'
BYBIT_SNAPSHOT = b'{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":18521288,"seq":7961638724},"cts":1672304484976}'  # noqa: E501
BYBIT_DELTA = b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1773386409407,"data":{"s":"BTCUSDT","b":[["71419.80","0"],["71418.20","0.159"]],"a":[["71427.90","0.006"]],"u":10132541,"seq":546137962186},"cts":1773386409404}'  # noqa: E501
BYBIT_TRADE = b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1781415763023,"data":[{"T":1781415763021,"s":"BTCUSDT","S":"Sell","v":"0.001","p":"64345.20","L":"MinusTick","i":"35319862-77a2-5ebe-851b-3836573c4fe9","BT":false,"RPI":false,"seq":598180439295}]}'  # noqa: E501


def one(decoder: Any, raw: bytes) -> Message:
    (message,) = decoder.decode([(NOW, raw)])
    return message  # type: ignore[no-any-return]


def edited(raw: bytes, **fields: Any) -> bytes:
    """A frame with other values in its data."""
    frame = json.loads(raw)
    frame["data"].update(fields)
    return json.dumps(frame, separators=(",", ":")).encode()


def test_futures_depth() -> None:
    m = one(futures(), DEPTH)
    assert isinstance(m, BookMessage)
    assert (m.symbol, m.kind, m.exchange_ts, m.receive_ts) == ("BTCUSDT", DELTA, 1790526538981 * MS, NOW)
    assert (m.first, m.final, m.previous) == (11671659683245, 11671659687966, 11671659683147)
    assert [c.tolist() for c in m.levels] == [[1, 1, -1], [1000.0, 82548.6, 84551.1], [139.491, 0.0, 5.302]]


def test_futures_trades() -> None:
    assert one(futures(), AGG_TRADE) == TradeMessage("BTCUSDT", 1790526538883 * MS, NOW, 3466782974, 1, 84551.1, 0.03)
    assert one(futures(), TRADE) == TradeMessage("BTCUSDT", 1723161256322 * MS, NOW, 5266583935, -1, 61800.3, 0.006)


def test_rest_books() -> None:
    m = futures().snapshot("BTCUSDT", NOW, REST)
    assert isinstance(m, BookMessage)
    assert (m.symbol, m.kind, m.exchange_ts, m.final) == ("BTCUSDT", SNAPSHOT, 1723161256493 * MS, 5123107852948)
    s = spot().snapshot("NEXOUSDT", NOW, SPOT_REST)
    assert isinstance(s, BookMessage)
    assert (s.exchange_ts, s.final, s.levels.price.tolist()) == (NOW, 134180599, [1.214, 1.25])


def test_rest_book_among_the_frames_needs_a_symbol() -> None:
    m = one(futures("BTCUSDT"), REST)
    assert isinstance(m, BookMessage)
    assert m.symbol == "BTCUSDT"
    assert isinstance(one(futures(), REST), BadFrame)


def test_spot() -> None:
    m = one(spot(), SPOT_DEPTH)
    assert isinstance(m, BookMessage)
    assert (m.exchange_ts, m.first, m.final, m.previous) == (1721749183710 * MS, 134180600, 134180601, -1)
    assert one(spot(), SPOT_TRADE) == TradeMessage("NEXOUSDT", 1721749184043 * MS, NOW, 12792147, 1, 1.216, 10.82)


def test_bybit() -> None:
    snapshot, delta, trade = bybit().decode([(NOW, f) for f in (BYBIT_SNAPSHOT, BYBIT_DELTA, BYBIT_TRADE)])
    assert isinstance(snapshot, BookMessage)
    assert isinstance(delta, BookMessage)
    assert (snapshot.kind, snapshot.exchange_ts, snapshot.final) == (SNAPSHOT, 1672304484976 * MS, 18521288)
    assert (delta.kind, delta.final, delta.levels.size.tolist()) == (DELTA, 10132541, [0.0, 0.159, 0.006])
    name = "35319862-77a2-5ebe-851b-3836573c4fe9"
    assert trade == TradeMessage("BTCUSDT", 1781415763021 * MS, NOW, 598180439295, -1, 64345.2, 0.001, name)


def test_bybit_restart_is_a_snapshot() -> None:
    m = one(bybit(), edited(BYBIT_DELTA, u=1))
    assert isinstance(m, BookMessage)
    assert m.kind == SNAPSHOT


def test_bybit_records_one_book_topic_and_ignores_control() -> None:
    d = bybit()
    other = BYBIT_DELTA.replace(b"orderbook.50", b"orderbook.200")
    pong = b'{"success":true,"ret_msg":"pong","op":"ping"}'
    assert len(d.decode([(NOW, BYBIT_SNAPSHOT), (NOW, other), (NOW, pong)])) == 1
    assert d.ignored == {"orderbook.200 beside orderbook.50": 1, "control": 1}


@pytest.mark.parametrize("name", ["btcusdt@depth20@100ms", "btcusdt@depth5", "btcusdt@bookTicker", "btcusdt@kline_1m",
                                  "btcusdt@rpiDepth", "!contractInfo"])  # fmt: skip
def test_other_streams_are_ignored_whatever_their_e(name: str) -> None:
    d = futures()
    assert d.decode([(NOW, DEPTH.replace(b"btcusdt@depth@100ms", name.encode()))]) == []
    assert sum(d.ignored.values()) == 1


@pytest.mark.parametrize("name", ["btcusdt@depth", "btcusdt@depth@0ms", "btcusdt@depth@500ms"])
def test_diff_streams(name: str) -> None:
    assert isinstance(one(futures(), DEPTH.replace(b"btcusdt@depth@100ms", name.encode())), BookMessage)


def test_key_order_and_blanks_do_not_matter() -> None:
    frame = json.loads(DEPTH)
    turned = json.dumps({"data": dict(reversed(frame["data"].items())), "stream": frame["stream"]}).encode()
    a, b = one(futures(), DEPTH), one(futures(), turned)
    assert isinstance(a, BookMessage)
    assert isinstance(b, BookMessage)
    assert (a.final, [c.tolist() for c in a.levels]) == (b.final, [c.tolist() for c in b.levels])


def test_symbol_beyond_ascii() -> None:
    m = one(futures(), DEPTH.replace(b"btcusdt", "币安usdt".encode()).replace(b"BTCUSDT", "币安USDT".encode()))
    assert isinstance(m, BookMessage)
    assert m.symbol == "币安USDT"


def off_book(messages: list[Message]) -> list[str]:
    assert all(isinstance(m, TradeMessage) for m in messages)
    return [m.off_book for m in messages if isinstance(m, TradeMessage)]


def test_prints_that_are_not_of_the_book_say_so_and_keep_their_numbers() -> None:
    frames = [edited(TRADE, X="NA", p="0", q="0", t=1), edited(TRADE, X="ADL", t=2),
              edited(TRADE, X="INSURANCE_FUND", t=3), edited(TRADE, q="0.000", t=4),
              edited(TRADE, X="RPI", t=5), edited(TRADE, X="NEW_WORD", t=6)]  # fmt: skip
    messages = futures().decode([(NOW, f) for f in frames])
    labels = ["print X=NA", "print X=ADL", "print X=INSURANCE_FUND", "print of size 0", "", "print X=NEW_WORD"]
    assert off_book(messages) == labels
    assert [m.trade_id for m in messages if isinstance(m, TradeMessage)] == [1, 2, 3, 4, 5, 6]


def prints(*edits: dict[str, Any]) -> bytes:
    """A Bybit trade frame with one print for each of ``edits``."""
    frame = json.loads(BYBIT_TRADE)
    (model,) = frame["data"]
    frame["data"] = [model | edit for edit in edits]
    return json.dumps(frame).encode()


def test_bybit_block_trades_say_so_and_rpi_is_of_the_book() -> None:
    frame = prints({"i": "a"}, {"i": "b", "BT": True, "v": "100"}, {"i": "c", "RPI": True}, {"i": "d", "v": "0"},
                   {"i": "e", "BT": True, "S": "None"}, {"i": "f", "BT": None})  # fmt: skip
    messages = bybit().decode([(NOW, frame)])
    assert off_book(messages) == ["", "block trades", "", "print of size 0", "block trades", ""]
    assert [m.name for m in messages if isinstance(m, TradeMessage)] == list("abcdef")
    without = json.loads(prints({}))
    del without["data"][0]["BT"]  # as older frames have it
    assert off_book(bybit().decode([(NOW, json.dumps(without).encode())])) == [""]


@pytest.mark.parametrize("edit", [{"S": "Both"}, {"p": "0"}, {"T": NOW // MS + 60_001}])
def test_bybit_print_that_is_not_believed_costs_no_other(edit: dict[str, Any]) -> None:
    first, bad, last = bybit().decode([(NOW, prints({"i": "a"}, edit, {"i": "b"}))])
    assert isinstance(first, TradeMessage)
    assert isinstance(last, TradeMessage)
    assert isinstance(bad, BadFrame)
    assert (bad.place, bad.symbol, bad.may_be_book) == (0, "BTCUSDT", False)


def test_bybit_book_message_of_unknown_type_may_have_changed_the_book() -> None:
    bad = one(bybit(), BYBIT_DELTA.replace(b'"delta"', b'"patch"'))
    assert isinstance(bad, BadFrame)
    assert (bad.symbol, bad.may_be_book) == ("BTCUSDT", True)
    assert "patch" in bad.reason


SHUTDOWNS = [
    b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1700000000120}}',
    b'{"data":{"e":"serverShutdown","E":1700000000120},"stream":"!serverShutdown"}',
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"serverShutdown","E":1700000000120}}',
    b'{"e":"serverShutdown","E":1700000000120}',
    b'{"event":{"e":"serverShutdown","E":1700000000120}}',
]


@pytest.mark.parametrize("raw", SHUTDOWNS)
def test_announced_shutdown_costs_no_book(raw: bytes) -> None:
    for make in (futures, spot):
        d = make("BTCUSDT")
        assert d.decode([(NOW, raw)]) == []
        assert d.ignored == {"serverShutdown": 1}
        assert d.closing


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        (b'{"e":"newThing","E":1}', "newThing"),
        (b'{"event":{"e":"newThing"}}', "newThing"),
        (b'{"stream":"btcusdt@aggTrade","data":{"e":"newThing","E":1}}', "newThing"),
        (b'{"stream":"btcusdt@newThing","data":{"e":"newThing","E":1}}', "newThing"),
        (b'{"stream":"!newThing@arr","data":[{"e":"newThing","E":1}]}', "arr"),
        (b'[{"e":"24hrTicker"}]', "control"),
        (b'"hello"', "control"),
        (b'{"e":7}', "control"),
        (b'{"e":"' + rb"x\u001b" * 100 + b'"}', "x\ufffd" * 24),
    ],
)
def test_unknown_event_costs_no_book_and_is_counted_by_name(raw: bytes, label: str) -> None:
    d = futures()
    assert d.decode([(NOW, raw)]) == []
    assert d.ignored == {label: 1}
    assert not d.closing


def test_names_of_unknown_events_are_bounded() -> None:
    d = futures()
    assert d.decode([(NOW, b'{"e":"event %d"}' % n) for n in range(1000)]) == []
    assert len(d.ignored) <= 101
    assert d.ignored.total() == 1000


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        (b'{"topic":"kline.1.BTCUSDT","type":"snapshot","data":[]}', "kline.1"),
        (b'{"topic":"news","data":{}}', "news"),
        (b'{"op":"shutdown"}', "op shutdown"),
        (b'{"op":"pong"}', "control"),
        (b"[1]", "control"),
        (b'{"stream":"btcusdt@trade","data":{}}', "streams of another venue"),
        (b'{"e":"depthUpdate"}', "streams of another venue"),
    ],
)
def test_bybit_unknown_topic_or_operation_costs_no_book(raw: bytes, label: str) -> None:
    d = bybit()
    assert d.decode([(NOW, raw)]) == []
    assert d.ignored == {label: 1}


def test_only_one_of_two_trade_streams_is_recorded() -> None:
    d = futures()
    assert len(d.decode([(NOW, TRADE), (NOW, AGG_TRADE), (NOW, TRADE)])) == 2
    assert d.ignored == {"aggTrade beside trade": 1}


BAD_BOOKS = [
    DEPTH[:-40],
    edited(DEPTH, b=[["nan", "1"]]),
    edited(DEPTH, a=[["1", "-1"]]),
    edited(DEPTH, U=-1),
    edited(DEPTH, u=2**63),
    edited(DEPTH, T="soon"),
    edited(DEPTH, T=NOW // MS + 60_001),
    edited(DEPTH, b=None),
    DEPTH.replace(b'"pu":11671659683147,', b""),
]


@pytest.mark.parametrize("raw", BAD_BOOKS)
def test_bad_book_frame(raw: bytes) -> None:
    good, bad, after = futures().decode([(NOW, DEPTH), (NOW, raw), (NOW, DEPTH)])
    assert isinstance(good, BookMessage)
    assert isinstance(after, BookMessage)
    assert isinstance(bad, BadFrame)
    assert (bad.place, bad.symbol, bad.may_be_book) == (1, "BTCUSDT", True)
    assert "\n" not in bad.reason
    assert len(bad.excerpt) <= 120


def test_a_minute_ahead_is_believed() -> None:
    assert isinstance(one(futures(), edited(DEPTH, T=NOW // MS + 60_000)), BookMessage)


@pytest.mark.parametrize("fields", [{"p": "nan"}, {"p": "0"}, {"q": "-1"}, {"t": "x"}, {"m": None}, {"p": "1e16"}])
def test_bad_trade_costs_no_book(fields: dict[str, Any]) -> None:
    bad = one(futures(), edited(TRADE, **fields))
    assert isinstance(bad, BadFrame)
    assert not bad.may_be_book


UNROUTABLE = [
    b"",
    b"garbage",
    DEPTH.replace(b"{", b"[", 1),
    b"\xff\xfe",
    b'{"stream":"btcusdt@dep',
    b'{"e":"depthUpdate","s":"X"}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("raw", UNROUTABLE)
def test_what_cannot_be_routed_may_have_been_any_book(raw: bytes) -> None:
    for make in (futures, spot):
        bad = one(make(), raw)
        assert isinstance(bad, BadFrame)
        assert (bad.symbol, bad.may_be_book) == (None, True)


@pytest.mark.parametrize("raw", [b'{"result":null,"id":1}', b'{"code":2,"msg":"x"}', b'{"error":{"code":2},"id":1}'])
def test_control_frames_are_ignored(raw: bytes) -> None:
    d = futures()
    assert d.decode([(NOW, raw)]) == []
    assert d.ignored == {"control": 1}
