"""The simulator's own HTTP endpoint: make faults, end them, look.

``POST /control/fault`` takes the fields of `faults.Fault` as JSON, ``DELETE /control/fault`` ends all, and ``GET
/control/status`` tells about connections, messages and faults.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import web

from simulator.connection import Connection
from simulator.faults import Active, Fault, parse_fault
from simulator.log import MessageLog
from simulator.server import SocketServer
from sources.errors import TickwaxError

_FAULT, _STATUS = "/control/fault", "/control/status"


class Controlled(Protocol):
    """A simulator, as far as it is looked at and disturbed from outside."""

    log: MessageLog
    fault_log: list[Active]

    @property
    def connections(self) -> Iterable[Connection]:
        """All that are open."""
        ...

    @property
    def servers(self) -> Sequence[SocketServer]:
        """The websockets of every venue."""
        ...

    def strike(self, fault: Fault) -> Active:
        """Inject a fault.

        Raises:
            TickwaxError: its venue is unknown.
        """
        ...

    def clear(self) -> None:
        """End every fault that waits for its occasion."""
        ...


def control_routes(simulator: Controlled) -> list[web.RouteDef]:
    """Routes that control ``simulator``."""

    async def strike(request: web.Request) -> web.Response:
        try:
            active = simulator.strike(parse_fault(await request.read()))
        except TickwaxError as e:
            return _json({"error": str(e)}, 400)
        return _json(_told(active))

    async def clear(request: web.Request) -> web.Response:
        simulator.clear()
        return _json({})

    async def status(request: web.Request) -> web.Response:
        connections = [
            {
                "number": c.number,
                "venue": c.venue,
                "streams": list(c.topics),
                "silent": sorted(c.silent),
                "sent": c.sent,
                "pings": c.pings,
                "unread": c.unread,
            }
            for c in simulator.connections
        ]
        return _json(
            {
                "connections": connections,
                "accepted": {server.venue: server.accepted for server in simulator.servers},
                "sent": simulator.log.total,
                "faults": [_told(active) for active in simulator.fault_log],
            }
        )

    return [web.post(_FAULT, strike), web.delete(_FAULT, clear), web.get(_STATUS, status)]


def _told(active: Active) -> dict[str, Any]:
    return {"fault": active.fault, "since_ns": active.since_ns, "applied": active.applied}


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
