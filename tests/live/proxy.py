"""Proxies on this machine, which know where a host that nobody else knows is."""

import asyncio
import base64
import contextlib
import threading
from collections.abc import Iterator

HOST = "exchange.invalid"  # resolved by the proxy alone


class Proxy:
    """HTTP CONNECT and SOCKS5 on ports of their own.

    Attributes:
        tunnels: targets that were connected to, as they were asked for.
    """

    def __init__(self, user: str = "", password: str = "") -> None:
        self.tunnels: list[str] = []
        self.refused = 0
        self._user, self._password = user, password

    async def start(self) -> None:
        http = await asyncio.start_server(self._http, "127.0.0.1", 0)
        socks = await asyncio.start_server(self._socks, "127.0.0.1", 0)
        self.http, self.socks = (s.sockets[0].getsockname()[1] for s in (http, socks))

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        wanted = base64.b64encode(f"{self._user}:{self._password}".encode())
        if method != "CONNECT" or (self._user and b"Basic " + wanted not in head):
            self.refused += 1
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        host, _, port = target.rpartition(":")
        await self._tunnel(reader, writer, host, int(port), b"HTTP/1.1 200 OK\r\n\r\n")

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        assert kind == 3, "a name is to be resolved here"
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2))
        await self._tunnel(reader, writer, host, port, b"\x05\x00\x00\x01" + bytes(6))

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, answer: bytes
    ) -> None:
        self.tunnels.append(f"{host}:{port}")
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1" if host == HOST else host, port)
        writer.write(answer)
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def running(user: str = "", password: str = "") -> Iterator[Proxy]:
    """A proxy in a thread of its own."""
    proxy = Proxy(user, password)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(5.0)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5.0)
