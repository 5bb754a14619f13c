"""What a live run tells of itself: Prometheus metrics, served by Bytewax's own endpoint, and a log line a state change.

Bytewax serves ``/metrics`` on port 3030 when ``BYTEWAX_DATAFLOW_API_ENABLED=1`` is set, with every metric below.
"""

import io
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from prometheus_client import Counter, Gauge, Histogram
from typing_extensions import override

from dataflows.reports.summary import clock_word, signed
from dataflows.reports.terminal import literal
from dataflows.runtime.damage_metrics import QUARANTINED
from dataflows.runtime.liveness import Liveness
from dataflows.runtime.liveness_metrics import show_liveness
from dataflows.runtime.log_lines import log_to
from sources.errors import DamagedError
from sources.instrument import Instrument
from sources.latency import Latencies
from sources.live.log_limit import LogLimiter
from sources.live.telemetry import Telemetry
from sources.redaction import redacted

Log = TextIO | io.TextIOBase  # where log lines may go

_VENUE = ("venue",)
_STREAM = ("venue", "stream")
_COUNTING = 1.0  # seconds between two looks for counts that are due
_WORDS = 300  # that venues may put into labels
_WORDS_NAMED = 10  # in one line

FRAMES = Counter("tickwax_frames", "Frames received.", _STREAM)
BYTES = Counter("tickwax_received_bytes", "Bytes of the frames received.", _STREAM)
GAPS = Counter("tickwax_gaps", "Messages found missing.", _STREAM)
LOST = Counter("tickwax_books_lost", "Known books that became unknown: resets in the tape.", _VENUE)
SYNCED = Histogram("tickwax_resync_seconds", "From the loss of a book to its being known again.", _VENUE)
KNOWN = Gauge("tickwax_books_known", "Books that are known now.", _VENUE)
RECONNECTS = Counter("tickwax_disconnects", "Connections lost or not opened.", _VENUE)
STALE = Counter("tickwax_stale_streams", "Streams that fell silent.", _STREAM)
BAD = Counter("tickwax_bad_frames", "Frames that could not be understood.", _VENUE)
REFUSED = Counter("tickwax_refusals", "Subscriptions and requests that a venue refused.", _VENUE)
OVERFLOWS = Counter("tickwax_overflows", "Instruments whose rows found the buffer full.", _VENUE)
OFF_BOOK = Counter("tickwax_off_book_prints", "Prints that are not from the book and were dropped.", ("venue", "kind"))
IGNORED = Counter("tickwax_ignored_frames", "Frames that are neither book nor trade.", ("venue", "kind"))
LEFT_OUT = Counter(
    "tickwax_listings_left_out", "Entries of a venue's list that were left out, when first met.", ("venue", "field")
)
REPEATED = Counter("tickwax_repeated_trades", "Trades that came twice and were dropped.", _VENUE)
BUFFERED = Gauge("tickwax_buffered_rows", "Tape rows that wait for the dataflow.")


