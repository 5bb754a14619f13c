"""What the connectors of one worker share."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.live.row_buffer import RowBuffer
from sources.live.telemetry import Telemetry
from sources.tape.builder import TapeTail


class Context:
    """Parameters, time, the way out, and the jobs on the loop."""

    def __init__(
        self,
        config: LiveConfig,
        telemetry: Telemetry,
        clock: Callable[[], int],
        row_buffer: RowBuffer,
        find_tail: Callable[[Instrument], TapeTail],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Args:
        clock: the time, in nanoseconds since the epoch.
        find_tail: what an instrument's rows are appended to.
        fail: called with the error that ends the run.
        """
        self.config = config
        self.telemetry = telemetry
        self.clock = clock
        self.row_buffer = row_buffer
        self._find_tail = find_tail
        self.left_out: dict[Instrument, TickwaxError] = {}  # instruments that are not followed, and why
        self.fail = fail
        self._tasks: set[asyncio.Task[None]] = set()

    def tails(self, instruments: Iterable[Instrument]) -> Iterator[tuple[Instrument, TapeTail]]:
        """What the rows of each instrument are appended to; one whose tape cannot be gone on with is left out, told of,
        and costs no other."""
        for instrument in instruments:
            try:
                yield instrument, self._find_tail(instrument)
            except TickwaxError as e:
                self.left_out[instrument] = e
                self.telemetry.left_out(instrument, str(e))

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
