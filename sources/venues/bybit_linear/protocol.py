"""Control messages of Bybit V5.

Exchange documentation, "Connect" (V5 WebSocket): ``{"op":"subscribe","req_id","args"}`` is answered by
``{"success","ret_msg","req_id","op"}``, ``{"op":"ping"}`` by either ``{"ret_msg":"pong","op":"ping"}`` or
``{"op":"pong"}``, due every 20 s; the ``args`` of a connection have at most 21 000 characters.
"""

from collections.abc import Sequence

import msgspec

from sources.live.protocol import Answer, Operation

_encode = msgspec.json.encode


class _Reply(msgspec.Struct):
    op: str | None = None
    success: bool = True
    ret_msg: str = ""
    req_id: str = ""
    topic: str | None = None


_replies = msgspec.json.Decoder(_Reply)


class BybitProtocol:
    """`sources.live.protocol.VenueProtocol` of Bybit V5 linear."""

    venue = "bybit_linear"
    data_prefix = b'{"topic":"'
    batch_streams = 200
    connection_characters = 21_000
    message_interval = 0.05
    ping_interval: float | None = 20.0

    def request(self, operation: Operation, streams: Sequence[str], number: int) -> str:
        """Text of a request."""
        return _encode({"op": operation.value, "req_id": str(number), "args": list(streams)}).decode()

    def ping(self, number: int) -> str:
        """Text of a ping."""
        return _encode({"op": "ping", "req_id": str(number)}).decode()

    def answer(self, raw: bytes) -> Answer | None:
        """A control message; None when the frame is none."""
        try:
            reply = _replies.decode(raw)
        except ValueError:
            return None
        if reply.topic is not None or reply.op is None:
            return None
        request = int(reply.req_id) if reply.req_id.isdecimal() else None
        # A stream that is there already is there.
        good = reply.success or "already subscribed" in reply.ret_msg.lower()
        return Answer(request, None if good else reply.ret_msg or "refused")

    def stream_kind(self, raw: bytes) -> str:
        """``book``, ``trade``, ``ticker`` or ``liquidation``; keys may stand in any order."""
        head = raw[:160]
        if b'"orderbook.' in head:
            return "book"
        if b'"publicTrade.' in head:
            return "trade"
        return "ticker" if b'"tickers.' in head else "liquidation" if b'"allLiquidation.' in head else "book"
