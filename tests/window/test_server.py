"""Who may see the page and its stream, and that nobody who looks holds up the run."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import numpy as np
import pytest

from sources.errors import TickwaxError
from tests.conftest import ROOT
from tests.window.conftest import BTC, rows
from window.access import Access
from window.browser import Browser
from window.server import WindowServer
from window.tap import FEATURES, Tap

Do = Callable[[aiohttp.ClientSession, str], Awaitable[Any]]


def asked(server: WindowServer, do: Do) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as session:
            return await asyncio.wait_for(do(session, server.url), 20)

    return asyncio.run(run())


def stream(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"http://{parts.netloc}/stream{query}", {"Origin": f"http://{parts.netloc}"}


def read(frame: bytes) -> tuple[dict[str, Any], np.ndarray]:
    length = int.from_bytes(frame[:4], "little")
    head = msgspec.json.decode(frame[4 : 4 + length])
    return head, np.frombuffer(frame, "<f8", offset=4 + length).reshape(-1, head["rows"])


def test_the_page_comes_from_here_alone_and_says_so(server: WindowServer) -> None:
    async def do(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(url) as page:
            assert page.status == 200
            policy = page.headers["Content-Security-Policy"]
            body = await page.text()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in re.sub(r"<!doctype[^>]*>", "", body)
        named = re.findall(r'(?:src|href)="([^"#:]+)"', body)
        assert {"main.js", "style.css", "uplot.js", "uplot.css"} <= set(named)
        for name in named:
            async with session.get(url + name) as asset:
                assert asset.status == 200, name
        async with session.get(f"{url}server.py") as other:
            assert other.status == 404
        async with session.get(f"{url}%2e%2e%2fserver.py") as other:
            assert other.status == 404

    asked(server, do)


def test_the_stream_gives_what_is_kept_and_then_what_comes(server: WindowServer, tap: Tap) -> None:
    async def do(session: aiohttp.ClientSession, url: str) -> None:
        address, headers = stream(url)
        async with session.ws_connect(address, headers=headers) as ws:
            hello = msgspec.json.decode((await ws.receive()).data)
            assert (hello["kind"], hello["run"], hello["mode"]) == ("hello", "1", "live")
            await ws.send_json({"do": "watch", "symbol": "nobody:X"})
            await ws.send_json({"do": "watch", "symbol": BTC})
            seen: list[str] = []
            counts = []
            while sum(counts) < 55:
                message = await ws.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    told = msgspec.json.decode(message.data)
                    seen.append(told["kind"])
                    if told["kind"] == "unknown":
                        assert told["symbol"] == "nobody:X"
                    continue
                head, columns = read(message.data)
                seen.append(head["kind"])
                if head["kind"] == "rows":
                    assert (head["of"], head["symbol"], head["gone"]) == (FEATURES, BTC, 0)
                    assert len(columns) == len(hello["schemas"][FEATURES]["columns"])
                    counts.append(head["rows"])
                    if len(counts) == 1:
                        tap.put(FEATURES, BTC, rows(50, 5))
            assert counts == [50, 5]
            assert {"unknown", "instruments", "sparks", "overview", "beat"} <= set(seen)

    asked(server, do)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "Origin: missing"),
        ({"Origin": "http://evil.example"}, "Origin: 'http://evil.example' is not"),
        ({"Origin": "null"}, "Origin: 'null' is not"),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, "Host: 'evil.example' is not this machine"),
    ],
)
def test_a_page_of_somebody_else_gets_no_stream(server: WindowServer, headers: dict[str, str], why: str) -> None:
    async def do(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(stream(url)[0], headers={**headers, "Upgrade": "websocket"}) as reply:
            assert reply.status == 403
            assert (await reply.text()).startswith(why)

    asked(server, do)


def test_beyond_loopback_the_token_is_asked_for(tap: Tap) -> None:
    server = WindowServer(tap, "0.0.0.0", 0)
    try:
        assert re.fullmatch(r"http://0\.0\.0\.0:\d+/\?token=[\w-]{20,}", server.url)
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        bare = url.partition("?")[0]

        async def do(session: aiohttp.ClientSession, _: str) -> None:
            for address, status in ((url, 200), (bare, 403), (f"{bare}?token=no", 403), (f"{bare}main.js", 200)):
                async with session.get(address) as reply:
                    assert reply.status == status, address
            address, headers = stream(url)
            async with session.ws_connect(address, headers=headers) as ws:
                assert msgspec.json.decode((await ws.receive()).data)["kind"] == "hello"
            async with session.get(address.partition("?")[0], headers=headers) as reply:
                assert reply.status == 403

        asked(server, do)
    finally:
        server.close()


def test_tokens_are_not_guessed_from_one_another() -> None:
    assert Access("127.0.0.1").token == ""
    assert Access("192.168.0.1").token != Access("192.168.0.1").token


def test_nonsense_from_a_browser_is_refused_and_costs_the_others_nothing(server: WindowServer) -> None:
    async def do(session: aiohttp.ClientSession, url: str) -> None:
        address, headers = stream(url)
        for nonsense in ("{", "[]", '{"do":"stretch","symbol":1}', '{"do":"stretch","from":"x","to":null}'):
            async with session.ws_connect(address, headers=headers) as ws:
                await ws.send_str(nonsense)
                kinds = []
                while "refused" not in kinds:
                    message = await ws.receive()
                    assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
                    if message.type is aiohttp.WSMsgType.TEXT:
                        kinds.append(msgspec.json.decode(message.data)["kind"])
        async with session.ws_connect(address, headers=headers) as ws:
            await ws.send_json({"do": "stretch", "symbol": BTC, "from": 0, "to": 1})
            while True:
                message = await ws.receive()
                told = msgspec.json.decode(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                if told.get("kind") == "refused":
                    assert told["why"] == "what has been recorded is shown by tickwax ui"
                    break

    asked(server, do)


class Stuck:
    """A socket whose browser reads nothing after the hello."""

    def __init__(self) -> None:
        self.sent: list[str | bytes] = []
        self.go = asyncio.Event()

    async def send_str(self, text: str) -> None:
        self.sent.append(text)
        if len(self.sent) > 1:
            await self.go.wait()

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)
        await self.go.wait()

    def __aiter__(self) -> "Stuck":
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(3600)


def test_a_browser_that_reads_nothing_makes_nobody_wait(tap: Tap) -> None:
    async def run() -> None:
        socket_ = Stuck()
        browser = Browser(socket_, tap)  # type: ignore[arg-type]
        serving = asyncio.create_task(browser.serve())
        await asyncio.sleep(0)
        await browser._watch(BTC)
        for n in range(100):
            tap.put(FEATURES, BTC, rows(50 + n, 1))
            browser.turn()
            await asyncio.sleep(0)
        assert browser.skipped >= 90  # nothing was put together for it
        assert browser._queue.qsize() <= 4
        socket_.go.set()
        for _ in range(50):
            await asyncio.sleep(0)
        browser.turn()
        for _ in range(50):
            await asyncio.sleep(0)
        heads = [read(frame)[0] for frame in socket_.sent if isinstance(frame, bytes)]
        assert sum(head["rows"] for head in heads if head["kind"] == "rows") == 150  # every row came after all
        serving.cancel()

    asyncio.run(run())


def test_a_port_that_is_taken_is_one_line(tap: Tap) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(TickwaxError) as told:
        WindowServer(tap, "127.0.0.1", taken.getsockname()[1])
    assert str(told.value).startswith("ui.port: ")
    assert str(told.value).endswith("; 0 takes a free one")


def test_the_page_is_in_the_package_small_and_with_its_licences() -> None:
    page = ROOT / "window" / "page"
    packaged = {file.name for file in files("window").joinpath("page").iterdir()}
    assert packaged == {file.name for file in page.iterdir()}
    assert 'window = ["page/*"]' in (ROOT / "pyproject.toml").read_text()
    assert sum(file.stat().st_size for file in page.iterdir()) < 1_000_000
    assert "uPlot" in (page / "uplot.js").read_text()[:100]
    assert "Leon Sorokin" in (page / "uplot-license.txt").read_text()
    for file in page.glob("*.js"):
        if file.name != "uplot.js":
            assert len(file.read_text().splitlines()) < 300, file.name
            assert not re.search(r"https?://(?!www\.w3\.org/)", file.read_text()), file.name
    for name in re.findall(r'from "\./([\w.]+)"', "".join(f.read_text() for f in page.glob("*.js"))):
        assert (page / name).is_file(), name


def test_only_what_came_while_it_looked_has_been_missed(tap: Tap) -> None:
    async def run() -> None:
        for n in range(7):
            tap.put(FEATURES, BTC, rows(50 + 500 * n, 500))  # more than are kept
        socket_ = Stuck()
        socket_.go.set()
        browser = Browser(socket_, tap)  # type: ignore[arg-type]
        serving = asyncio.create_task(browser.serve())
        await browser._watch(BTC)
        browser.turn()
        for n in range(7):
            tap.put(FEATURES, BTC, rows(3550 + 500 * n, 500))
        browser.turn()
        for _ in range(50):
            await asyncio.sleep(0)
        heads = [read(frame)[0] for frame in socket_.sent if isinstance(frame, bytes)]
        assert [(head["rows"], head["gone"]) for head in heads if head["kind"] == "rows"] == [(3000, 0), (3000, 500)]
        serving.cancel()

    asyncio.run(run())
