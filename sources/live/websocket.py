"""One websocket: its frames in batches, its subscriptions paced, answered and kept alive."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidProxyStatus, InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from sources.live.page import page_text
from sources.live.protocol import Answer, Operation, VenueProtocol
from sources.live.retry_after import retry_after
from sources.redaction import redacted

MAX_FRAME_BYTES = 1 << 22  # a book of 1000 levels a side is 60 kB
_PINGS_UNANSWERED = 2
FINAL = (
    400,
    404,
    407,
    451,
)  # statuses after which trying again cannot help: another address, password or country is needed


class SocketLost(Exception):
    """A connection ended or could not be opened; ``wait`` is how many seconds the exchange asks to stay away."""

    def __init__(self, reason: str, wait: float = 0.0, status: int = 0, final: bool = False) -> None:
        """``final``: trying again cannot help, for the address itself is wrong."""
        super().__init__(reason)
        self.wait = wait
        self.status = status
        self.final = final


class _Frames(ClientConnection):
    """Hands over all data frames of one read at once, past the library's queue: with one await a message, that queue
    costs more than decoding."""

    def __init__(self, protocol: ClientProtocol, *, sink: Callable[[list[bytes]], None], **options: Any) -> None:
        super().__init__(protocol, **options)
        self._sink = sink
        self._whole: list[bytes] = []
        self._fragments: list[bytes] = []

    def process_event(self, event: Event) -> None:
        """Take data frames, leave the others to the library."""
        if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            super().process_event(event)
        elif event.fin and not self._fragments:
            self._whole.append(bytes(event.data))
        else:
            self._fragments.append(bytes(event.data))
            if event.fin:
                self._whole.append(b"".join(self._fragments))
                self._fragments.clear()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop for every read."""
        super().data_received(data)
        if self._whole:
            frames, self._whole = self._whole, []
            self._sink(frames)


