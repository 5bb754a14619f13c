"""The tape of a synthetic market."""

from math import isnan
from time import perf_counter
from typing import Any

from dataflows.assembly.synthetic_tape import SyntheticTape, write_synthetic_tape
from dataflows.reports.planted import planted_lines
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


def synth(
    flags: dict[str, Any], span: str, seed: int, start: str, edge: float | None = None, derivatives: bool = False
) -> None:
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
    if edge is not None and not 0 <= edge <= 1:
        raise TickwaxError(f"--edge: {edge} is outside 0 to 1")
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
            edge,
            derivatives,
        )
    show(_table(written))
    if edge is not None:
        prose("Of the returns over a horizon, whoever saw the signal that was planted would foretell at most:")
        show(_skill_table(written))
        prose("Features know the signal from the order flow alone, so a model attains less.")
    for line in planted_lines(root):
        prose(line)
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


def _skill_table(written: list[SyntheticTape]) -> TextTable:
    table = TextTable(("instrument", "horizon", "R²", "R² of this tape", "rank correlation", "horizons in it"), keys=2)
    for w in written:
        for name, skill in w.attainable.items():
            here = ("-", "-") if isnan(skill.r2) else (f"{skill.r2:.4f}", f"{skill.rank:.3f}")
            table.add(str(w.instrument), name, f"{skill.expected_r2:.4f}", *here, f"{skill.independent:,}")
    return table


def _table(written: list[SyntheticTape]) -> TextTable:
    table = TextTable(("instrument", "rows", "trades", "last price"))
    for w in written:
        table.add(str(w.instrument), f"{w.rows:,}", f"{w.trades:,}", f"{w.last_price:,}")
    return table
