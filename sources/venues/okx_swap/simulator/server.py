"""Websockets of OKX's public channels.

Exchange documentation, "Connect", "Subscribe" and "Error codes" (OKX API v5): ``{"id","op","args":[{"channel",
"instId"}]}`` is answered by one message for each of ``args``, under the id of the request; the text ``ping`` by the
text ``pong``. 480 requests an hour and connection; a connection that was sent nothing for 30 s is closed; 3 connects a
second.
"""

from typing import Any

import msgspec
from aiohttp import web
from typing_extensions import override

from simulator.connection import Connection
from simulator.limits import Window
from simulator.server import SocketServer
from sources.venues.okx_swap.simulator.limits import OkxLimits
from sources.venues.okx_swap.simulator.topics import OKX

_HOUR_S = 3600.0
_NOTICE = (
    b'{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. '
    b'Please reconnect.","connId":"%b"}'
)


class _Request(msgspec.Struct):
    op: str
    args: list[dict[str, str]]
    id: str = ""


class OkxServer(SocketServer):
    """All connections to OKX."""

    venue = OKX
    limits: OkxLimits

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._last: dict[int, tuple[int, int]] = {}  # by connection: messages sent to it so far, and when the last was

    def routes(self) -> list[web.RouteDef]:
        """Where this listens."""
        return [web.get("/ws/v5/public", self.serve)]

    @override
    def opened(self, connection: Connection, request: web.Request) -> None:
        connection.window = Window(self.limits.requests_per_hour, _HOUR_S)

    @override
    def keep_alive(self) -> None:
        super().keep_alive()
        now_ns = self.outlet.now_ns
        last = {c.number: (c.sent + c.pings, now_ns) for c in self.connections.values()}
        for number, (messages, at_ns) in self._last.items():
            if number in last and last[number][0] == messages:
                last[number] = (messages, at_ns)
                if now_ns - at_ns > self.limits.idle_s * 1e9:
                    self.connections[number].close(4004, "Session closed. No data received in more than 30s.")
        self._last = last

    @override
    def goodbye(self, connection: Connection, form: str) -> bytes:
        return _NOTICE % _name(connection)

    @override
    def asked(self, connection: Connection, text: str) -> None:
        if text == "ping":
            connection.pings += 1
            return connection.reply(b"pong")
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.DecodeError:
            return self._refuse(connection, "", "60012", f"Invalid request: {text}")
        assert connection.window is not None
        if not connection.window.admit(self.outlet.now_ns):
            return self._refuse(connection, request.id, "60014", "Requests too frequent")
        if request.op not in ("subscribe", "unsubscribe"):
            return self._refuse(connection, request.id, "60012", f"Invalid request: {text}")
        for arg in request.args:
            channel, symbol = arg.get("channel", ""), arg.get("instId", "")
            self._one(connection, request, channel, symbol)
        return None

    def _one(self, connection: Connection, request: _Request, channel: str, symbol: str) -> None:
        stream = f"{channel}:{symbol}"
        feed = self.feeds.get(symbol)
        known = channel in ("books", "trades") and feed is not None and feed.trading
        if not known or self.subscribe_fault(symbol, stream, "reject_subscribe"):
            text = f"Wrong URL or channel:{channel},instId:{symbol} doesn't exist."
            return self._refuse(connection, request.id, "60018", text)
        assert feed is not None
        answer = {"event": request.op, "arg": {"channel": channel, "instId": symbol}}
        self._answer(connection, request.id, answer)
        if request.op == "unsubscribe":
            connection.silent.discard(stream)
            if topic := connection.topics.get(stream):
                topic.leave(connection)
        elif stream not in connection.topics and stream not in connection.silent:
            ignored = self.subscribe_fault(symbol, stream, "ignore_subscribe")
            if ignored or not feed.subscribe(connection, stream, ""):
                connection.silent.add(stream)
        return None

    def _refuse(self, connection: Connection, number: str, code: str, text: str) -> None:
        self._answer(connection, number, {"event": "error", "code": code, "msg": text})

    def _answer(self, connection: Connection, number: str, body: dict[str, Any]) -> None:
        numbered = {"id": number, **body} if number else body
        connection.reply(msgspec.json.encode({**numbered, "connId": _name(connection).decode()}))


def _name(connection: Connection) -> bytes:
    return b"%08x" % connection.number
