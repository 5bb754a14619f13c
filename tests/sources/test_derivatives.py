"""Frames of mark prices, funding, open interest and liquidations, as the exchanges send them."""

from typing import Any

import msgspec
import pytest

from sources.derivative_deduplicator import DerivativeDeduplicator
from sources.messages import BadFrame, DerivativeMessage, Message
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST
from sources.venues.binance_futures.decoder import decoder as futures
from sources.venues.binance_futures.derivatives import FundingHours, open_interest
from sources.venues.binance_spot.decoder import decoder as spot
from sources.venues.bybit_linear.decoder import decoder as bybit

MS = 1_000_000
MARK_PRICE = (
    b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1791269856000,"s":"BTCUSDT",'
    b'"p":"85296.60260870","ap":"85296.60260870","P":"85321.91711993","i":"85345.93826087","r":"0.00000523",'
    b'"T":1791273600000,"st":1}}'
)
FORCE_ORDER = (
    b'{"stream":"btcusdt@forceOrder","data":{"e":"forceOrder","E":1791565603055,"o":{"s":"BTCUSDT","S":"SELL",'
    b'"o":"LIMIT","f":"IOC","q":"0.190","p":"82338.30","ap":"82651.90","X":"FILLED","l":"0.155","z":"0.190",'
    b'"T":1791565602120,"ps":"BTCUSDT","st":1}}}'
)
LIQUIDATIONS = (
    b'{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":1791565601482,"data":[{"T":1791565600992,"s":"BTCUSDT",'
    b'"S":"Buy","v":"0.006","p":"82396.90"},{"T":1791565601058,"s":"BTCUSDT","S":"Sell","v":"0.038","p":"82394.30"}]}'
)
NOW = 1791565700000 * MS


