"""Faults of REST replies, as every venue's service and what stands in front of it have them."""

import asyncio

from aiohttp import web

from simulator.damage import PAGE
from simulator.faults import REST_KINDS, Fault
from simulator.topic import Outlet


async def met(outlet: Outlet, venue: str, request: web.Request) -> tuple[Fault | None, web.Response | None]:
    """The fault that a request meets, and the reply if there is nothing more to do; a delay has passed by then."""
    fault = outlet.faults.take(REST_KINDS, venue, None, request.path, outlet.now_ns)
    if fault is not None and fault.kind == "rest_status":
        if fault.page:
            return fault, web.Response(status=fault.status, text=PAGE, content_type="text/html")
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return fault, web.Response(status=fault.status, headers=headers, text="error")
    if fault is not None and fault.kind == "rest_delay":
        await asyncio.sleep(fault.delay)
    return fault, None