def _fit_to_print(logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """No secrets, and no signs of a venue that would move the cursor or turn the direction of writing."""
    return {name: literal(redacted(value)) if isinstance(value, str) else value for name, value in event.items()}


class LiveTelemetry(Telemetry):
    """Counts, and logs what changes; what repeats itself is told of once and then counted."""

    def __init__(
        self, time: Callable[[], float] = time.monotonic, stalled_after: float = 30.0, log: Log | None = None
    ) -> None:
        """Args:
        time: seconds of a clock that never steps back.
        stalled_after: as of `Liveness`.
        log: where log lines go in place of standard error; without colours unless it is a terminal.
        """
        self._log: Any = log_to(log or sys.stderr, _fit_to_print, plain=log is not None)
        self._limiter = LogLimiter(time)
        self._time = time
        self.latencies = Latencies()
        self.heard = 0  # frames
        self._bad = 0  # messages in them; a frame may have several
        self._reason = ""  # why the last one was
        self._lock = threading.Lock()  # workers may be threads
        self._words: set[tuple[str, str, str]] = set()
        self._counted_at = time()
        self._buffers: list[Callable[[], int]] = []
        self.liveness = Liveness(stalled_after, self._behind, self._caught_up, time)
        BUFFERED.set_function(self._waiting)
        show_liveness(self.liveness)
        self._left_out: list[str] = []  # instruments, and why
        self._set_aside = 0  # files

    def why_nothing(self) -> str:
        """What is known of why no row could be recorded."""
        if self._left_out:
            return self._left_out[0]
        if self._bad:
            return f"{self._bad:,} messages in {self.heard:,} frames could not be used, the last for: {self._reason}"
        return f"{self.heard:,} frames came, of no book that became known" if self.heard else "no frame came"

    def tell_counts(self, due_only: bool = False) -> None:
        """Log what has repeated itself since its last line; ``due_only``: where it is time for the next."""
        for (event, *about), count in self._limiter.untold(due_only):
            self._log.warning(event, about=" ".join(about), repeated=count)

    def _say(self, event: str, *about: str, write: str = "warning", **fields: Any) -> None:
        """Log one occurrence of what may occur again and again; ``about`` tells its kinds apart."""
        untold = self._limiter.admit(event, *about)
        if untold is not None:
            if untold:
                fields["repeated"] = untold
            getattr(self._log, write)(event, **fields)

    def _named(self, event: str, venue: str, kind: str) -> str:
        """Log a venue's word once, the first time that it comes; gives what it is counted as."""
        key = (event, venue, kind)
        if key not in self._words:
            if len(self._words) >= _WORDS:
                return "other"
            self._words.add(key)
            self._log.info(event, venue=venue, kind=kind)
        return kind

    @override
    def frames(self, venue: str, stream: str, count: int, size: int) -> None:
        self.heard += count
        FRAMES.labels(venue, stream).inc(count)
        BYTES.labels(venue, stream).inc(size)

    @override
    def waiting(self, venue: str, url: str, reason: str) -> None:
        self._log.warning("waiting", venue=venue, url=url, reason=reason)

    @override
    def connected(self, venue: str, url: str, streams: int) -> None:
        self._say("connected", venue, url, write="info", venue=venue, url=url, streams=streams)

    @override
    def disconnected(self, venue: str, url: str, reason: str) -> None:
        RECONNECTS.labels(venue).inc()
        self._say("disconnected", venue, url, venue=venue, url=url, reason=reason)

    @override
    def handed_over(self, venue: str, url: str, forced: int) -> None:
        self._say("handed over", venue, url, write="info", venue=venue, url=url, forced=forced)

    @override
    def refused(self, venue: str, what: str, reason: str) -> None:
        REFUSED.labels(venue).inc()
        self._say("refused", venue, what, venue=venue, what=what, reason=reason)

    @override
    def throttled(self, venue: str, status: int, seconds: float) -> None:
        self._say("throttled", venue, venue=venue, status=status, seconds=seconds)

    @override
    def gap(self, instrument: Instrument, stream: str) -> None:
        GAPS.labels(instrument.venue, stream).inc()
        self._say("gap", str(instrument), stream, instrument=str(instrument), stream=stream)

    @override
    def lost(self, instrument: Instrument, reason: str) -> None:
        LOST.labels(instrument.venue).inc()
        KNOWN.labels(instrument.venue).dec()
        self._say("book lost", str(instrument), instrument=str(instrument), reason=reason)

    @override
    def synced(self, instrument: Instrument, seconds: float, first: bool) -> None:
        KNOWN.labels(instrument.venue).inc()
        if not first:
            SYNCED.labels(instrument.venue).observe(seconds)
        name = str(instrument)
        self._say("book known", name, write="info", instrument=name, seconds=round(seconds, 3), first=first)

    @override
    def refreshed(self, instrument: Instrument, seconds: float) -> None:
        name = str(instrument)
        self._say("book widened", name, write="info", instrument=name, seconds=round(seconds, 3))

    @override
    def stale(self, instrument: Instrument, stream: str, seconds: float) -> None:
        STALE.labels(instrument.venue, stream).inc()
        name = str(instrument)
        self._say("stream silent", name, stream, instrument=name, stream=stream, seconds=round(seconds, 1))

    @override
    def repeated(self, instrument: Instrument) -> None:
        REPEATED.labels(instrument.venue).inc()

    @override
    def off_book(self, instrument: Instrument, what: str) -> None:
        OFF_BOOK.labels(instrument.venue, self._named("off-book prints dropped", instrument.venue, what)).inc()

    @override
    def ignored(self, venue: str, what: str, count: int) -> None:
        IGNORED.labels(venue, self._named("frames ignored", venue, what)).inc(count)

    @override
    def closing(self, venue: str, url: str) -> None:
        self._say("closing announced", venue, url, venue=venue, url=url)

    @override
    def unknown(self, venue: str, field: str, counts: Mapping[str, int]) -> None:
        # Every worker has a list of its own.
        new = [word for word in counts if (field, venue, word) not in self._words]
        self._words.update((field, venue, word) for word in new[: max(0, _WORDS - len(self._words))])
        left_out = ", ".join(f"{word!r} {counts[word]}" for word in new[:_WORDS_NAMED])
        if len(new) > _WORDS_NAMED:
            left_out += f", and {len(new) - _WORDS_NAMED} more"
        if new:
            LEFT_OUT.labels(venue, field).inc(sum(counts[word] for word in new))
            self._log.warning("unknown, left out", venue=venue, field=field, left_out=left_out)

    @override
    def clock(self, venue: str, url: str, ahead_ns: int) -> None:
        word = clock_word(-ahead_ns)
        write = self._log.warning if word else self._log.info
        write("clock", venue=venue, url=url, latency=signed(-ahead_ns), **({"meaning": word} if word else {}))

    @override
    def offsets(self, venue: str, ahead_ns: Sequence[int]) -> None:
        with self._lock:
            self.latencies[venue].add(-np.array(ahead_ns, np.int64))

    @override
    def bad_frame(self, venue: str, symbol: str | None, reason: str, excerpt: str) -> None:
        self._bad += 1
        self._reason = reason
        BAD.labels(venue).inc()
        self._say("bad frame", venue, symbol or "", venue=venue, symbol=symbol, reason=reason, excerpt=excerpt)

    @override
    def overflowed(self, instrument: Instrument) -> None:
        OVERFLOWS.labels(instrument.venue).inc()
        self._say("buffer full", str(instrument), write="error", instrument=str(instrument))

    def _waiting(self) -> int:
        return sum(rows() for rows in self._buffers)

    def _behind(self, seconds: float) -> None:
        rows = self._waiting()
        self._log.error("behind: the dataflow stands still", seconds=round(seconds, 1), rows_waiting=rows)

    def _caught_up(self, seconds: float) -> None:
        self._log.warning("the dataflow goes on", stood_still=round(seconds, 1), rows_waiting=self._waiting())

    @override
    def buffer(self, rows: Callable[[], int]) -> None:
        self._buffers.append(rows)

    @override
    def stopped(self) -> None:
        self.liveness.end()

    @override
    def buffered(self, rows: int) -> None:
        self.liveness.turn()
        now = self._time()
        if now - self._counted_at >= _COUNTING:
            self._counted_at = now
            self.tell_counts(due_only=True)

    @override
    def left_out(self, instrument: Instrument, reason: str) -> None:
        QUARANTINED.labels("instrument").inc()
        self._left_out.append(f"{instrument} is left out: {reason}")
        self._log.error("instrument left out", instrument=str(instrument), reason=reason)

    def set_aside(self, error: DamagedError, now_at: Path) -> None:
        """A damaged file was moved out of the way of the others."""
        QUARANTINED.labels("file").inc()
        self._set_aside += 1
        self._log.error("damaged file set aside", reason=str(error), now_at=str(now_at))

    def journals_set_aside(self, count: int) -> None:
        """So many journals were damaged; whoever recovered them has said so."""
        QUARANTINED.labels("journal").inc(count)
        self._set_aside += count

    def quarantined(self) -> list[str]:
        """What was done to record on in spite of damage, in a line each, for the end."""
        files = f"{self._set_aside} damaged file{'s' if self._set_aside > 1 else ''} set aside"
        return [*self._left_out, *([files] if self._set_aside else [])]

    @override
    def listed(self, instrument: Instrument) -> None:
        self._say("listed", str(instrument), write="info", instrument=str(instrument))

    @override
    def delisted(self, instrument: Instrument) -> None:
        self._say("delisted", str(instrument), write="info", instrument=str(instrument))
