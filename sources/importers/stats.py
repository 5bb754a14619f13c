"""What an import has met, for its summary."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from sources.importers.files import DamagedFile
from sources.instrument import Instrument
from sources.latency import Latencies
from sources.messages import tally
from sources.tape.batch import DELTA, SNAPSHOT, TapeBatch
from sources.venues.contracts import NoContract

_EXCERPTS = 5


@dataclass
class InstrumentStats:
    """Counts of one instrument; times in nanoseconds since the epoch."""

    frames: int = 0  # messages that are recorded or tell of the book
    rows: int = 0
    trades: int = 0
    derivatives: int = 0
    snapshots: int = 0  # recorded
    gaps: int = 0
    resets: int = 0
    bad: int = 0  # frames, lines or CSV rows
    books: int = 0  # good book messages
    bad_books: int = 0  # of `bad`, those that may have been of the book
    first_bad: str = ""  # the first of these: file, line, reason, beginning
    bad_prints: int = 0  # of `bad`, the others
    first_bad_print: str = ""
    unusable: int = 0  # snapshots too old for the deltas that wait
    dropped: int = 0  # book messages that no book could be joined with
    first_receive_ts: int | None = None
    last_receive_ts: int | None = None
    back: int = 0  # messages that were received before the one before them, but for deltas that waited for a snapshot
    farthest_back: int = 0  # ns, of these
    _end: tuple[int, int] = (0, -1)  # receive time and kind of the last row

    def report_bad(self, excerpt: str, may_be_book: bool) -> None:
        """Count a bad frame."""
        self.bad += 1
        if may_be_book:
            self.bad_books += 1
            self.first_bad = self.first_bad or excerpt
        else:
            self.bad_prints += 1
            self.first_bad_print = self.first_bad_print or excerpt

    def add(self, batch: TapeBatch) -> None:
        """Count rows."""
        self.rows += batch.rows
        first, last = int(batch.receive_ts.min()), int(batch.receive_ts.max())
        self.first_receive_ts = first if self.first_receive_ts is None else min(first, self.first_receive_ts)
        self.last_receive_ts = last if self.last_receive_ts is None else max(last, self.last_receive_ts)
        times = np.append(self._end[0], batch.receive_ts)
        for row in np.flatnonzero(times[1:] < times[:-1]).tolist():
            before = batch.kind[row - 1] if row else self._end[1]
            if before != SNAPSHOT or batch.kind[row] != DELTA:
                self.back += 1
                self.farthest_back = max(self.farthest_back, int(times[row] - times[row + 1]))
        self._end = int(batch.receive_ts[-1]), int(batch.kind[-1])


@dataclass
class ImportStats:
    """Counts of a whole import."""

    frames: int = 0  # all that were met, bad and ignored ones too
    bad: int = 0
    excerpts: list[str] = field(default_factory=list)  # the first few bad ones: file, line, reason, beginning
    ignored: Counter[str] = field(default_factory=Counter)  # by kind of stream
    notes: Counter[str] = field(default_factory=Counter)  # what was recorded otherwise than it stands in the files
    salvaged: list[DamagedFile] = field(default_factory=list)  # damaged files of which a part was taken
    no_contract: str = ""  # why symbols were left out, of the first one
    hint: str = ""  # a venue that bad frames fit
    latencies: Latencies = field(default_factory=Latencies)  # of the rows, by venue
    instruments: dict[Instrument, InstrumentStats] = field(default_factory=dict)

    def report_bad(self, where: str, reason: str, excerpt: str) -> str:
        """Count a bad frame, and keep what is needed to find it while there are few; gives that text."""
        self.bad += 1
        text = f"{where}: {reason}: {excerpt}" if excerpt else f"{where}: {reason}"
        if len(self.excerpts) < _EXCERPTS:
            self.excerpts.append(text)
        return text

    @property
    def first_bad(self) -> str:
        """How many were bad, and the first of them, to end a line with; empty where there is none."""
        return f"; bad: {self.bad:,}, the first: {self.excerpts[0]}" if self.excerpts else ""

    def leave_out(self, symbol: str, reason: NoContract) -> None:
        """Count a message of a symbol that is no contract of the venue."""
        self.no_contract = self.no_contract or str(reason)
        tally(self.ignored, f"{symbol}, of another market")

    def of(self, instrument: Instrument) -> InstrumentStats:
        """Counts of one instrument."""
        return self.instruments.setdefault(instrument, InstrumentStats())


def utc_millis(ns: int) -> str:
    """A time to the millisecond.

    >>> utc_millis(1_700_000_000_012_000_000)
    '2023-11-14 22:13:20.012'
    """
    return f"{utc_text(ns)}.{ns // 1_000_000 % 1000:03d}"


def utc_text(ns: int) -> str:
    """A time as it is told, to the second.

    >>> utc_text(1_700_000_000_000_000_000)
    '2023-11-14 22:13:20'
    """
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
