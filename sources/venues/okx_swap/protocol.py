"""Control messages of OKX.

Exchange documentation, "Connect" and "Subscribe" (OKX API v5): ``{"id","op","args":[{"channel","instId"}]}`` is
answered by one ``{"id","event":"subscribe","arg","connId"}`` for each of ``args``, or by
``{"id","event":"error","code","msg"}``. A connection on which nothing is sent for 30 s is closed; the text ``ping`` is
answered by the text ``pong``. At most 480 requests an hour and connection; fewer than 30 books of 400 levels on one are
advised.
"""

from collections.abc import Sequence

import msgspec

from sources.live.protocol import Answer, Operation

_encode = msgspec.json.encode


class _Reply(msgspec.Struct):
    event: str | None = None
    id: str = ""
    code: str = ""
    msg: str = ""


_replies = msgspec.json.Decoder(_Reply)


class OkxProtocol:
    """`sources.live.protocol.VenueProtocol` of OKX; streams are called ``channel:instId``."""

    venue = "okx_swap"
    data_prefix = b'{"arg":{"channel":"'
    # Each of several streams is answered by itself, under the number of the whole request; so a request asks for one.
    batch_streams = 1
    connection_characters = 1300  # books and trades of 28 instruments with names like BTC-USDT-SWAP
    message_interval = 0.05
    ping_interval: float | None = 20.0

    def request(self, operation: Operation, streams: Sequence[str], number: int) -> str:
        """Text of a request."""
        args = [dict(zip(("channel", "instId"), stream.split(":", 1), strict=True)) for stream in streams]
        return _encode({"id": str(number), "op": operation.value, "args": args}).decode()

    def ping(self, number: int) -> str:
        """Text of a ping."""
        return "ping"

    def answer(self, raw: bytes) -> Answer | None:
        """A control message; None when the frame is none, or a notice, which the decoder understands."""
        if raw == b"pong":
            return Answer(None)
        try:
            reply = _replies.decode(raw)
        except ValueError:
            return None
        if reply.event is None or reply.event == "notice":
            return None
        request = int(reply.id) if reply.id.isdecimal() else None
        failed = reply.event == "error" or reply.event.endswith("-error")
        return Answer(request, f"{reply.code} {reply.msg}" if failed else None)

    def stream_kind(self, raw: bytes) -> str:
        """``book`` or ``trade``."""
        return "trade" if b'"channel":"trades"' in raw[:80] else "book"
