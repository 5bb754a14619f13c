"""The data quality of a recorded tape: instruments side by side, each a batch at a time."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dataflows.assembly.tapes import check_range, chosen_instruments, open_journals
from dataflows.settings.model import Settings
from operators.inspection_engine import DayFigures, InspectionConfig, InspectionEngine
from operators.inspection_verdict import BAD, DOUBTFUL, Limits, judged
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import set_aside_of
from sources.tape.reader import TapeReader

ALL_GOOD, SOME_DOUBTFUL, SOME_BAD = 0, 3, 4  # exit codes
_DATE = re.compile(r"date=(\d{4}-\d\d-\d\d)")
_EPOCH = date(1970, 1, 1).toordinal()

Damage = dict[int | None, list[str]]  # by days since 1970; None: of no day


@dataclass(frozen=True)
class InspectedDay:
    """The verdict on one instrument's day.

    Attributes:
        day: days since 1970; None where nothing tells which.
        figures: None where no row of the day could be read.
    """

    instrument: Instrument
    day: int | None
    figures: DayFigures | None
    verdict: str
    reasons: list[str]


def inspect_tape(
    settings: Settings,
    config: InspectionConfig,
    limits: Limits,
    progress: Callable[[int, int], None] = lambda rows, total: None,
) -> list[InspectedDay]:
    """Inspect the instruments and the range that the settings ask for; in the order of instruments and days.

    What cannot be read makes its day bad, and stops neither the days before it nor other instruments.

    Args:
        progress: told how many rows have been read, and of how many.

    Raises:
        TickwaxError: there is no tape, it has none of the instruments, or no row in the range.
    """
    root = settings.tape.path
    if root is None:
        raise TickwaxError("tape.path: empty; there is no tape to inspect")
    journals = open_journals(root)
    chosen = chosen_instruments(settings, root, journals)
    start, end = settings.replay.start, settings.replay.end
    bounds = (start.ns if start else None, end.ns if end else None)
    readers: dict[Instrument, TapeReader] = {}
    damage: dict[Instrument, Damage] = {}
    for instrument in chosen:
        damage[instrument] = {}
        for path in set_aside_of(root, instrument):
            _note(damage[instrument], _day_in(str(path)), f"a damaged file was set aside: {path.name}")

        def unreadable(path: Path, error: TickwaxError, damage: Damage = damage[instrument]) -> None:
            _note(damage, _day_in(str(path)), str(error))

        try:
            readers[instrument] = TapeReader(root, instrument, *bounds, journals, on_unreadable=unreadable)
        except TickwaxError as e:
            if not damage[instrument]:  # else no file is left, and that has been said
                _note(damage[instrument], _day_in(str(e)), str(e))
    if len(readers) == len(chosen):
        check_range(list(readers.values()), "replay.start", start, "replay.end", end)
    figures = _all_figures(readers, damage, config, progress)
    days = [day for i in chosen for day in _judged_days(i, figures.get(i, []), damage[i], limits)]
    return _with_journals(journals, days)


def exit_code_of(days: list[InspectedDay]) -> int:
    """`ALL_GOOD`, `SOME_DOUBTFUL` or `SOME_BAD`, by the worst verdict."""
    verdicts = {day.verdict for day in days}
    return SOME_BAD if BAD in verdicts else SOME_DOUBTFUL if DOUBTFUL in verdicts else ALL_GOOD


def _all_figures(
    readers: dict[Instrument, TapeReader],
    damage: dict[Instrument, Damage],
    config: InspectionConfig,
    progress: Callable[[int, int], None],
) -> dict[Instrument, list[DayFigures]]:
    """Kernels and the decoding of Parquet let the GIL go, so that threads are enough."""
    total, done, lock = sum(reader.rows for reader in readers.values()), 0, threading.Lock()
    stopped = threading.Event()

    def count(rows: int) -> None:
        nonlocal done
        with lock:
            done += rows
            progress(done, total)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures: dict[Instrument, Future[list[DayFigures]]] = {
            instrument: pool.submit(_figures, reader, config, damage[instrument], count, stopped)
            for instrument, reader in readers.items()
        }
        try:
            waiting = set(futures.values())
            while waiting:
                ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    return {instrument: future.result() for instrument, future in futures.items()}


def _figures(
    reader: TapeReader, config: InspectionConfig, damage: Damage, count: Callable[[int], None], stopped: threading.Event
) -> list[DayFigures]:
    engine = InspectionEngine(config)
    days: list[DayFigures] = []
    broken = None
    try:
        for batch in _ahead(reader.batches()):
            if stopped.is_set():
                return days
            lead = max(0, min(batch.rows, reader.first_ordinal - int(batch.ordinal[0])))
            if lead:
                engine.lead(batch.slice(0, lead))
            days += engine.process(batch.slice(lead, batch.rows))
            count(batch.rows)
    except TickwaxError as e:
        broken = str(e)
    last = engine.finish()
    if last is not None:
        days.append(last)
    if broken is not None:
        _note(damage, _day_in(broken) or (last.day if last else None), broken)
    return days


def _ahead(batches: Iterator[TapeBatch]) -> Iterator[TapeBatch]:
    """The same, of which the next one is read while one is worked on."""
    with ThreadPoolExecutor(1) as reading:
        coming = reading.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reading.submit(next, batches, None)
            yield batch


def _judged_days(
    instrument: Instrument, figures: list[DayFigures], damage: Damage, limits: Limits
) -> Iterator[InspectedDay]:
    by_day = {day.day: day for day in figures}
    for day in sorted(by_day.keys() | damage.keys(), key=lambda day: (day is None, day)):
        found = None if day is None else by_day.get(day)
        lines = damage.get(day, [])
        verdict, reasons = (BAD, lines) if found is None else judged(found, limits, lines)
        yield InspectedDay(instrument, day, found, verdict, reasons)


def _with_journals(journals: TapeJournals, days: list[InspectedDay]) -> list[InspectedDay]:
    """A damaged journal may have lost rows of any instrument, behind the last one that is there."""
    if not journals.damaged:
        return days
    n = len(journals.damaged)
    reason = f"{n} damaged journal{'s' if n > 1 else ''}: rows of this or another instrument may be lost"
    last = {day.instrument: n for n, day in enumerate(days)}.values()
    return [
        InspectedDay(d.instrument, d.day, d.figures, BAD if d.verdict == BAD else DOUBTFUL, [*d.reasons, reason])
        if n in last
        else d
        for n, d in enumerate(days)
    ]


def _note(damage: Damage, day: int | None, line: str) -> None:
    damage.setdefault(day, []).append(line)


def _day_in(text: str) -> int | None:
    """The day of the partition that a path lies in."""
    found = _DATE.search(text)
    try:
        return date.fromisoformat(found[1]).toordinal() - _EPOCH if found else None
    except ValueError:
        return None