class Websocket:
    """An open connection and the requests on it.

    Requests are sent one message every ``protocol.message_interval``, since exchanges ban those who talk too fast. A
    refused request is bisected to isolate the failing stream, so that one bad name costs no other stream.
    """

    def __init__(
        self,
        protocol: VenueProtocol,
        answer_timeout: float,
        on_frames: Callable[["Websocket", list[bytes]], None],
        on_subscribed: Callable[["Websocket", Sequence[str]], None],
        on_refused: Callable[["Websocket", str, str], None],
    ) -> None:
        """Args:
        on_frames: told of market data, in order.
        on_subscribed: told of streams that the exchange has acknowledged.
        on_refused: told of a stream, or of none that is named, and why the exchange does not give it.
        """
        self._protocol = protocol
        self._answer_timeout = answer_timeout
        self._on_frames = on_frames
        self._on_subscribed = on_subscribed
        self._on_refused = on_refused
        self._connection: ClientConnection | None = None
        self._requests: deque[tuple[Operation, tuple[str, ...]]] = deque()
        self._wake = asyncio.Event()
        self._unanswered: dict[int, tuple[Operation, tuple[str, ...], float]] = {}
        self._number = 0
        self._pings = 0
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self.subscribed: set[str] = set()
        self.url = ""
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heeded = False  # the announcement of the end has been told

    async def open(self, url: str, open_timeout: float, close_timeout: float, proxy: str | None = None) -> Self:
        """Connect, through a proxy if one is named.

        Raises:
            SocketLost: the exchange does not answer, or refuses.
        """

        self.url = url

        def create(protocol: ClientProtocol, **options: Any) -> ClientConnection:
            return _Frames(protocol, sink=self._received, **options)

        try:
            self._connection = await connect(
                url,
                create_connection=create,  # type: ignore[arg-type]
                compression=None,  # inflating costs more than a local network saves
                proxy=proxy,
                open_timeout=open_timeout,
                close_timeout=close_timeout,
                max_size=MAX_FRAME_BYTES,
                process_exception=lambda e: e,
            )
        except InvalidStatus as e:
            status = e.response.status_code
            wait = retry_after(e.response.headers.get("Retry-After"))
            text = f"the exchange answers HTTP {status} {page_text(bytes(e.response.body or b''))}".rstrip()
            raise SocketLost(text, wait, status, status in FINAL) from e
        except TimeoutError as e:
            raise SocketLost(f"no answer within {open_timeout:g} s") from e
        except (OSError, WebSocketException, ValueError) as e:
            status = e.response.status_code if isinstance(e, InvalidProxyStatus) else 0
            through = f"proxy {redacted(proxy)}: " if proxy else ""
            raise SocketLost(f"{through}{str(e) or type(e).__name__}", status=status, final=status in FINAL) from e
        self._tasks = [asyncio.create_task(job) for job in (self._watch(), self._talk(), self._keep_alive())]
        return self

    @property
    def gone(self) -> bool:
        """Whether the connection has ended."""
        return self._lost.done()

    @property
    def reason(self) -> str:
        """Why it has ended; empty while it has not."""
        return self._lost.result() if self._lost.done() else ""

    def request(self, operation: Operation, streams: Iterable[str]) -> None:
        """Ask for streams, or for their end, as soon as the pace allows."""
        names = tuple(streams)
        most = self._protocol.batch_streams
        for at in range(0, len(names), most):
            self._enqueue(operation, names[at : at + most])
        if operation is Operation.UNSUBSCRIBE:
            self.subscribed.difference_update(names)
        self._wake.set()

    def _enqueue(self, operation: Operation, names: tuple[str, ...]) -> None:
        """Let a request wait, in one message with another of its kind if no later one is about the same streams."""
        asked = set(names)
        for at in range(len(self._requests) - 1, -1, -1):
            waiting, others = self._requests[at]
            if waiting is operation and len(others) + len(names) <= self._protocol.batch_streams:
                self._requests[at] = (operation, tuple(dict.fromkeys(others + names)))
                return
            if not asked.isdisjoint(others):
                break
        self._requests.append((operation, names))

    async def lost(self) -> str:
        """Wait until the connection ends; gives the reason."""
        return await asyncio.shield(self._lost)

    def announce_end(self) -> None:
        """The exchange has said that it will close the connection."""
        if not self._closing.done():
            self._closing.set_result(None)

    async def ended(self, seconds: float) -> str | None:
        """Wait until the connection ends, and give the reason; None after ``seconds``, or when the end is announced.

        Only the first announcement ends the wait: `closing` tells of it.
        """
        waited: list[asyncio.Future[Any]] = [self._lost] if self._heeded else [self._lost, self._closing]
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._lost.result() if self._lost.done() else None

    def closing(self) -> bool:
        """Whether the end has been announced since the last call."""
        news = self._closing.done() and not self._heeded
        self._heeded = self._closing.done()
        return news

    def drop(self, reason: str) -> None:
        """Give the connection up: `lost` returns ``reason``."""
        if not self._lost.done():
            self._lost.set_result(reason)

    async def close(self) -> None:
        """Close the connection politely; nothing is handed over any more."""
        self.drop("closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    def _received(self, frames: list[bytes]) -> None:
        if self._lost.done():
            return
        self._pings = 0  # whatever comes, the connection lives
        data: list[bytes] = []
        for raw in frames:
            if not raw.startswith(self._protocol.data_prefix):
                answer = self._protocol.answer(raw)
                if answer is not None:
                    self._answered(answer)
                    continue
            data.append(raw)
        if data:
            self._on_frames(self, data)

    def _answered(self, answer: Answer) -> None:
        request = self._unanswered.pop(answer.request, None) if answer.request is not None else None
        if request is None:
            if answer.error is not None:
                self._on_refused(self, "", answer.error)
            return
        operation, streams, _ = request
        if operation is Operation.UNSUBSCRIBE:
            return
        if answer.error is None:
            self.subscribed.update(streams)
            self._on_subscribed(self, streams)
        elif len(streams) == 1:
            self._on_refused(self, streams[0], answer.error)
        else:
            middle = len(streams) // 2
            self._requests += [(operation, streams[:middle]), (operation, streams[middle:])]
            self._wake.set()

    async def _watch(self) -> None:
        assert self._connection is not None
        await self._connection.wait_closed()
        self.drop(f"closed with code {self._connection.close_code} {self._connection.close_reason or ''}".rstrip())

    async def _talk(self) -> None:
        """Send requests at the venue's pace; a request without an answer ends the connection."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            while self._requests:
                operation, streams = self._requests.popleft()
                self._number += 1
                self._unanswered[self._number] = (operation, streams, loop.time() + self._answer_timeout)
                await self._send(self._protocol.request(operation, streams, self._number))
                await asyncio.sleep(self._protocol.message_interval)
            due = min((deadline for _, _, deadline in self._unanswered.values()), default=None)
            try:
                await asyncio.wait_for(self._wake.wait(), None if due is None else max(0.0, due - loop.time()))
            except TimeoutError:
                if any(deadline <= loop.time() for _, _, deadline in self._unanswered.values()):
                    self.drop(f"no answer to a request within {self._answer_timeout:g} s")
                    return

    async def _keep_alive(self) -> None:
        interval = self._protocol.ping_interval
        if interval is None:
            return
        while True:
            await asyncio.sleep(interval)
            if self._pings >= _PINGS_UNANSWERED:
                self.drop(f"no answer to {self._pings} pings")
                return
            self._pings += 1
            self._number += 1
            await self._send(self._protocol.ping(self._number))

    async def _send(self, text: str) -> None:
        assert self._connection is not None
        try:
            await self._connection.send(text)
        except ConnectionClosed:  # `_watch` tells why
            await asyncio.sleep(self._answer_timeout)
