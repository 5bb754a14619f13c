"""Websockets of Binance USD-M futures.

Exchange documentation, "WebSocket Market Streams": ``/ws/<s1>/<s2>`` sends raw messages, ``/stream?streams=<s1>/<s2>``
wraps them; ``SUBSCRIBE`` and the other methods work on both. At most 1024 streams a connection and 10 incoming
messages a second, pings and pongs counted, else close code 1008; a ping every 3 minutes, to be answered within 10.
"""

from typing import Any

import msgspec
from aiohttp import web
from typing_extensions import override

from simulator.connection import Connection
from simulator.limits import Window
from simulator.server import SocketServer
from simulator.wire import PING, frame
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from sources.venues.binance_futures.simulator.topics import BINANCE, MARKET, PUBLIC

# The unprefixed paths are older than the split, and carry what `/public` carries.
_PREFIXES = {"": PUBLIC, "/public": PUBLIC, "/market": MARKET}
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")

_SHUTDOWNS = {
    "combined": b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":%d}}',
    "bare": b'{"e":"serverShutdown","E":%d}',
    "event": b'{"event":{"e":"serverShutdown","E":%d}}',
}


class _Request(msgspec.Struct):
    method: str
    id: int | str | None = None
    params: list[str] = []


class BinanceServer(SocketServer):
    """All connections to Binance."""

    venue = BINANCE
    limits: BinanceLimits

    def routes(self) -> list[web.RouteDef]:
        """Where this listens."""
        return [
            web.get(prefix + path, self.serve)
            for prefix in _PREFIXES
            for path in ("/ws", "/ws/", "/ws/{streams:.+}", "/stream")
        ]

    @override
    def opened(self, connection: Connection, request: web.Request) -> None:
        connection.enveloped = request.path.endswith("/stream")
        connection.path = _PREFIXES[request.path.removesuffix("/stream").partition("/ws")[0]]
        connection.window = Window(self.limits.messages_per_second, 1.0)
        streams = request.query.get("streams", "") if connection.enveloped else request.match_info.get("streams", "")
        named = [stream for stream in streams.split("/") if stream]
        if len(named) > self.limits.streams:
            connection.close(1008, "too many streams")
        else:
            self._subscribe(connection, named)

    @override
    def heard(self, connection: Connection) -> bool:
        assert connection.window is not None
        if connection.window.admit(self.outlet.now_ns):
            return True
        connection.close(1008, "Too many requests")
        return False

    @override
    def asked(self, connection: Connection, text: str) -> None:
        try:
            data = msgspec.json.decode(text)
        except msgspec.DecodeError as e:
            return _error(connection, None, 3, f"Invalid JSON: {e}")
        number = data.get("id") if isinstance(data, dict) else None
        try:
            request = msgspec.convert(data, _Request)
        except msgspec.ValidationError as e:
            return _error(connection, number, 2, f"Invalid request: {e}")
        if request.method not in _METHODS:
            names = ", ".join(f"`{m}`" for m in _METHODS)
            text = f"Invalid request: unknown variant `{request.method}`, expected one of {names}"
            return _error(connection, number, 2, text)
        result: Any = None
        if request.method == "SUBSCRIBE":
            if len({*connection.topics, *connection.silent, *request.params}) > self.limits.streams:
                return _error(connection, number, 2, f"Invalid request: more than {self.limits.streams} streams")
            if any(self.subscribe_fault(_symbol(s), s, "reject_subscribe") for s in request.params):
                return _error(connection, number, 1, "Server error")
        elif request.method == "UNSUBSCRIBE":
            for stream in request.params:
                connection.silent.discard(stream)
                if topic := connection.topics.get(stream):
                    topic.leave(connection)
        elif request.method == "LIST_SUBSCRIPTIONS":
            result = [*connection.topics, *connection.silent]
        elif request.method == "GET_PROPERTY":
            result = connection.enveloped
        connection.reply(msgspec.json.encode({"result": result, "id": number}))
        if request.method == "SUBSCRIBE":
            self._subscribe(connection, request.params)
        return None

    def goodbye(self, connection: Connection, form: str) -> bytes:
        """``serverShutdown`` in one of the forms in which it comes."""
        return _SHUTDOWNS[form] % self.outlet.now_ms

    @override
    def keep_alive(self) -> None:
        super().keep_alive()
        now_ns = self.outlet.now_ns
        for c in list(self.connections.values()):
            if c.ping is not None and now_ns - c.ping_ns > self.limits.pong_timeout_s * 1e9:
                c.close(1008, "Pong timeout")
            elif c.ping is None and now_ns - c.ping_ns > self.limits.ping_interval_s * 1e9:
                c.ping, c.ping_ns = str(self.outlet.now_ms).encode(), now_ns
                c.out.append(frame(c.ping, PING))

    def _subscribe(self, connection: Connection, streams: list[str]) -> None:
        for stream in streams:
            if stream in connection.topics:
                continue
            symbol = _symbol(stream)
            feed = self.feeds.get(symbol)
            ignored = self.subscribe_fault(symbol, stream, "ignore_subscribe")
            if ignored or feed is None or not feed.subscribe(connection, stream, connection.path):
                connection.silent.add(stream)


def _symbol(stream: str) -> str:
    return stream.partition("@")[0].upper()


def _error(connection: Connection, number: Any, code: int, text: str) -> None:
    """An error in one of the two forms that are seen in the wild."""
    error = {"code": code, "msg": text}
    body = error if number is None else {"error": error, "id": number}
    connection.reply(msgspec.json.encode(body))
