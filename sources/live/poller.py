"""What a venue tells by REST alone, asked for of one instrument after the other within a share of the venue's limit."""

import asyncio
from collections.abc import Mapping

from sources.live.adapter import Poll
from sources.live.instrument_state import InstrumentState
from sources.live.recorder import Recorder
from sources.live.rest import Rest, RestError

_LAST = 2  # priority of the requests: books come first


class Poller:
    """Asks for ever; what is refused is told once, until an answer comes."""

    def __init__(
        self, poll: Poll, per_second: float, recorder: Recorder, rest: Rest, states: Mapping[str, InstrumentState]
    ) -> None:
        """Args:
        per_second: most requests.
        states: by symbol; those that are followed at the time.
        """
        self._poll = poll
        self._pause = 1.0 / per_second
        self._recorder = recorder
        self._rest = rest
        self._states = states
        self._refused = False
        self._prepared_at: float | None = None

    async def run(self) -> None:
        """Ask until cancelled."""
        config, time = self._recorder.context.config, asyncio.get_running_loop().time
        while True:
            begin = time()
            for state in list(self._states.values()):
                await asyncio.sleep(self._pause + await self._ask(state))
            await asyncio.sleep(max(self._pause, begin + config.poll_interval - time()))

    async def _ask(self, state: InstrumentState) -> float:
        """One request; returns for how many seconds the exchange asks to stay away."""
        context, instrument = self._recorder.context, state.instrument
        now = asyncio.get_running_loop().time()
        try:
            if self._prepared_at is None or now - self._prepared_at >= context.config.universe_interval:
                await self._rest.reserve(self._poll.weight, _LAST)
                await self._poll.prepare(self._rest)
                self._prepared_at = now
            await self._rest.reserve(self._poll.weight, _LAST)
            message = await self._poll.fetch(instrument.symbol, self._rest, context)
        except RestError as e:
            if not self._refused:
                context.telemetry.refused(instrument.venue, str(instrument), f"open interest: {e}")
            self._refused = True
            return e.wait
        self._refused = False
        with context.row_buffer.lock:
            if self._states.get(instrument.symbol) is state:
                self._recorder.record(state, message)
        return 0.0
