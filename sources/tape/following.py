"""The tape that another process records, as it grows: what is there first, then the journals as they are written.

Reads alone: no lock is taken and no file is touched, so the recorder cannot tell that somebody looks. Journals are kept
open, for one that has become Parquet is deleted, and its last rows may not have been read by then.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from bytewax.inputs import DynamicSource, StatelessSourcePartition

from sources.errors import TickwaxError
from sources.instrument import Instrument, is_instrument
from sources.tape.batch import DTYPES, InstrumentBatch, Int64s, TapeBatch
from sources.tape.journal_format import Journal
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import journal_files, workplace
from sources.tape.reader import TapeReader
from sources.tape.source import Item, cut

_LOOK = timedelta(milliseconds=20)  # between two looks at the journals
_AT_ONCE = 256  # batches
_PART_ROWS = 1 << 14


class _Growing:
    """A journal that is read as it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._seen: Journal | None = None

    def read(self) -> Journal:
        """What has come since the call before."""
        self._seen = Journal.tail(self.path, self._file, self._seen)
        return self._seen

    def close(self) -> None:
        self._file.close()


class Follower:
    """Gives every row of the instruments that are in journals once, in the order of their ordinals.

    An instrument begins with what the tape has of it from a given time on, as a replay with ``replay.start`` begins.
    """

    def __init__(
        self,
        root: Path,
        wanted: Callable[[Instrument], bool],
        start_ns: int | None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Args:
        root: of the tape; need not be there yet.
        start_ns: receive time; None: the beginning of the tape.
        tell: told of holes and damage, in lines.
        """
        self._root = root
        self._wanted = wanted
        self._start = start_ns
        self._tell = tell
        self._growing: dict[Path, _Growing] = {}  # in the order in which they came
        self._next: dict[Instrument, int] = {}  # the ordinal that each goes on with
        self._folder = 0  # inode
        self._journaled = False  # whether there were journals at the last look
        self._told: set[str] = set()

    def poll(self) -> Iterator[InstrumentBatch]:
        """What has come since the call before, which must have been read to its end.

        Raises:
            TickwaxError: the tape cannot be read, or was removed.
        """
        listed = journal_files(self._root)
        self._check_place()
        for path in listed:
            if path not in self._growing:
                try:
                    self._growing[path] = _Growing(path)
                except FileNotFoundError:  # it is Parquet by now
                    continue
        whole: TapeJournals | None = None  # opened at most once, and not before it is needed
        for path, growing in list(self._growing.items()):
            journal = growing.read()
            for key, items in journal.by_key():
                if not is_instrument(key) or not self._wanted(instrument := Instrument.parse(key)):
                    continue
                for batch in self._new(journal, items, instrument):
                    if batch is None:
                        whole = whole or self._all_journals()
                        yield from self._from_tape(instrument, whole)
                        break
                    self._next[instrument] = int(batch.ordinal[-1]) + 1
                    yield InstrumentBatch(instrument, batch)
            if path not in listed:
                growing.close()
                del self._growing[path]
        if self._journaled and not listed:  # the recorder has ended: the last journals may have gone unseen
            whole = whole or self._all_journals()
            for instrument in list(self._next):
                yield from self._from_tape(instrument, whole)
        self._journaled = bool(listed)

    def _new(self, journal: Journal, items: Int64s, instrument: Instrument) -> Iterator[TapeBatch | None]:
        """The rows that go on from those before; None where they do not, and the whole tape must be asked."""
        for part in journal.parts(items, _PART_ROWS):
            begin = self._next.get(instrument)
            if begin is None:
                yield None
                return
            batch = TapeBatch(**{name: journal.read(part, name) for name in DTYPES})
            batch = batch.slice(int(np.searchsorted(batch.ordinal, begin)), batch.rows)
            if not batch.rows:
                continue
            if batch.ordinal[0] != begin or batch.ordinal[-1] - begin + 1 != batch.rows:
                yield None
                return
            yield batch

    def _from_tape(self, instrument: Instrument, journals: TapeJournals) -> Iterator[InstrumentBatch]:
        """What the tape has behind the rows that are known: also rows of journals that came and went unseen."""
        resume = self._next.get(instrument)
        start = self._start if resume is None else None
        reader = TapeReader(self._root, instrument, start, None, journals, self._tell, self._tell)
        for batch, levels in reader.cut_batches(resume=resume):
            self._next[instrument] = int(batch.ordinal[-1]) + 1
            yield InstrumentBatch(instrument, batch, False, levels)

    def _all_journals(self) -> TapeJournals:
        journals = TapeJournals(self._root)
        for line in journals.damaged:
            if line not in self._told:
                self._told.add(line)
                self._tell(line)
        return journals

    def _check_place(self) -> None:
        """A tape that begins anew in place of another has nothing to do with the rows that are known."""
        try:
            inode = workplace(self._root).stat().st_ino
        except FileNotFoundError:
            inode = 0
        if self._next and inode != self._folder:
            raise TickwaxError(f"{self._root}: was removed or replaced; attach again")
        self._folder = inode


class FollowedTape(DynamicSource[Item]):
    """A `Follower` as a Bytewax source, for a dataflow of one worker."""

    def __init__(
        self,
        follower: Follower,
        ended: Callable[[], bool],
        longest_ns: int,
        on_turn: Callable[[], None] = lambda: None,
        on_error: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Args:
        ended: whether it is to end; a recorder that ends is waited for otherwise, or another one.
        longest_ns: as of `sources.tape.source.TapeSource`.
        on_turn: called before every look.
        on_error: called with the exception that stops the source, before it propagates.
        """
        self._follower = follower
        self._ended = ended
        self._longest_ns = longest_ns
        self._on_turn = on_turn
        self._on_error = on_error

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_Partition":
        """The part of the worker."""
        return _Partition(self._items, self._ended, self._on_turn, self._on_error)

    def _items(self) -> Iterator[Item]:
        for item in self._follower.poll():
            for part in cut(item.batch, self._longest_ns):
                yield str(item.instrument), item._replace(batch=part)


class _Partition(StatelessSourcePartition[Item]):
    def __init__(
        self,
        look: Callable[[], Iterator[Item]],
        ended: Callable[[], bool],
        on_turn: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._look = look
        self._ended = ended
        self._on_turn, self._on_error = on_turn, on_error
        self._items: Iterator[Item] = iter(())
        self._awake: datetime | None = None

    def next_batch(self) -> list[Item]:
        """What has come; nothing where nothing has."""
        if self._ended():
            raise StopIteration
        try:
            self._on_turn()
            found = self._some()
            if not found:
                self._items = self._look()
                found = self._some()
        except Exception as e:
            self._on_error(e)
            raise
        self._awake = None if found else datetime.now(UTC) + _LOOK
        return found

    def next_awake(self) -> datetime | None:
        """Soon, if nothing was there."""
        return self._awake

    def _some(self) -> list[Item]:
        found: list[Item] = []
        for item in self._items:
            found.append(item)
            if len(found) == _AT_ONCE or item[1].batch.rows >= _PART_ROWS:
                break
        return found
