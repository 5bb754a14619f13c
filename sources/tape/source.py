"""The tape as a Bytewax source: each worker reads the instruments whose keys live on it."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from bytewax.inputs import DynamicSource, StatelessSourcePartition

from sources.instrument import Instrument
from sources.placement import BY_HASH, Placement
from sources.tape.batch import InstrumentBatch, TapeBatch
from sources.tape.reader import BATCH_ROWS, TapeReader

Item = tuple[str, InstrumentBatch]
T = TypeVar("T")

_AHEAD = 4  # batches decoded before they are asked for: while a row group is written, decoding has half a core
_DENSE_ROWS = 1 << 14  # of a batch whose every row may complete a feature row, so that writing begins early


class TapeSource(DynamicSource[Item]):
    """Hands out the tapes of many instruments, one instrument after the other, each in the order of its ordinals."""

    def __init__(
        self,
        readers: Sequence[TapeReader],
        on_rows: Callable[[InstrumentBatch], None] = lambda item: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        longest_ns: int = 0,
        placement: Placement = BY_HASH,
    ) -> None:
        """Args:
        on_rows: told of each batch that is handed out; workers may be threads.
        on_error: called with the exception that stops the source, before it propagates.
        longest_ns: how much exchange time a batch may span, so that the rows it completes are bounded; 0: any, for
            batches of fewer rows.
        placement: which worker reads, and computes, an instrument.
        """
        self._readers = readers
        self._longest_ns = longest_ns
        self._placement = placement
        self._on_rows = on_rows
        self._on_error = on_error

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_TapePartition":
        """The part of one worker."""
        place = self._placement
        mine = [r for r in self._readers if place.home(r.instrument, worker_count) == worker_index]
        routed = items(mine, self._longest_ns, key=lambda instrument: place.route(instrument, worker_count))
        return _TapePartition(routed, self._on_rows, self._on_error)


class _TapePartition(StatelessSourcePartition[Item]):
    def __init__(
        self, items: Iterator[Item], on_rows: Callable[[InstrumentBatch], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._on_rows = on_rows
        self._on_error = on_error
        self._ahead = Ahead(items)

    def next_batch(self) -> list[Item]:
        """The next batch of rows, as soon as it is decoded."""
        try:
            item = self._ahead.next()
            if item is not None:
                self._on_rows(item[1])
        except Exception as e:
            self._on_error(e)
            raise
        if item is None:
            raise StopIteration
        return [item]

    def close(self) -> None:
        """Stop decoding."""
        self._ahead.close()


class Ahead:
    """Decodes a little ahead in a thread of its own, so that reading and computing overlap."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tape")
        self._waiting: deque[Future[Item | None]] = deque()
        self._ask()

    def next(self) -> Item | None:
        """The next item as soon as it is decoded; None at the end."""
        # Waiting here is waiting for the disk: there is nothing else to do, and a poll would only add delay.
        item = self._waiting.popleft().result()
        self._ask()
        return item

    def close(self) -> None:
        """Stop."""
        self._pool.shutdown(cancel_futures=True)

    def _ask(self) -> None:
        while len(self._waiting) < _AHEAD:
            self._waiting.append(self._pool.submit(next, self._items, None))


def items(
    readers: Sequence[TapeReader],
    longest_ns: int,
    begin: Mapping[str, int] | None = None,
    key: Callable[[Instrument], str] = str,
) -> Iterator[Item]:
    """The tapes one after the other.

    Args:
        begin: by ``venue:SYMBOL``, ordinals with which the tapes of some instruments go on.
        key: what an instrument's items are keyed by.
    """
    for reader in readers:
        routed = key(reader.instrument)
        resume = (begin or {}).get(str(reader.instrument))
        batches = reader.cut_batches(BATCH_ROWS if longest_ns else _DENSE_ROWS, resume)
        for (part, levels), last in _with_last(
            (part, levels) for batch, levels in batches for part in cut(batch, longest_ns)
        ):
            yield routed, InstrumentBatch(reader.instrument, part, last, levels)


def _with_last(parts: Iterator[T]) -> Iterator[tuple[T, bool]]:
    """Each part, and whether it is the last."""
    part = next(parts, None)
    while part is not None:
        following = next(parts, None)
        yield part, following is None
        part = following


def cut(batch: TapeBatch, longest_ns: int) -> Iterator[TapeBatch]:
    """Parts of a batch in whose exchange time the instrument's clock moves by ``longest_ns`` at the most."""
    ts = batch.exchange_ts
    if not longest_ns or int(ts.max()) - int(ts.min()) <= longest_ns:
        yield batch
        return
    clock = np.maximum.accumulate(ts)
    cuts = np.flatnonzero(np.diff((clock - clock[0]) // longest_ns)) + 1
    for start, stop in zip([0, *cuts], [*cuts, batch.rows], strict=True):
        yield batch.slice(start, stop)
