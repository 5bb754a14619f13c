"""Rows that are missing in a tape because a file was damaged: a ``reset`` stands where they were."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sources.tape.batch import RESET, Int64s, TapeBatch, is_book, tape_batch
from sources.tape.files import ALL, TapeFile

_BEFORE = ("ordinal", "exchange_ts", "sequence", "kind")


@dataclass(frozen=True)
class HolePart(TapeFile):
    """The ``reset`` of a hole. It has the last of the missing ordinals, and was received with the row behind them."""

    before: Sequence[TapeFile]  # all files before the hole, in order

    def read(self, batch_rows: int, names: tuple[str, ...] = ALL, from_ordinal: int = 0) -> Iterator[TapeBatch]:
        """The row."""
        if from_ordinal <= self.last_ordinal:
            exchange_ts, sequence = self._before()
            yield tape_batch(
                ordinal=[self.last_ordinal], exchange_ts=[exchange_ts], receive_ts=[self.first_receive_ts],
                sequence=[sequence], kind=[RESET], side=[0], price=[0.0], size=[0.0], last=[True],
            )  # fmt: skip

    def rows_before(self, ordinal: int) -> int:
        """None, or it."""
        return int(ordinal > self.last_ordinal)

    def backwards(self, names: tuple[str, ...] = ALL) -> Iterator[TapeBatch]:
        """The row."""
        return self.read(1)

    def _before(self) -> tuple[int, int]:
        """``exchange_ts`` of the row before, and the last known sequence of the book."""
        exchange_ts = None
        for file in reversed(self.before):
            for rows in file.backwards(_BEFORE):
                if exchange_ts is None:
                    exchange_ts = int(rows.exchange_ts[-1])
                book = np.flatnonzero(is_book(rows.kind))
                if len(book):
                    return exchange_ts, int(rows.sequence[book[-1]])
        return self.first_receive_ts if exchange_ts is None else exchange_ts, 0


def with_holes(files: Sequence[TapeFile]) -> list[TapeFile]:
    """Files in the order of the tape, and the holes between them that no ``reset`` tells of yet."""
    out: list[TapeFile] = []
    for file in files:
        expected = out[-1].last_ordinal + 1 if out else 0
        if file.first_ordinal > expected:
            first = next(file.read(1, ("ordinal", "kind", "receive_ts")))
            if first.kind[0] != RESET:
                at, received = file.first_ordinal - 1, int(first.receive_ts[0])
                out.append(HolePart(file.path, 1, at, at, received, received, tuple(out)))
        out.append(file)
    return out


def runs(ordinal: Int64s) -> Iterator[tuple[int, int]]:
    """First and last of each run of ordinals without a gap."""
    cuts = np.flatnonzero(np.diff(ordinal) != 1) + 1
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(ordinal)], strict=True):
        yield int(ordinal[start]), int(ordinal[stop - 1])
