"""The page's server: files of the package, and a websocket a browser. It has a thread and a loop of its own."""

import asyncio
import threading
from importlib.resources import files

from aiohttp import web

from sources.errors import TickwaxError
from window.access import HEADERS, Access
from window.browser import Browser, Source

UPDATES = 20  # a second
_PAGE = "index.html"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "txt": "text/plain"}
_HEARTBEAT = 10.0  # seconds; the browser of a closed laptop is gone after that
_LONGEST_MESSAGE = 4096
_MOST_BROWSERS = 32


class WindowServer:
    """Serves one source until it is closed.

    Attributes:
        url: of the page, with the token if it takes one.
    """

    def __init__(self, source: Source, host: str, port: int) -> None:
        """Args:
        port: 0: any free one.

        Raises:
            TickwaxError: it cannot be bound to; begins with the key of the setting.
        """
        self._source = source
        self._access = Access(host)
        self._browsers: set[Browser] = set()
        self._assets = {file.name: file.read_bytes() for file in files("window").joinpath("page").iterdir()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="window", daemon=True)
        self._thread.start()
        try:
            bound = asyncio.run_coroutine_threadsafe(self._start(host, port), self._loop).result()
        except OSError as e:
            self._end()
            why = e.strerror or str(e)
            raise TickwaxError(f"ui.port: {port}: {host} cannot be listened on: {why}; 0 takes a free one") from None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{bound}/" + (f"?token={self._access.token}" if self._access.token else "")

    @property
    def browsers(self) -> int:
        """How many look."""
        return len(self._browsers)

    def close(self) -> None:
        """Say goodbye to browsers; at most a second."""
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(2)
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self, host: str, port: int) -> int:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/{name}", self._asset)
        app.on_response_prepare.append(_with_headers)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._turning = asyncio.create_task(self._turn())
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        self._turning.cancel()
        for browser in list(self._browsers):
            await browser.end()
        await self._runner.cleanup()

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(1 / UPDATES)
            for browser in list(self._browsers):
                browser.turn()

    async def _page(self, request: web.Request) -> web.Response:
        return self._refused(request) or self._file(_PAGE)

    async def _asset(self, request: web.Request) -> web.Response:
        # No secret is in them, and an address in a page cannot carry the token: that they are ours suffices.
        return self._refused(request, token=self._access.token) or self._file(request.match_info["name"])

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request, stream=True):
            return refused
        if len(self._browsers) >= _MOST_BROWSERS:
            return web.Response(status=503, text=f"{_MOST_BROWSERS} browsers look already; close one\n")
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=_LONGEST_MESSAGE, compress=False)
        await socket.prepare(request)
        browser = Browser(socket, self._source)
        self._browsers.add(browser)
        try:
            await browser.serve()
        except ConnectionError:
            pass  # it went while something was being sent
        finally:
            self._browsers.discard(browser)
        return socket

    def _refused(self, request: web.Request, token: str | None = None, *, stream: bool = False) -> web.Response | None:
        given = request.query.get("token", "") if token is None else token
        why = self._access.refusal(request.headers, given, stream=stream)
        return web.Response(status=403, text=f"{why}\n") if why else None

    def _file(self, name: str) -> web.Response:
        body = self._assets.get(name)
        if body is None:
            return web.Response(status=404, text="no such file\n")
        return web.Response(body=body, content_type=_TYPES[name.rpartition(".")[2]], charset="utf-8")


async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
