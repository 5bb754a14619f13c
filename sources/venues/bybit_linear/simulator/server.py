"""Websockets of Bybit V5 linear.

Exchange documentation, "Connect": ``{"op":"subscribe","req_id":…,"args":[…]}`` and a reply that carries ``req_id``; a
ping as a message every 20 s, whose pong comes in one of two forms; the args of a connection total at most 21 000
characters. A topic that does not exist fails its whole request with ``error:handler not found``.
"""

from typing import Any

import msgspec
from aiohttp import web
from typing_extensions import override

from simulator.connection import Connection
from simulator.server import SocketServer
from sources.venues.bybit_linear.simulator.limits import BybitLimits
from sources.venues.bybit_linear.simulator.topics import BYBIT, symbol_of


class _Request(msgspec.Struct):
    op: str
    req_id: str = ""
    args: list[Any] = []


class BybitServer(SocketServer):
    """All connections to Bybit."""

    venue = BYBIT
    limits: BybitLimits

    def routes(self) -> list[web.RouteDef]:
        """Where this listens."""
        return [web.get("/v5/public/linear", self.serve)]

    @override
    def asked(self, connection: Connection, text: str) -> None:
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.DecodeError:
            return self._answer(connection, _Request(""), "Params Error")
        if request.op == "ping":
            connection.pings += 1
            return self._pong(connection, request)
        if request.op not in ("subscribe", "unsubscribe"):
            return self._answer(connection, request, f"error:request op not found,op:{request.op}")
        topics = request.args
        if not topics or not all(isinstance(t, str) for t in topics):
            return self._answer(connection, request, "Params Error")
        if request.op == "unsubscribe":
            for stream in topics:
                connection.silent.discard(stream)
                if topic := connection.topics.get(stream):
                    topic.leave(connection)
            return self._answer(connection, request, "")
        return self._subscribe(connection, request, topics)

    def _subscribe(self, connection: Connection, request: _Request, topics: list[str]) -> None:
        for stream in topics:
            if self._unknown(stream) or self.subscribe_fault(symbol_of(stream), stream, "reject_subscribe"):
                return self._answer(connection, request, f"error:handler not found,topic:{stream}")
        there = {*connection.topics, *connection.silent}
        if sum(len(stream) for stream in there.union(topics)) > self.limits.args_characters:
            return self._answer(connection, request, "Params Error: args are too long")
        twice = [stream for stream in topics if stream in there]
        self._answer(connection, request, f"error:already subscribed,topic:{twice[0]}" if twice else "")
        for stream in dict.fromkeys(topics):
            if stream in there:
                continue
            symbol = symbol_of(stream)
            assert symbol is not None
            ignored = self.subscribe_fault(symbol, stream, "ignore_subscribe")
            if ignored or not self.feeds[symbol].subscribe(connection, stream, ""):
                connection.silent.add(stream)
        return None

    def _unknown(self, stream: str) -> bool:
        symbol = symbol_of(stream)
        return symbol is None or symbol not in self.feeds or not self.feeds[symbol].trading

    def _answer(self, connection: Connection, request: _Request, error: str) -> None:
        body = {
            "success": not error,
            "ret_msg": error or ("subscribe" if request.op == "subscribe" else ""),
            "conn_id": _name(connection),
            "req_id": request.req_id,
            "op": request.op,
        }
        connection.reply(msgspec.json.encode(body))

    def _pong(self, connection: Connection, request: _Request) -> None:
        """Both forms are in use; which one comes differs between connections."""
        body: dict[str, Any]
        if connection.number % 2:
            body = {"req_id": request.req_id, "op": "pong", "args": [str(self.outlet.now_ms)]}
        else:
            body = {"success": True, "ret_msg": "pong", "req_id": request.req_id, "op": "ping"}
        connection.reply(msgspec.json.encode({**body, "conn_id": _name(connection)}))


def _name(connection: Connection) -> str:
    return f"cn{connection.number:010d}-sim"
