"""The live feeds of one worker: an event loop in a thread of its own, drained from outside without blocking."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

import msgspec
import stamina

from sources.binance_futures.connect import BinanceFuturesConnector
from sources.builder import TapeTail
from sources.bybit_linear.connect import BybitLinearConnector
from sources.decimals import parse_levels
from sources.errors import TickwaxError
from sources.events import InstrumentBatch
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.live.connector import Connector
from sources.live.context import Context
from sources.live.outbox import Outbox
from sources.live.rest import RestError
from sources.live.telemetry import Telemetry
from sources.live.universe import check, choose

CONNECTORS: dict[str, Callable[[Context, int], Connector]] = {
    "binance_futures": BinanceFuturesConnector,
    "bybit_linear": BybitLinearConnector,
}

_POLL = 0.02


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
        self._outbox = Outbox(config.buffer_rows)
        self._telemetry = telemetry
        self._context = Context(config, self._telemetry, clock, self._outbox, find_tail, self._fail)
        self._connectors: list[Connector] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._ending = False
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Connect; returns when every address has answered once.

        Raises:
            TickwaxError: an instrument is unknown, or an address does not answer.
        """
        parse_levels([msgspec.Raw(b"[]"), msgspec.Raw(b"[]")])  # compiled now, not while frames pile up
        self._thread.start()
        self._started.wait()
        self._raise()

    def drain(self) -> list[InstrumentBatch]:
        """The rows that have come since the last call, one batch an instrument; never waits for the network.

        Raises:
            TickwaxError: the feeds have ended by an error; what came before it has been drained.
        """
        self._telemetry.buffered(self._outbox.rows)
        batches = self._outbox.drain()
        if not batches:
            self._raise()
        return batches

    def stop(self, timeout: float) -> bool:
        """Close the connections; rows may be drained afterwards. False when that takes longer than ``timeout`` s."""
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
        try:
            venues = dict.fromkeys(instrument.venue for instrument in self._wanted)
            self._connectors = [CONNECTORS[venue](self._context, self._share) for venue in venues]
            await asyncio.gather(*(self._follow(connector) for connector in self._connectors))
            await self._until_open()
            self._started.set()
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

    async def _follow(self, connector: Connector) -> None:
        """Check and follow one venue's instruments."""
        wanted = [i for i in self._wanted if i.venue == connector.venue]
        c = self._config
        try:
            async for attempt in stamina.retry_context(
                on=RestError, attempts=None, timeout=c.start_timeout,
                wait_initial=c.backoff_initial, wait_max=c.backoff_max, wait_jitter=c.backoff_jitter,
            ):  # fmt: skip
                with attempt:
                    listed = await connector.universe()
        except RestError as e:
            raise TickwaxError(f"venues.{connector.venue}.rest: {e}") from e
        check(wanted, listed)
        connector.start()
        connector.add(i for i in choose(wanted, listed) if self._mine(i))

    async def _until_open(self) -> None:
        """Wait until every connection has been opened once."""
        deadline = asyncio.get_running_loop().time() + self._config.start_timeout
        pools = [(connector, pool) for connector in self._connectors for pool in connector.pools]
        while not all(pool.opened for _, pool in pools):
            late = asyncio.get_running_loop().time() >= deadline
            for connector, pool in pools:
                error = pool.error
                if error is not None and not pool.opened and (late or error.final):
                    raise TickwaxError(f"venues.{connector.venue}: {pool.url}: {error}")
            await asyncio.sleep(_POLL)

    async def _look_again(self, connector: Connector) -> None:
        """Follow what has been listed since, and no more what has been delisted."""
        try:
            listed = await connector.universe()
        except RestError as e:
            self._telemetry.refused(connector.venue, "universe", str(e))
            return
        wanted = [i for i in self._wanted if i.venue == connector.venue]
        now = {i for i in choose(wanted, listed) if self._mine(i)}
        before = {lane.instrument for lane in connector.lanes.values()}
        for instrument in sorted(now - before):
            self._telemetry.listed(instrument)
        for instrument in sorted(before - now):
            self._telemetry.delisted(instrument)
        connector.remove(sorted(before - now))
        connector.add(sorted(now - before))
