"""Messages of Tardis.dev's rows: rows that arrived as one, merged by arrival."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sources.importers.tardis_block import FAULTS, TORN, Block
from sources.importers.tardis_series import Part
from sources.tape.batch import Bools, Int64s


class Messages(NamedTuple):
    """Messages by arrival, shape ``(messages,)`` each, and their rows one after the other."""

    parts: Sequence[Part]
    part: Int64s  # which of them
    at: Int64s  # first row there
    arrival: Int64s  # ns, as they are merged
    instrument: Int64s
    trade: Bools
    snapshot: Bools
    bad: Bools  # some row is
    exchange_ts: Int64s  # ns, the latest of the rows
    receive_ts: Int64s
    earlier: Int64s  # rows with an earlier exchange time
    row: Int64s  # (messages + 1,): message i has the rows row[i] to row[i + 1]
    rows: Block

    def where(self, message: int, row: int) -> str:
        """File and line of a row of a message."""
        part = self.parts[int(self.part[message])]
        return f"{part.path}:{part.block.number[int(self.at[message]) + row]}"

    def faults(self, message: int) -> list[tuple[str, str]]:
        """Where the bad rows of a message are, and what is wrong with them."""
        fault = self.rows.fault[int(self.row[message]) : int(self.row[message + 1])]
        return [(self.where(message, row), FAULTS[fault[row]]) for row in np.flatnonzero(fault).tolist()]

    def only(self, chosen: Bools) -> "Messages":
        """Some of the messages."""
        length = np.diff(self.row)
        return Messages(
            parts=self.parts,
            part=self.part[chosen],
            at=self.at[chosen],
            arrival=self.arrival[chosen],
            instrument=self.instrument[chosen],
            trade=self.trade[chosen],
            snapshot=self.snapshot[chosen],
            bad=self.bad[chosen],
            exchange_ts=self.exchange_ts[chosen],
            receive_ts=self.receive_ts[chosen],
            earlier=self.earlier[chosen],
            row=np.append(0, np.cumsum(length[chosen])),
            rows=Block._make(column[np.repeat(chosen, length)] for column in self.rows),
        )


def messages(parts: Sequence[Part]) -> Messages:
    """The messages of parts, which come books first.

    Rows of a message have the same instrument, snapshot flag and both times; a snapshot's have one of the times in
    common. A trade is one by itself.
    """
    begins = [_starts(part) for part in parts]
    lengths = [np.diff(starts, append=part.stop) for starts, part in zip(begins, parts, strict=True)]
    arrival = np.concatenate([part.key[starts] for starts, part in zip(begins, parts, strict=True)])
    order = np.argsort(arrival, kind="stable")
    length = np.concatenate(lengths)
    first = np.cumsum(length) - length  # of each message among the rows of all parts
    sizes = [len(starts) for starts in begins]
    part = np.repeat(np.arange(len(parts)), sizes)[order]
    at = np.concatenate(begins)[order]
    whole = [part.block.slice(part.start, part.stop) for part in parts]
    rows = whole[0] if len(whole) == 1 else Block._make(np.concatenate(columns) for columns in zip(*whole, strict=True))
    length, first = length[order], first[order]
    row = np.append(0, np.cumsum(length))
    if len(parts) > 1:
        source = np.repeat(first - row[:-1], length) + np.arange(row[-1])
        rows = Block._make(column[source] for column in rows)
    starts = row[:-1]
    exchange_ts = np.maximum.reduceat(rows.exchange_ts, starts)
    return Messages(
        parts=parts,
        part=part,
        at=at,
        arrival=arrival[order],
        instrument=rows.instrument[starts],
        trade=rows.trade[starts],
        snapshot=rows.snapshot[starts],
        bad=np.logical_or.reduceat(rows.fault != 0, starts),
        exchange_ts=exchange_ts,
        receive_ts=np.maximum.reduceat(rows.receive_ts, starts),
        earlier=np.add.reduceat((rows.exchange_ts != np.repeat(exchange_ts, length)).astype(np.int64), starts),
        row=row,
        rows=rows,
    )


def _starts(part: Part) -> Int64s:
    """First rows of the messages of a part."""
    rows = part.block.slice(part.start, part.stop)
    if rows.trade[0]:
        return np.arange(part.start, part.stop)
    change = np.ones(rows.rows, np.bool_)
    snapshot, good = rows.snapshot, rows.fault == 0
    arrived = np.diff(rows.receive_ts) != 0
    matched = (np.diff(rows.exchange_ts) != 0) & good[1:] & good[:-1]  # at another time
    later = np.where(snapshot[1:], arrived & ~rows.continues[1:], arrived | matched)
    torn = snapshot[1:] & (rows.fault[1:] == TORN)
    change[1:] = later | torn | (snapshot[1:] != snapshot[:-1]) | (np.diff(rows.instrument) != 0)
    return np.flatnonzero(change) + part.start
