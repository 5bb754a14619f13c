"""How good what another process records is, told beside its features: `tickwax inspect` of its newest minutes."""

import threading
import time
from collections.abc import Callable

from dataflows.assembly.inspecting import InspectedDay, inspect_tape
from dataflows.runtime.kernels import ready_inspection
from dataflows.settings.instants import Instant
from dataflows.settings.model import Settings
from operators.inspection_engine import InspectionConfig
from operators.inspection_verdict import BAD, GOOD, VERDICTS, Limits
from sources.errors import TickwaxError
from window.tap import Tap

SPAN_NS = 300_000_000_000
FIRST, EVERY = 10.0, 60.0  # seconds from the beginning to the first look, and between two looks


class Quality:
    """Looks at the tape now and then, in a thread of its own; tells the tap, and in a line what has become worse."""

    def __init__(
        self, settings: Settings, tap: Tap, tell: Callable[[str], None], now: Callable[[], int] = time.time_ns
    ) -> None:
        """``tell``: is told why an instrument is not good any more. ``now``: ns since 1970."""
        self._settings, self._tap, self._tell, self._now = settings, tap, tell, now
        self._verdicts: dict[str, str] = {}
        self._ended = threading.Event()
        tap.verdicts = VERDICTS

    def begin(self) -> None:
        """Look until `end`."""
        threading.Thread(target=self._run, name="quality", daemon=True).start()

    def end(self) -> None:
        """Look no more; a look that goes on is given up."""
        self._ended.set()

    def _run(self) -> None:
        ready_inspection()
        pause = FIRST
        while not self._ended.wait(pause):
            self.look()
            pause = EVERY

    def look(self) -> None:
        """Look once; what cannot be judged is not known."""
        found = self._days()
        if any(day.verdict == BAD for day in found):
            found = self._days()  # files may have come in place of others while they were read
        if self._ended.is_set():
            return
        worst: dict[str, InspectedDay] = {}
        for day in found:  # two around midnight
            key = str(day.instrument)
            if key not in worst or VERDICTS.index(day.verdict) > VERDICTS.index(worst[key].verdict):
                worst[key] = day
        self._tap.judged({key: VERDICTS.index(day.verdict) for key, day in worst.items()})
        for key, day in worst.items():
            if day.verdict not in (GOOD, self._verdicts.get(key)):
                self._tell(f"{key}: {day.verdict}: {'; '.join(day.reasons)}")
        self._verdicts = {key: day.verdict for key, day in worst.items()}

    def _days(self) -> list[InspectedDay]:
        names, _, rows = self._tap.newest()
        chosen = [name for name, count in zip(names, rows, strict=True) if count]
        if not chosen:
            return []
        begin = self._now() - SPAN_NS
        span = {"start": Instant(f"{begin} ns", begin), "end": None}
        replay = self._settings.replay.model_copy(update=span)
        settings = self._settings.model_copy(update={"replay": replay, "symbols": chosen})
        try:
            return inspect_tape(settings, InspectionConfig(), Limits(), self._go_on)
        except (TickwaxError, InterruptedError):
            return []  # no rows in these minutes

    def _go_on(self, rows: int, total: int) -> None:
        if self._ended.is_set():
            raise InterruptedError
