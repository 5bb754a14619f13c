"""Control messages of Binance's streams.

Exchange documentation, "Live Subscribing/Unsubscribing to streams": ``{"method","params","id"}`` is answered by
``{"result":null,"id"}``, errors come as ``{"code","msg"}`` or ``{"error":{"code","msg"},"id"}``; 10 incoming messages a
second, pings and pongs included, beyond which the connection is closed and repeat offenders are banned; 1024 streams a
connection. A stream asked for on the wrong path, and one of an unknown symbol, is acknowledged and then silent.
"""

from collections.abc import Sequence

import msgspec

from sources.live.protocol import Answer, Operation

_encode = msgspec.json.encode


class _Error(msgspec.Struct):
    code: int = 0
    msg: str = ""


class _Reply(msgspec.Struct):
    id: int | None = None
    error: _Error | None = None
    code: int | None = None
    msg: str = ""
    stream: str | None = None
    e: str | None = None


_replies = msgspec.json.Decoder(_Reply)


class BinanceProtocol:
    """`sources.live.protocol.VenueProtocol` of Binance USD-M futures."""

    venue = "binance_futures"
    data_prefix = b'{"stream":"'
    batch_streams = 100
    connection_characters = 1 << 20  # the number of streams is what is limited
    message_interval = 0.25
    ping_interval: float | None = None  # the websocket's own pings do

    def request(self, operation: Operation, streams: Sequence[str], number: int) -> str:
        """Text of a request."""
        return _encode({"method": operation.name, "params": list(streams), "id": number}).decode()

    def ping(self, number: int) -> str:
        """There is none.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("Binance needs no ping of its own")

    def answer(self, raw: bytes) -> Answer | None:
        """A control message; None when the frame is none."""
        try:
            reply = _replies.decode(raw)
        except ValueError:
            return None
        if reply.stream is not None or reply.e is not None:
            return None
        if reply.error is not None:
            return Answer(reply.id, f"{reply.error.code} {reply.error.msg}")
        if reply.code is not None:
            return Answer(reply.id, f"{reply.code} {reply.msg}")
        return None if reply.id is None else Answer(reply.id)

    def stream_kind(self, raw: bytes) -> str:
        """``book``, ``trade``, ``ticker`` or ``liquidation``."""
        head = raw[:80]
        if b"@depth" in head:
            return "book"
        return "ticker" if b"@markPrice" in head else "liquidation" if b"@forceOrder" in head else "trade"
