"""A scripted endpoint on loopback: answers as a test says, once a request, the last answer again and again."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web


def completion(content: str, **more: Any) -> web.Response:
    said = {"choices": [{"message": {"role": "assistant", "content": content}}], **more}
    return web.json_response(said)


def rules(*proposed: Any) -> web.Response:
    return completion(json.dumps({"rules": proposed}), usage={"prompt_tokens": 1000, "completion_tokens": 200})


class ScriptedEndpoint:
    """Context manager; ``answers`` take the request and give a response, or write one themselves."""

    def __init__(self, *answers: Callable[[web.Request], Any]) -> None:
        self._answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.others: list[str] = []  # paths that nobody should have asked for

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/v1/chat/completions":
            self.others.append(request.path)
            return web.Response(status=404)
        self.requests.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        out = answer(request)
        return await out if asyncio.iscoroutine(out) else out

    def __enter__(self) -> "ScriptedEndpoint":
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def begin() -> None:
            app = web.Application(client_max_size=1 << 24)
            app.router.add_route("*", "/{path:.*}", self._handle)
            self._runner = web.AppRunner(app, shutdown_timeout=0.1)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            ready.set()

        def run() -> None:
            self._loop.run_until_complete(begin())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
