"""The verdicts on a recording's tape, one instrument after the other, while its page is served."""

import math
import threading

from dataflows.assembly.inspecting import InspectedDay, inspect_tape
from dataflows.runtime.kernels import ready_inspection
from dataflows.settings.model import Settings
from operators.inspection_engine import QUANTILES, InspectionConfig
from operators.inspection_verdict import BAD, VERDICTS, Limits
from sources.errors import TickwaxError
from sources.tape.batch import RESET
from window.recorded import Recording

_MEDIAN = QUANTILES.index(0.5)


class _Ended(Exception):
    """Nobody waits for it any more."""


def judge_tape(settings: Settings, shown: Recording, ended: threading.Event) -> None:
    """Inspect the tape at `tape.path` as `tickwax inspect` does by default, and tell the page.

    Args:
        ended: ends it early.
    """

    def go_on(rows: int, total: int) -> None:
        if ended.is_set():
            raise _Ended

    ready_inspection()
    for name in shown.names:
        one = settings.model_copy(update={"symbols": [name]})
        try:
            days = inspect_tape(one, InspectionConfig(), Limits(), go_on)
        except _Ended:
            return
        except TickwaxError as e:
            shown.judged(name, VERDICTS.index(BAD), [str(e)], math.nan, math.nan)
            continue
        shown.judged(name, *_worst(days))


def _worst(days: list[InspectedDay]) -> tuple[int, list[str], float, float]:
    """Verdict and reasons of the worst day, resets of all, and the worst day's median latency in ms."""
    worst = max(days, key=lambda day: VERDICTS.index(day.verdict))
    figures = [day.figures for day in days if day.figures is not None]
    gaps = sum(int(one.counts[RESET]) for one in figures)
    latency = max((one.latency[_MEDIAN] / 1e6 for one in figures if one.latency), default=math.nan)
    return VERDICTS.index(worst.verdict), worst.reasons, gaps, latency
