"""Control messages of OKX."""

import json

from sources.live.protocol import Answer, Operation
from sources.venues.okx_swap.protocol import OkxProtocol
from tests.venues.okx_swap.frames import ACK, ERROR, NOTICE, SNAPSHOT, TRADE

PROTOCOL = OkxProtocol()


def test_requests_name_channel_and_instrument() -> None:
    text = PROTOCOL.request(Operation.SUBSCRIBE, ["books:BTC-USDT-SWAP"], 7)
    arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
    assert json.loads(text) == {"id": "7", "op": "subscribe", "args": [arg]}
    assert json.loads(PROTOCOL.request(Operation.UNSUBSCRIBE, ["trades:X"], 8))["op"] == "unsubscribe"


def test_answers_are_matched_by_number() -> None:
    assert PROTOCOL.answer(ACK) == Answer(1512)
    error = PROTOCOL.answer(ERROR)
    assert error is not None
    assert (error.request, str(error.error)[:26]) == (1513, "60018 Wrong URL or channel")


def test_ping_and_pong_are_bare_texts() -> None:
    assert PROTOCOL.ping(3) == "ping"
    assert PROTOCOL.answer(b"pong") == Answer(None)


def test_errors_that_name_no_request() -> None:
    answer = PROTOCOL.answer(b'{"event":"error","code":"60012","msg":"Invalid request","connId":"a4d3ae55"}')
    assert answer == Answer(None, "60012 Invalid request")
    count = PROTOCOL.answer(b'{"event":"channel-conn-count","channel":"books","connCount":"2","connId":"a4d3ae55"}')
    assert count == Answer(None)


def test_market_data_and_notices_are_no_answers() -> None:
    for raw in (SNAPSHOT, TRADE, NOTICE, b"ping", b"{", b"[]", b'{"event":1}'):
        assert PROTOCOL.answer(raw) is None
    assert SNAPSHOT.startswith(PROTOCOL.data_prefix)
    assert TRADE.startswith(PROTOCOL.data_prefix)
    assert (PROTOCOL.stream_kind(SNAPSHOT), PROTOCOL.stream_kind(TRADE)) == ("book", "trade")


def test_a_connection_has_fewer_than_30_books() -> None:
    """The exchange's advice; names as `sources.live.connection.Connection.characters` counts them."""
    pair = len("books:BTC-USDT-SWAP") + len("trades:BTC-USDT-SWAP") + 6
    assert PROTOCOL.connection_characters // pair < 30
