"""A real S3 server on the loopback interface, and before it a proxy that fails on request."""

import http.client
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sources.store import connection
from sources.store.path import StorePath

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.'
    b"</Message></Error>"
)

UNSENT = ("connection", "transfer-encoding", "content-length", "expect")  # of this connection, not of the next

Fault = Callable[[str, str], str]  # of method and path: "", "503", "slow", "cut request" or "cut answer"


class Store:
    """The server, by way of the proxy.

    Attributes:
        fault: asked for every request.
        requests: method and path of each, in order.
    """

    def __init__(self, port: int, behind: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.behind = behind
        self.fault: Fault = lambda method, path: ""
        self.requests: list[tuple[str, str]] = []
        self.seconds = 1.0  # how slow

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS program is told."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "a/secret+that-nobody-reads",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
        }

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """A request that no fault befalls."""
        direct = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=20)
        try:
            direct.request(method, path, body)
            answer = direct.getresponse()
            return answer.status, answer.read()
        finally:
            direct.close()


def _handler(store: Store) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():  # trailers
                pass
            return b"".join(parts)

        def do_any(self) -> None:
            store.requests.append((self.command, self.path))
            fault = store.fault(self.command, self.path)
            if fault == "cut request":
                if self.command in ("PUT", "POST") and self.headers.get("Content-Length") != "0":
                    self.rfile.read(4)  # the rest of what it sends meets a closed connection
                self.close_connection = True
                return
            body = self.body()
            if fault == "slow":
                time.sleep(store.seconds)
            if fault == "503":
                self.send_response(503)
                self.send_header("Content-Length", str(len(SLOW_DOWN)))
                self.end_headers()
                self.wfile.write(SLOW_DOWN)
                return
            behind = http.client.HTTPConnection("127.0.0.1", store.behind, timeout=60)
            try:
                kept = {k: v for k, v in self.headers.items() if k.lower() not in UNSENT}
                behind.request(self.command, self.path, body, kept)
                answer = behind.getresponse()
                content = answer.read()
            finally:
                behind.close()
            self.send_response(answer.status)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            for key, value in answer.getheaders():
                if key.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                    self.send_header(key, value)
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            if fault == "cut answer":
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_any

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def s3_server() -> Iterator[Store]:
    """Start both; buckets are made with ``store.ask("PUT", "/bucket")``."""
    from moto.server import ThreadedMotoServer  # takes a second

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, behind = server.get_host_and_port()
    proxy = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    store = Store(proxy.server_address[1], behind)
    proxy.RequestHandlerClass = _handler(store)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield store
    finally:
        proxy.shutdown()
        proxy.server_close()
        server.stop()


@pytest.fixture(scope="session")
def s3() -> Iterator[Store]:
    """An S3 server for this process and those that it starts."""
    with s3_server() as store, pytest.MonkeyPatch.context() as around:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            around.delenv(name)
        for name, text in store.environment.items():
            around.setenv(name, text)
        for each in (connection.object_store, connection._server):
            each.cache_clear()
        yield store
    for each in (connection.object_store, connection._server):
        each.cache_clear()


@pytest.fixture
def store(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The same without faults, and an empty folder for what lies on this machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    s3.fault = lambda method, path: ""
    s3.requests.clear()
    return s3


@pytest.fixture
def bucket(store: Store, request: pytest.FixtureRequest) -> StorePath:
    """An empty bucket."""
    name = f"b{abs(hash(request.node.nodeid)):x}"
    assert store.ask("PUT", f"/{name}")[0] == 200
    return StorePath.parse(f"s3://{name}")
