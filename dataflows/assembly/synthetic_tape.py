"""Writing the tape of a synthetic market, whole or not at all."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dataflows.runtime.exit_codes import say
from sinks.lock import only_writer
from sinks.tape import TapeWriter
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import TRADE
from sources.tape.layout import data_files
from sources.tape.schema import EDGE, UNMEASURED
from synthetic.derivative_rows import DERIVATIVE_VENUES, DerivativeRows
from synthetic.market import SyntheticMarket, synthetic_tape
from synthetic.parameters import MarketParameters, parameters_of
from synthetic.skill import Skill, attainable

START_NS = 1_767_571_200_000_000_000  # 2026-01-05T00:00:00Z: fixed, so that the same command gives the same tape
HORIZONS = {"1s": 1_000_000_000, "5s": 5_000_000_000, "30s": 30_000_000_000}  # whose attainable skill is told
_SLICE_NS = 10_000_000_000  # market time between two reports of progress

Progress = Callable[[Instrument, int], None]  # the instrument, and the market time done so far in nanoseconds


@dataclass
class SyntheticTape:
    """What was written for one instrument."""

    instrument: Instrument
    rows: int = 0
    trades: int = 0
    last_price: float = float("nan")  # of a trade
    attainable: Mapping[str, Skill] = field(default_factory=dict)  # by horizon; empty without an edge


def write_synthetic_tape(
    root: Path,
    instruments: Sequence[Instrument],
    span_ns: int,
    seed: int,
    compression: str = "snappy",
    progress: Progress = lambda instrument, done_ns: None,
    start_ns: int = START_NS,
    edge: float | None = None,
    derivatives: bool = False,
) -> list[SyntheticTape]:
    """Write ``span_ns`` of synthetic market per instrument to the tape at ``root``; an interruption leaves nothing.

    Args:
        root: a tape, which may hold other instruments already.
        instruments: distinct ones.
        span_ns: exchange time, in nanoseconds, from the first snapshot to the end.
        seed: any integer; each instrument's market follows from it and the instrument alone.
        compression: a codec of Parquet.
        progress: called now and then.
        start_ns: exchange time of the snapshots, whole milliseconds in nanoseconds since the epoch.
        edge: how predictable the price is, 0 to 1 (docs/learning.md, 5); None: the market whose order flow makes it.
        derivatives: mark prices, funding, open interest and liquidations too, at venues that are recorded with them.

    Raises:
        ValueError: ``edge`` is out of its range.
        TickwaxError: the tape holds one of the instruments already, an instrument stands twice, or the tape cannot be
            written to.
    """
    markets = {i: replace(parameters_of(i), edge=edge) for i in instruments}
    for instrument in instruments:
        if instruments.count(instrument) > 1:
            raise TickwaxError(f"symbols: '{instrument}' stands twice; name each instrument once")
        if data_files(root, instrument):
            raise TickwaxError(f"tape.path: {root} holds {instrument} already; write to a new folder")
    check_target(root, "tape", "tape.path")
    created = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        with only_writer(root, say):
            writer = TapeWriter(root, f"synthetic-{seed}", compression)
            try:
                written = [
                    _write(writer, i, span_ns, seed, progress, start_ns, p, derivatives) for i, p in markets.items()
                ]
                writer.commit()
            except BaseException:
                writer.abort()
                raise
    except BaseException:
        with contextlib.suppress(OSError):  # someone else has begun to use the folder
            for folder in created:
                folder.rmdir()
        raise
    return written


def _write(
    writer: TapeWriter,
    instrument: Instrument,
    span_ns: int,
    seed: int,
    progress: Progress,
    start_ns: int,
    parameters: MarketParameters,
    derivatives: bool,
) -> SyntheticTape:
    market = SyntheticMarket(instrument, seed, start_ns, parameters)
    written, told = SyntheticTape(instrument), {EDGE: UNMEASURED}
    if parameters.edge is not None:
        written.attainable = attainable(instrument, seed, span_ns, HORIZONS, parameters)
        skills = {name: skill._asdict() for name, skill in written.attainable.items()}
        told = {EDGE: str(float(parameters.edge)), "synthetic.attainable": json.dumps(skills)}
    writer.tell(instrument, told)
    beside = DerivativeRows(instrument, parameters) if derivatives and instrument.venue in DERIVATIVE_VENUES else None
    done = 0
    while done < span_ns:
        done = min(done + _SLICE_NS, span_ns)
        for batch in synthetic_tape(market, start_ns + done, written.rows):
            if beside is not None:
                batch = beside.among(batch, written.rows)
            writer.write(instrument, batch)
            trades = np.flatnonzero(batch.kind == TRADE)
            written.rows += batch.rows
            written.trades += len(trades)
            if len(trades):
                written.last_price = float(batch.price[trades[-1]])
        progress(instrument, done)
    return written