def told(messages: list[Message]) -> list[tuple[Any, ...]]:
    """Kind, exchange time in ms, sequence, side, price, size."""
    assert all(isinstance(m, DerivativeMessage) for m in messages), messages
    return [
        (m.kind, m.exchange_ts // MS, m.sequence, m.side, m.price, m.size)
        for m in messages
        if isinstance(m, DerivativeMessage)
    ]


def edited(frame: bytes, **fields: Any) -> bytes:
    whole = msgspec.json.decode(frame)
    data = whole["data"]
    data.get("o", data).update(fields)
    return msgspec.json.encode(whole)


class TestBinance:
    def test_a_mark_price_tells_funding_too(self) -> None:
        assert told(futures().decode([(NOW, MARK_PRICE)])) == [
            (MARK, 1791269856000, 0, 0, 85296.6026087, 85345.93826087),
            (FUNDING, 1791269856000, 1791273600000, 0, 0.00000523, 0.0),
        ]

    def test_hours_between_fundings(self) -> None:
        hours = FundingHours()
        decoder = futures(hours=hours)
        hours.take(b'[{"symbol":"BTCUSDT","fundingIntervalHours":4,"disclaimer":false}]')
        assert told(decoder.decode([(NOW, MARK_PRICE)]))[1][-1] == 4.0
        hours.take(b'[{"symbol":"BLZUSDT","fundingIntervalHours":4}]')
        assert told(decoder.decode([(NOW, MARK_PRICE)]))[1][-1] == 8.0
        with pytest.raises(ValueError, match="fundingIntervalHours"):
            hours.take(b'[{"symbol":"BLZUSDT"}]')

    def test_a_contract_without_funding_or_index(self) -> None:
        frame = edited(MARK_PRICE, r="", T=0, i="0.00000000")
        assert told(futures().decode([(NOW, frame)])) == [(MARK, 1791269856000, 0, 0, 85296.6026087, 0.0)]

    def test_a_liquidation_has_the_side_of_its_order(self) -> None:
        sold = (LIQUIDATION, 1791565602120, 0, -1, 82651.90, 0.190)
        assert told(futures().decode([(NOW, FORCE_ORDER)])) == [sold]
        assert told(futures().decode([(NOW, edited(FORCE_ORDER, S="BUY"))])) == [(*sold[:3], 1, *sold[4:])]
        assert futures().decode([(NOW, edited(FORCE_ORDER, z="0", ap="0"))]) == []

    @pytest.mark.parametrize(
        ("frame", "fields"),
        [
            (MARK_PRICE, {"p": "0"}),
            (MARK_PRICE, {"p": "1e155"}),
            (MARK_PRICE, {"i": "nan"}),
            (MARK_PRICE, {"r": "inf"}),
            (MARK_PRICE, {"r": "x"}),
            (MARK_PRICE, {"E": 0}),
            (MARK_PRICE, {"E": 1791565700000 + 61_000}),
            (MARK_PRICE, {"st": 2}),
            (FORCE_ORDER, {"S": "HOLD"}),
            (FORCE_ORDER, {"T": 0}),
            (FORCE_ORDER, {"ap": "-1"}),
            (FORCE_ORDER, {"st": 2}),
        ],
    )
    def test_bad_ones_cost_no_book(self, frame: bytes, fields: dict[str, Any]) -> None:
        (bad,) = futures().decode([(NOW, edited(frame, **fields))])
        assert isinstance(bad, BadFrame)
        assert (bad.symbol, bad.may_be_book) == ("BTCUSDT", False)

    def test_of_two_streams_of_a_symbol_the_first_is_taken(self) -> None:
        decoder = futures()
        slow = MARK_PRICE.replace(b"@markPrice@1s", b"@markPrice")
        assert len(decoder.decode([(NOW, MARK_PRICE), (NOW, slow)])) == 2
        assert decoder.ignored == {"markPrice beside markPrice@1s": 1}

    def test_a_capture_may_have_none_of_the_envelope(self) -> None:
        for frame, count in ((MARK_PRICE, 2), (FORCE_ORDER, 1)):
            bare = msgspec.json.encode(msgspec.json.decode(frame)["data"])
            assert len(told(futures("BTCUSDT").decode([(NOW, bare)]))) == count
            assert futures().decode([(NOW, bare)]) == []

    def test_spot_has_none(self) -> None:
        decoder = spot()
        assert decoder.decode([(NOW, MARK_PRICE), (NOW, FORCE_ORDER)]) == []
        assert decoder.ignored == {"markPrice@1s": 1, "forceOrder": 1}

    def test_open_interest(self) -> None:
        reply = b'{"symbol":"BTCUSDT","openInterest":"10659.509","time":1791565699530}'
        assert told([open_interest("BTCUSDT", NOW, reply)]) == [(OPEN_INTEREST, 1791565699530, 0, 0, 0.0, 10659.509)]
        for bad in (reply.replace(b"1791565699530", b"0"), reply.replace(b"10659.509", b"-1"), b"{}"):
            with pytest.raises(ValueError, match=r"."):
                open_interest("BTCUSDT", NOW, bad)


def ticker(ts: int, kind: str = "delta", **fields: Any) -> tuple[int, bytes]:
    frame = {"topic": "tickers.BTCUSDT", "type": kind, "data": {"symbol": "BTCUSDT", **fields}, "cs": 5, "ts": ts}
    return NOW, msgspec.json.encode(frame)


WHOLE = {
    **{"markPrice": "100.5", "indexPrice": "100.25", "fundingRate": "-0.0001", "nextFundingTime": "1791590400000"},
    **{"fundingIntervalHour": "8", "openInterest": "12345.678", "bid1Price": "100"},
}
T = 1791565600000


class TestBybit:
    def test_a_snapshot_tells_everything(self) -> None:
        assert told(bybit().decode([ticker(T, "snapshot", **WHOLE)])) == [
            (MARK, T, 5, 0, 100.5, 100.25),
            (FUNDING, T, 1791590400000, 0, -0.0001, 8.0),
            (OPEN_INTEREST, T, 5, 0, 0.0, 12345.678),
        ]

    def test_absent_empty_and_null_fields_are_as_they_were(self) -> None:
        frames = [
            ticker(T, "snapshot", **WHOLE),
            ticker(T + 100, bid1Price="99"),
            ticker(T + 200, indexPrice="101", markPrice="", fundingRate=None),
            ticker(T + 300, fundingRate="0.0002"),
            ticker(T + 400, openInterest="1"),
        ]
        assert told(bybit().decode(frames))[3:] == [
            (MARK, T + 200, 5, 0, 100.5, 101.0),
            (FUNDING, T + 300, 1791590400000, 0, 0.0002, 8.0),
            (OPEN_INTEREST, T + 400, 5, 0, 0.0, 1.0),
        ]

    def test_a_snapshot_forgets_and_symbols_are_apart(self) -> None:
        other = msgspec.json.decode(ticker(T + 1, openInterest="7")[1])
        other["topic"], other["data"]["symbol"] = "tickers.ETHUSDT", "ETHUSDT"
        frames = [
            ticker(T, "snapshot", **WHOLE),
            (NOW, msgspec.json.encode(other)),
            ticker(T + 2, "snapshot", markPrice="3"),
        ]
        assert told(bybit().decode(frames))[3:] == [
            (OPEN_INTEREST, T + 1, 5, 0, 0.0, 7.0),
            (MARK, T + 2, 5, 0, 3.0, 0.0),
        ]

    def test_what_does_not_change_is_told_again_after_ten_seconds(self) -> None:
        frames = [ticker(T, "snapshot", **WHOLE), *(ticker(T + 1000 * s, bid1Price="99") for s in range(1, 21))]
        again = told(bybit().decode(frames))[3:]
        assert [(kind, (ts - T) // 1000) for kind, ts, *_ in again] == [
            *((MARK, 10), (FUNDING, 10), (OPEN_INTEREST, 10), (MARK, 20), (FUNDING, 20), (OPEN_INTEREST, 20))
        ]

    def test_a_liquidation_has_the_opposite_side_of_its_position(self) -> None:
        assert told(bybit().decode([(NOW, LIQUIDATIONS)])) == [
            (LIQUIDATION, 1791565600992, 0, -1, 82396.90, 0.006),
            (LIQUIDATION, 1791565601058, 0, 1, 82394.30, 0.038),
        ]

    @pytest.mark.parametrize(
        "frame",
        [
            ticker(T, markPrice="0"),
            ticker(T, markPrice="1e155"),
            ticker(T, fundingRate="nan"),
            ticker(T, openInterest="-1"),
            ticker(0, openInterest="1"),
            ticker(NOW // MS + 61_000, openInterest="1"),
            (NOW, LIQUIDATIONS.replace(b'"Buy"', b'"Hold"')),
            (NOW, LIQUIDATIONS.replace(b"82396.90", b"0")),
            (NOW, LIQUIDATIONS[:-5]),
        ],
    )
    def test_bad_ones_cost_no_book(self, frame: tuple[int, bytes]) -> None:
        (bad,) = bybit().decode([frame])
        assert isinstance(bad, BadFrame)
        assert (bad.symbol, bad.may_be_book) == ("BTCUSDT", False)


class TestDeduplicator:
    def test_states_go_forwards(self) -> None:
        known = DerivativeDeduplicator()

        def knows(exchange_ts: int, receive_ts: int, price: float = 1.0, kind: int = MARK) -> bool:
            return known.knows(DerivativeMessage("ticker", "S", kind, exchange_ts, receive_ts, 0, 0, price, 1.0))

        assert [knows(5, 6), knows(5, 7), knows(4, 8), knows(5, 8, 2.0), knows(6, 9)] == [
            *(False, True, True, False, False)
        ]
        assert not knows(1, 2, kind=FUNDING)

    def test_a_liquidation_is_told_twice_only_in_one_reading(self) -> None:
        known = DerivativeDeduplicator()

        def knows(exchange_ts: int, receive_ts: int, size: float = 1.0) -> bool:
            row = (0, -1, 9.0, size)
            return known.knows(DerivativeMessage("liquidation", "S", LIQUIDATION, exchange_ts, receive_ts, *row))

        assert [knows(5, 6), knows(5, 6), knows(5, 7), knows(5, 7, 2.0), knows(4, 8)] == [
            *(False, False, True, False, False)
        ]
        for n in range(200):
            knows(10 + n, 300)
        assert len(known._liquidations) == 64
