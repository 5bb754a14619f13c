"""The tape of a synthetic market."""

from time import perf_counter
from typing import Any

from dataflows.assembly.synthetic_tape import SyntheticTape, write_synthetic_tape
from dataflows.reports.progress import instrument_bars
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import TextTable, show
from dataflows.runtime.kernels import announce
from dataflows.settings.instants import Instant
from dataflows.settings.model import load_settings
from sources.durations import LONGEST_NS, Duration
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.names import VENUES
from synthetic.jit import CACHE as SYNTHETIC

_NS_PER_MS = 1_000_000


def synth(flags: dict[str, Any], span: str, seed: int, start: str) -> None:
    """Write it; ``flags`` are settings.

    Raises:
        TickwaxError: a value is no duration or time, or the tape cannot be written.
    """
    settings = load_settings(flags)
    root = settings.tape.path
    if root is None:
        raise TickwaxError("tape.path: '' is no folder to write to; name one with --tape")
    wildcard = next((s for s in settings.symbols if s.endswith(":*")), None)
    if wildcard:
        raise TickwaxError(f"symbols: {wildcard!r} is no single instrument; a synthetic market needs venue:SYMBOL")
    instruments = [Instrument.parse(s) for s in settings.symbols]
    if odd := next((i for i in instruments if i.venue not in VENUES), None):
        raise TickwaxError(f"symbols: '{odd}' is at no venue that is known: {', '.join(VENUES)}")
    span_ns, start_ns = _span(span), _start(start)
    before = perf_counter()
    announce(SYNTHETIC, "kernel.advance", 6)
    with instrument_bars(dict.fromkeys(instruments, span_ns)) as progress:
        written = write_synthetic_tape(
            root,
            instruments,
            span_ns,
            seed,
            settings.tape.compression,
            progress,
            start_ns,
        )
    show(_table(written))
    rows, seconds = sum(w.rows for w in written), perf_counter() - before
    prose(f"{rows:,} rows in {seconds:.1f} s, written to {root}")


def _span(text: str) -> int:
    try:
        return Duration.parse(text).ns
    except ValueError as e:
        raise TickwaxError(f"--span: {e}") from e


def _start(text: str) -> int:
    try:
        ns = Instant.parse(text).ns
    except ValueError as e:
        raise TickwaxError(f"--start: {e}") from e
    if ns % _NS_PER_MS or ns <= 0 or ns > (1 << 63) - 2 * LONGEST_NS:
        raise TickwaxError(
            f"--start: {text!r} is not a whole number of milliseconds after 1970-01-01 and before the year 2062"
        )
    return ns


def _table(written: list[SyntheticTape]) -> TextTable:
    table = TextTable(("instrument", "rows", "trades", "last price"))
    for w in written:
        table.add(str(w.instrument), f"{w.rows:,}", f"{w.trades:,}", f"{w.last_price:,}")
    return table
