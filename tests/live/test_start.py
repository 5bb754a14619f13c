"""A start that cannot succeed ends in time, with the reason in one line; told to stop meanwhile it stops in order."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
from aiohttp import web

from simulator.thread import SimulatorThread
from sources.decimals import parse_levels
from sources.errors import TickwaxError
from sources.live.page import page_text
from sources.live.retry_after import retry_after
from tests.live.rig import BINANCE, BOTH, BYBIT, Rig, config

PATIENCE = 2.0  # s, of the start
BLOCKED = "configured to block access from your country"
FOREVER = {"seconds": 600.0}


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """As before a live run; it must not count as a part of the start."""
    parse_levels([msgspec.Raw(b"[]"), msgspec.Raw(b"[]")])


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of an address that accepts and never speaks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refusal(rig: Rig) -> tuple[str, float]:
    """The line, and how long it took."""
    begin = time.monotonic()
    with pytest.raises(TickwaxError) as caught:
        rig.collector.start()
    seconds = time.monotonic() - begin
    assert seconds <= PATIENCE + 1.0
    assert rig.collector.stop(5.0)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 400
    return line, seconds


def test_a_page_that_blocks_ends_the_start_at_once(sim: SimulatorThread) -> None:
    sim.fault("rest_status", status=403, page=True, **FOREVER)
    line, seconds = refusal(Rig(BOTH, config(sim.addresses, start_timeout=PATIENCE)))
    assert "HTTP 403 ERROR: The request could not be satisfied 403 ERROR" in line
    assert BLOCKED in line
    assert not set("<>{}") & set(line)
    assert seconds < 1.5  # nothing is asked for ten minutes, so no answer can come in time


@pytest.mark.parametrize(("status", "retry_after"), [(418, 86_400), (451, None), (404, None)])
def test_what_waiting_cannot_mend_ends_the_start_at_once(
    sim: SimulatorThread, status: int, retry_after: int | None
) -> None:
    sim.fault("rest_status", status=status, retry_after=retry_after, **FOREVER)
    line, seconds = refusal(Rig([BINANCE], config(sim.addresses, start_timeout=PATIENCE)))
    assert line.startswith("venues.binance_futures.rest: http://127.0.0.1:")
    assert f"HTTP {status} " in line
    assert seconds < 1.5


def test_an_exchange_that_is_ill_is_asked_until_the_end(sim: SimulatorThread) -> None:
    sim.fault("rest_status", status=503, venue="bybit_linear", **FOREVER)
    rig = Rig(BOTH, config(sim.addresses, start_timeout=PATIENCE))
    line, seconds = refusal(rig)
    assert line.startswith("venues.bybit_linear.rest: http://127.0.0.1:")
    assert line.endswith("HTTP 503 error")
    assert seconds >= PATIENCE - 0.1
    waited = [event for event in rig.heard.events if event[0] == "waiting"]
    assert [(event[1], event[3]) for event in waited] == [("bybit_linear", line.partition(": ")[2])]


def test_an_exchange_that_recovers_in_time_is_no_error(sim: SimulatorThread) -> None:
    sim.fault("rest_status", status=503, seconds=1.0)
    with Rig(BOTH, config(sim.addresses)) as rig:
        rig.synced(BYBIT)


def test_a_host_that_does_not_resolve(sim: SimulatorThread) -> None:
    addresses = {**sim.addresses, "venues.binance_futures.rest": "http://no-such-host.invalid"}
    line, _ = refusal(Rig([BINANCE], config(addresses, start_timeout=PATIENCE)))
    assert line.startswith("venues.binance_futures.rest: http://no-such-host.invalid: ")


@pytest.mark.parametrize(("key", "instrument"), [
    ("venues.binance_futures.rest", BINANCE), ("venues.binance_futures.public_ws", BINANCE),
    ("venues.bybit_linear.rest", BYBIT), ("venues.bybit_linear.ws", BYBIT),
])  # fmt: skip
def test_an_address_that_accepts_and_never_speaks(
    sim: SimulatorThread, mute: int, key: str, instrument: object
) -> None:
    scheme = "http" if key.endswith("rest") else "ws"
    addresses = {**sim.addresses, key: f"{scheme}://127.0.0.1:{mute}"}
    rig = Rig([instrument], config(addresses, start_timeout=PATIENCE))
    line, seconds = refusal(rig)
    assert f"{scheme}://127.0.0.1:{mute}" in line
    assert line.endswith(": no answer")
    assert seconds >= PATIENCE - 0.1
    assert rig.heard.counts["waiting"] == 1


@pytest.mark.parametrize(("status", "page"), [(403, True), (451, False)])
def test_a_handshake_that_is_refused(sim: SimulatorThread, status: int, page: bool) -> None:
    sim.fault("refuse", how="status", status=status, page=page, venue="bybit_linear", **FOREVER)
    line, seconds = refusal(Rig([BYBIT], config(sim.addresses, start_timeout=PATIENCE)))
    assert f"the exchange answers HTTP {status}" in line
    assert (BLOCKED in line) is page
    assert seconds < 1.5


@pytest.mark.parametrize("kind", ["rest_status", "rest_delay", "refuse"])
def test_told_to_stop_meanwhile_it_stops_in_order(sim: SimulatorThread, kind: str) -> None:
    fields = {"rest_status": {"status": 503}, "rest_delay": {"delay": 600.0}, "refuse": {"how": "mute", "delay": 600.0}}
    sim.fault(kind, **fields[kind], **FOREVER)
    stop = threading.Event()
    threading.Timer(0.7, stop.set).start()
    rig = Rig(BOTH, config(sim.addresses, start_timeout=60.0, open_timeout=60.0))
    begin = time.monotonic()
    rig.collector.start(stop)
    assert 0.5 < time.monotonic() - begin < 3.0
    assert rig.collector.drain() == []


@pytest.mark.parametrize(("body", "text"), [
    (b"", ""), (b'{"code":0,"msg":"Not\n here"}', '{"code":0,"msg":"Not here"}'),
    (b"<p>a&lt;b</p>\x1b[31m\x00<br>c", "a<b [31m c"), (b"\xff\xfe", "\ufffd\ufffd"), (b"1 < 2", "1 < 2"),
    (b"<script>var x = 1;</script><style>p {}</style>", ""), (b"x" * 10**6, "x" * 199 + "…"),
    ("<b>\u202egnihton</b>".encode(), "gnihton"), (b"<p>" * 10**4, ""),
])  # fmt: skip
def test_the_text_of_a_page(body: bytes, text: str) -> None:
    assert page_text(body) == text


@pytest.mark.parametrize(("header", "seconds"), [
    (None, 7.0), ("3", 3.0), ("-3", 0.0), ("31536000", 86_400.0), ("nan", 7.0), ("inf", 7.0), ("Wed, 21 Oct", 7.0),
])  # fmt: skip
def test_how_long_to_stay_away_is_bounded(header: str | None, seconds: float) -> None:
    assert retry_after(header, 7.0) == seconds


class Rest:
    """A REST server of one reply, on a thread of its own."""

    def __init__(self, handler) -> None:
        self._handler = handler

    def __enter__(self) -> str:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            app = web.Application()
            app.router.add_get("/{path:.*}", self._handler)
            self._runner = web.AppRunner(app)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self._port = site._server.sockets[0].getsockname()[1]
            ready.set()

        threading.Thread(
            target=lambda: (self._loop.create_task(serve()), self._loop.run_forever()), daemon=True
        ).start()
        assert ready.wait(5.0)
        return f"http://127.0.0.1:{self._port}"

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


def rest_refusal(sim: SimulatorThread, handler, instrument=BYBIT) -> str:
    with Rest(handler) as address:
        addresses = {**sim.addresses, f"venues.{instrument.venue}.rest": address}
        return refusal(Rig([instrument], config(addresses, start_timeout=PATIENCE)))[0]


def test_pages_without_end_are_refused(sim: SimulatorThread) -> None:
    async def loop(request: web.Request) -> web.Response:
        cursor = {"": "A", "A": "B", "B": "A"}[request.query.get("cursor", "")]
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": cursor}})

    assert "instruments-info does not end" in rest_refusal(sim, loop)


@pytest.mark.parametrize(("kind", "instrument", "says"), [
    ("rest_huge", BINANCE, "a reply of more than 32 MiB"), ("rest_huge", BYBIT, "a reply of more than 32 MiB"),
    ("rest_loop", BINANCE, "which is not followed"), ("rest_loop", BYBIT, "instruments-info does not end"),
])  # fmt: skip
def test_a_list_that_is_huge_or_loops_is_refused(
    sim: SimulatorThread, kind: str, instrument: object, says: str
) -> None:
    sim.fault(kind, size=33 << 20, **FOREVER)
    line, _ = refusal(Rig([instrument], config(sim.addresses, start_timeout=PATIENCE)))
    assert says in line


def test_a_redirect_is_not_followed(sim: SimulatorThread) -> None:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://elsewhere.invalid/x")

    assert "HTTP 302 redirects to 'http://elsewhere.invalid/x', which is not followed" in rest_refusal(sim, away)


def test_a_reply_that_is_too_large_is_refused(sim: SimulatorThread) -> None:
    async def huge(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        reply.enable_compression()
        await reply.prepare(request)
        for _ in range(80):
            await reply.write(bytes(1 << 20))
        return reply

    assert "a reply of more than 32 MiB" in rest_refusal(sim, huge)


def test_a_reply_that_is_none_is_refused(sim: SimulatorThread) -> None:
    async def nonsense(request: web.Request) -> web.Response:
        return web.Response(body=b'{"retCode":')

    assert "instruments-info cannot be read" in rest_refusal(sim, nonsense)
