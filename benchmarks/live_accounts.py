"""What a simulated exchange sent and a live run neither recorded nor told to be lost."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from sources.instrument import Instrument
from sources.tape.batch import RESET, SNAPSHOT, TRADE, market_rows
from sources.tape.reader import TapeReader

SECOND = 1_000_000_000
DAMAGED = ("truncate", "bad_utf8", "garbage", "future")
_ON_THE_WAY_NS = SECOND // 2


class Hole(NamedTuple):
    """A stretch of one stream in which the book is unknown: up to the first snapshot, or after a ``reset``; in ns."""

    begin: int  # when the last message before it that is recorded was sent
    end: int  # when the next snapshot was received
    upto: int  # the update number up to which that snapshot knows all; −1 for prints


class Accounts(NamedTuple):
    """Of all instruments."""

    counts: Counter[str]
    missing: list[str]  # a line for each message that is missing without a word


def account(work: Path, log: Path, since_ns: int, until_ns: int) -> Accounts:
    """Messages that were sent and neither recorded nor excused by a loss: in between a reset and the next snapshot.

    Books by sequence number, prints of Binance by number too; a Bybit print's ``seq`` is shared by one order's prints.
    What met a fault counts as sent: a client that missed it must say so. Nobody can tell that a Bybit print is missing,
    for its ``seq`` has holes, nor that a stream is silent which is so for no longer than a quiet market.
    """
    sent = pq.read_table(log).to_pandas()
    sent = sent[(sent.time_ns >= since_ns) & (sent.time_ns <= until_ns) & ~sent.fate.isin(["duplicate", "unknown"])]
    sent = sent[~sent.kind.isin(["ticker", "liquidation"])]  # which cost no book and have no numbers
    out: Counter[str] = Counter()
    missing: list[str] = []
    for (venue, symbol), messages in sent.groupby(["venue", "symbol"]):
        tape = list(TapeReader(work / "tape", Instrument(venue, symbol)).batches())
        kind, sequence, ts = (
            np.concatenate([getattr(market_rows(b), c) for b in tape]) for c in ("kind", "sequence", "receive_ts")
        )
        for name, is_print in (("prints", True), ("book", False)):
            these = messages[(messages.kind == "trade") == is_print]
            known = set(sequence[(kind == TRADE) == is_print].tolist())
            lost = these[~these.sequence.isin(known)]
            if is_print:
                # A damaged print is counted as a bad frame and costs no reset (docs/tape.md, 2.4).
                told = lost.fate.isin(DAMAGED)
                out[f"{venue} {name} counted as bad frames"] += int(told.sum())
                lost = lost[~told]
                if venue == "bybit_linear":
                    unknowable = lost.fate.isin(["drop", "silent"])
                    out[f"{venue} {name} held back, which no client can know"] += int(unknowable.sum())
                    lost = lost[~unknowable]
            out[f"{venue} {name} sent"] += len(these)
            out[f"{venue} {name} not recorded"] += len(lost)
            sent_at = {key: times.to_numpy() for key, times in these.groupby("sequence").time_ns}
            holes = _holes(kind, sequence, ts, is_print, sent_at, until_ns)
            for t, number, fate in zip(lost.time_ns, lost.sequence, lost.fate, strict=True):
                if not any(hole.begin <= t and (t <= hole.end or number <= hole.upto) for hole in holes):
                    out[f"{venue} {name} missing without a word"] += 1
                    missing.append(f"{venue}:{symbol} {name} {number} sent at {t} ({fate or 'no fault'})")
    return Accounts(out, missing)


def _holes(kind: Any, sequence: Any, ts: Any, is_print: bool, sent_at: Mapping[int, Any], until_ns: int) -> list[Hole]:
    # A loss is noticed by the next message of its stream: the hole reaches back to the one before in the tape. By time
    # there may be later ones: those that a new connection said before it took over.
    seen = np.flatnonzero(((kind == TRADE) == is_print) & (kind != RESET))
    resets, snapshots = np.flatnonzero(kind == RESET), np.flatnonzero(kind == SNAPSHOT)
    before = seen[np.maximum(np.searchsorted(seen, resets) - 1, 0)]
    after = np.searchsorted(snapshots, resets)
    holes = []
    if len(snapshots):
        holes.append(Hole(0, int(ts[snapshots[0]]), -1))
    for last, i in zip(before.tolist(), after.tolist(), strict=True):
        # A client that is behind receives it late. Numbers begin anew when a service restarts; replies are not logged.
        times = sent_at.get(int(sequence[last]), np.empty(0, np.int64))
        times = times[times <= ts[last]]
        begin = times[-1] if len(times) else ts[last] - _ON_THE_WAY_NS
        end, upto = (ts[snapshots[i]], sequence[snapshots[i]]) if i < len(snapshots) else (until_ns + SECOND, -1)
        holes.append(Hole(int(begin), int(end), -1 if is_print else int(upto)))
    return holes
