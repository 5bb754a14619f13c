"""The recorded tape that the settings speak of, opened."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dataflows.runtime.exit_codes import say
from dataflows.settings.instants import Instant
from dataflows.settings.model import Settings
from sources.errors import TickwaxError
from sources.instrument import Instrument, twins
from sources.placement import BY_HASH, Placement
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import data_files, instruments, set_aside_of
from sources.tape.reader import TapeReader

_RECENT_DAYS = 7
_LINES = 10  # of one kind


def open_tape(
    settings: Settings,
    wanted: Callable[[Instrument], bool] = lambda instrument: True,
    tell: Callable[[str], None] = say,
) -> tuple[list[Instrument], list[TapeReader]]:
    """The instruments that the settings ask for, and what reads the tapes of those that are ``wanted``.

    Args:
        tell: told in lines what the tape has lost to damage.

    Raises:
        TickwaxError: the tape cannot be read, or has none of the instruments asked for.
    """
    root = settings.tape.path
    if root is None:
        raise TickwaxError("tape.path: empty; a replay needs a tape to read")
    journals = open_journals(root, tell)
    tell_hole = first_few(tell, "more holes of the tape are not named here")
    chosen = chosen_instruments(settings, root, journals)
    start, end = settings.replay.start, settings.replay.end
    bounds = (start.ns if start else None, end.ns if end else None)
    _tell_of_damage(root, [i for i in chosen if wanted(i)], tell)
    return chosen, [TapeReader(root, i, *bounds, journals, tell, tell_hole) for i in chosen if wanted(i)]


def open_journals(root: Path, tell: Callable[[str], None] = say) -> TapeJournals:
    """The journals of a tape; tells which are damaged.

    Raises:
        TickwaxError: one is none of a tape, or of another version.
    """
    journals = TapeJournals(root)
    tell_damage = first_few(tell, "more journals are damaged")
    for line in journals.damaged:
        tell_damage(line)
    return journals


def first_few(tell: Callable[[str], None], last: str) -> Callable[[str], None]:
    """Passes some lines on, then one more and nothing; safe to call from several threads."""
    numbers = itertools.count()

    def tell_some(line: str) -> None:
        number = next(numbers)
        if number <= _LINES:
            tell(line if number < _LINES else last)

    return tell_some


def _tell_of_damage(root: Path, chosen: Sequence[Instrument], tell: Callable[[str], None]) -> None:
    """Tell what a tape has lost to damage: rows of files that were set aside are not read."""
    tell_aside = first_few(tell, "more instruments have damaged files")
    for instrument in chosen:
        if aside := set_aside_of(root, instrument):
            files = "1 damaged file was" if len(aside) == 1 else f"{len(aside)} damaged files were"
            tell_aside(f"{instrument}: {files} set aside in {aside[0].parent.parent}; the rows are not read")


def check_range(
    readers: Sequence[TapeReader], first: str, start: Instant | None, last: str, end: Instant | None
) -> None:
    """Refuse a range in which no tape has a row.

    Args:
        first, last: the settings of ``start`` and ``end``.

    Raises:
        TickwaxError: that is so; tells where the tapes begin and end.
    """
    if not readers or not all(reader.empty for reader in readers):
        return
    spans = [reader.span for reader in readers]
    begins, ends = min(begin for begin, _ in spans), max(end for _, end in spans)
    if start is not None and start.ns > ends:
        raise TickwaxError(f"{first}: '{start}' leaves no row: the tape ends before it, at {time_text(ends)}")
    if end is not None and end.ns <= begins:
        raise TickwaxError(f"{last}: '{end}' leaves no row: the tape begins only at {time_text(begins)}")
    span = f"{time_text(begins)} to {time_text(ends)}"
    if start is None:
        raise TickwaxError(f"{last}: no row is read before '{end}', though the tape goes from {span}: is it in order?")
    until = "" if end is None else f" and before '{end}'"
    raise TickwaxError(f"{first}: no row lies at or after '{start}'{until}; the tape goes from {span}")


def time_text(ns: int) -> str:
    """A time as it may be written in settings."""
    return f"{np.datetime64(ns, 'ns')}Z"


def chosen_instruments(settings: Settings, root: Path, journals: TapeJournals) -> list[Instrument]:
    """The tape's instruments that the settings ask for; all of them unless ``symbols`` was set.

    Raises:
        TickwaxError: there is no tape, one of them is not on it, or a name is none of an instrument.
    """
    there = sorted(journals.instruments.union(instruments(root)))
    if not there and root.is_file():
        raise TickwaxError(f"tape.path: {root} is a file; a tape is a folder")
    if not there:
        raise TickwaxError(f"tape.path: {root} holds no tape; write one with `tickwax synth` or `tickwax import`")
    if "symbols" not in settings.model_fields_set:
        return _named(root, there)
    chosen: list[Instrument] = []
    for text in settings.symbols:
        wanted = Instrument(*text.split(":", 1))
        found = [i for i in there if i.venue == wanted.venue and wanted.symbol in ("*", i.symbol)]
        if not found:
            names = ", ".join(map(str, there[:8])) + (" …" if len(there) > 8 else "")
            raise TickwaxError(f"symbols: {text} is not on the tape {root}, which holds {names}")
        chosen += [i for i in found if i not in chosen]
    return _named(root, chosen)


def _named(root: Path, chosen: list[Instrument]) -> list[Instrument]:
    """The same, whose names also other data sets can have: a tape of another program may hold any folder."""
    for one, other in twins(chosen):
        raise TickwaxError(
            f"tape.path: {root}: '{one}' and '{other}' share a folder where names ignore capitals; "
            "choose one of them with symbols"
        )
    for instrument in chosen:
        try:
            Instrument.parse(str(instrument))
        except TickwaxError as e:
            raise TickwaxError(f"tape.path: {root}: {e}; rename its folder, or choose others with symbols") from None
    return chosen


def weighed(settings: Settings, readers: list[TapeReader]) -> Placement:
    """Instruments dealt to workers by what their tapes hold."""
    step_ns = settings.features.sampling.ns
    return Placement({str(reader.instrument): reader.weight(step_ns) for reader in readers})


def recorded(root: Path | None, wanted: Sequence[Instrument]) -> Placement:
    """Instruments of a live run dealt to workers by what was recorded of them lately, in bytes; none, by name."""
    if root is None:
        return BY_HASH
    files = {
        instrument: data_files(root, instrument)
        for instrument in instruments(root)
        if any(i.venue == instrument.venue and i.symbol in ("*", instrument.symbol) for i in wanted)
    }
    days = sorted({file.parent.name for each in files.values() for file in each})[-_RECENT_DAYS:]
    sizes = {str(i): sum(f.stat().st_size for f in each if f.parent.name in days) for i, each in files.items()}
    return Placement({key: size for key, size in sizes.items() if size})
