"""What the connectors of one worker share."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sources.builder import TapeTail
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.live.outbox import Outbox
from sources.live.telemetry import Telemetry


class Context:
    """Parameters, time, the way out, and the jobs on the loop."""

    def __init__(
        self,
        config: LiveConfig,
        telemetry: Telemetry,
        clock: Callable[[], int],
        outbox: Outbox,
        find_tail: Callable[[Instrument], TapeTail],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Args:
        clock: the time, in nanoseconds since the epoch.
        find_tail: what an instrument's rows are appended to.
        fail: told of an error that ends the run.
        """
        self.config = config
        self.telemetry = telemetry
        self.clock = clock
        self.outbox = outbox
        self.find_tail = find_tail
        self.fail = fail
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a job on the loop; an exception in it ends the run."""
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """End every job."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
