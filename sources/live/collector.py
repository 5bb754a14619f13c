"""The live connections of one worker: an event loop in a thread of its own, drained from outside without blocking."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec
import stamina

from sources.decimals import parse_levels
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.live.connector import Connector
from sources.live.context import Context
from sources.live.instruments import check, choose
from sources.live.rest import RestError
from sources.live.row_buffer import RowBuffer
from sources.live.telemetry import Telemetry
from sources.live.websocket import FINAL
from sources.tape.batch import InstrumentBatch
from sources.tape.builder import TapeTail

_POLL = 0.02
_STOP_TIMEOUT = 3.0
_QUIET = 1.0  # seconds without an answer before anything is said


class Collector:
    """Connects, keeps every book's continuity, and hands over tape rows."""

    def __init__(
        self,
        wanted: Sequence[Instrument],
        config: LiveConfig,
        clock: Callable[[], int],
        telemetry: Telemetry,
        find_tail: Callable[[Instrument], TapeTail] = lambda instrument: TapeTail(),
        mine: Callable[[Instrument], bool] = lambda instrument: True,
        share: int = 1,
    ) -> None:
        """Args:
        wanted: instruments; the symbol ``*`` stands for every perpetual of its venue that trades now.
        clock: the time, in nanoseconds since the epoch.
        find_tail: what an instrument's rows are appended to.
        mine: which of the wanted instruments this worker takes.
        share: how many workers share the exchanges' limits.
        """
        self._wanted = list(wanted)
        self._config = config
        self._mine = mine
        self._share = share
        self._row_buffer = RowBuffer(config.buffer_rows)
        self._telemetry = telemetry
        telemetry.buffer(lambda: self._row_buffer.rows)
        self._context = Context(config, self._telemetry, clock, self._row_buffer, find_tail, self._fail)
        self._connectors: list[Connector] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._ending = False
        self._stopped = False  # perhaps before the loop runs
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self, stop: threading.Event | None = None) -> None:
        """Connect; returns when every address has answered once, or, with nothing to drain, when told to stop.

        Raises:
            TickwaxError: an instrument is unknown, or an address has not answered within ``start_timeout``.
        """
        parse_levels([msgspec.Raw(b"[]"), msgspec.Raw(b"[]")])  # compiled now, not while frames pile up
        self._thread.start()
        while not self._started.wait(_POLL):
            if stop is not None and stop.is_set():
                self.stop(_STOP_TIMEOUT)
                return
        self._raise()

    def drain(self) -> list[InstrumentBatch]:
        """The rows that have come since the last call, one batch an instrument; never waits for the network.

        Raises:
            TickwaxError: the feeds have ended by an error; what came before it has been drained.
        """
        self._telemetry.buffered(self._row_buffer.rows)
        batches = self._row_buffer.drain()
        if not batches:
            self._raise()
        return batches

    def turn(self) -> threading.Event:
        """Set when the connections' thread has read what has come by now; at once if it does not run."""
        done, loop = threading.Event(), self._loop
        try:
            if loop is None:
                raise RuntimeError
            loop.call_soon_threadsafe(loop.call_soon, done.set)  # twice round: sockets are read in between
        except RuntimeError:
            done.set()
        return done

    def stop(self, timeout: float) -> bool:
        """Close the connections; rows may be drained afterwards. False when that takes longer than ``timeout`` s."""
        self._stopped = True
        self._telemetry.stopped()
        if self._loop is not None and self._main is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._end)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _raise(self) -> None:
        if isinstance(self._error, TickwaxError):
            raise self._error
        if self._error is not None:
            raise RuntimeError("the live feeds have ended") from self._error

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        if self._loop is not None and self._main is not None:
            self._end()

    def _end(self) -> None:
        if not self._ending:  # once, or it would end the closing of connections
            self._ending = True
            assert self._main is not None
            self._main.cancel()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except asyncio.CancelledError:
            pass
        except BaseException as e:
            self._error = self._error or e
        finally:
            self._started.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        if self._stopped:
            return
        try:
            venues = dict.fromkeys(instrument.venue for instrument in self._wanted)
            self._connectors = [
                Connector(self._config.venues[venue].adapter(), self._context, self._share) for venue in venues
            ]
            try:
                await self._connect()
            except Exception as e:
                self._error = self._error or e
                raise
            finally:
                self._started.set()  # whoever waits need not wait for connections to close
            while True:
                await asyncio.sleep(self._config.universe_interval)
                for connector in self._connectors:
                    await self._look_again(connector)
        finally:
            self._ending = True
            for connector in self._connectors:
                connector.stop()
            await self._context.stop()
            await asyncio.gather(*(connector.close() for connector in self._connectors))

    async def _connect(self) -> None:
        """Find every instrument and open every connection, all within ``start_timeout``."""
        deadline = asyncio.get_running_loop().time() + self._config.start_timeout
        self._context.spawn(self._tell_of_waiting())
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.gather(*(self._follow(connector, deadline) for connector in self._connectors))
        except TimeoutError:
            late = next(connector for connector in self._connectors if not connector.listed)
            raise TickwaxError(f"venues.{late.venue}.rest: {late.rest.last_error or _silent(late.rest.url)}") from None
        if self._context.left_out and self._share == 1 and not any(c.states for c in self._connectors):
            raise next(iter(self._context.left_out.values()))  # nothing is left that could be recorded
        await self._until_open(deadline)

    async def _follow(self, connector: Connector, deadline: float) -> None:
        """Check and follow one venue's instruments."""
        wanted = [i for i in self._wanted if i.venue == connector.venue]
        c = self._config

        def hopeful(error: Exception) -> bool | float:
            """For how long to wait before the next request; False if no answer can come in time."""
            if not isinstance(error, RestError) or error.status in FINAL:
                return False
            connector.rest.last_error = error  # also a reply that came and cannot be read
            left = deadline - asyncio.get_running_loop().time()
            return error.wait <= left and (error.wait or True)

        try:
            async for attempt in stamina.retry_context(
                on=hopeful, attempts=None, timeout=None,
                wait_initial=c.backoff_initial, wait_max=c.backoff_max, wait_jitter=c.backoff_jitter,
            ):  # fmt: skip
                with attempt:
                    listed = await connector.instruments()
        except RestError as e:
            raise TickwaxError(f"venues.{connector.venue}.rest: {e}") from e
        check(wanted, listed, connector.refusal)
        connector.listed = True
        connector.start()
        connector.add(i for i in choose(wanted, listed) if self._mine(i))

    async def _until_open(self, deadline: float) -> None:
        """Wait until every connection has been opened once."""
        time = asyncio.get_running_loop().time
        pools = [(connector, pool) for connector in self._connectors for pool in connector.pools if not pool.beside]
        while not all(pool.opened for _, pool in pools):
            left = deadline - time()
            for connector, pool in pools:
                error = pool.error
                if not pool.opened and (left <= 0.0 or (error is not None and (error.final or error.wait > left))):
                    reason = f"{pool.url}: {error}" if error is not None else _silent(pool.url)
                    raise TickwaxError(f"venues.{connector.venue}: {reason}")
            await asyncio.sleep(_POLL)

    async def _tell_of_waiting(self) -> None:
        """Say once of every address that the start waits for it, and what it has said."""
        told: set[str] = set()
        since: dict[str, float] = {}
        time = asyncio.get_running_loop().time
        while not self._started.is_set():
            await asyncio.sleep(_POLL)
            for venue, url, error in self._waited_for():
                if url not in told and time() - since.setdefault(url, time()) >= _QUIET:
                    told.add(url)
                    self._telemetry.waiting(venue, url, str(error or "no answer yet"))

    def _waited_for(self) -> Iterator[tuple[str, str, Exception | None]]:
        """The addresses that have not answered yet, with their venue and newest error."""
        for connector in self._connectors:
            if not connector.listed:
                yield connector.venue, connector.rest.url, connector.rest.last_error
            for pool in connector.pools:
                if not pool.opened:
                    yield connector.venue, pool.url, pool.error

    async def _look_again(self, connector: Connector) -> None:
        """Follow what has been listed since, and no more what has been delisted."""
        try:
            listed = await connector.instruments()
        except RestError as e:
            self._telemetry.refused(connector.venue, "universe", str(e))
            return
        wanted = [i for i in self._wanted if i.venue == connector.venue]
        now = {i for i in choose(wanted, listed) if self._mine(i)} - self._context.left_out.keys()
        before = {state.instrument for state in connector.states.values()}
        for instrument in sorted(now - before):
            self._telemetry.listed(instrument)
        for instrument in sorted(before - now):
            self._telemetry.delisted(instrument)
        connector.remove(sorted(before - now))
        connector.add(sorted(now - before))


def _silent(url: str) -> str:
    return f"{url}: no answer"
