"""The tape as a source that can be resumed: fixed partitions, each of which knows how far it has read."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from sources.errors import TickwaxError
from sources.placement import shard, shard_names
from sources.recovery_state import resumed
from sources.tape.batch import InstrumentBatch
from sources.tape.reader import TapeReader
from sources.tape.source import Ahead, Item, items

_VERSION = 1  # of what is kept for a resumption
_TURN = timedelta(milliseconds=20)  # until a partition looks again whether it is its turn


class _State(msgspec.Struct):
    version: int
    run: dict[str, str]
    next: dict[str, int]  # by instrument: the ordinal to go on with


def read_state(data: bytes, run: dict[str, str]) -> dict[str, int]:
    """With which ordinal each instrument goes on that a partition has begun to read, by ``venue:SYMBOL``.

    Raises:
        TickwaxError: the state is of another version, or of a run with other settings.
    """
    return resumed(data, _State, _VERSION, run).next


class TapeShards(FixedPartitionedSource[Item, bytes]):
    """Hands out the tapes of many instruments as `TapeSource` does; how far it has come is part of the recovery state.

    A worker has several partitions and reads one after the other, so that few instruments are in the works at a time.
    """

    def __init__(
        self,
        readers: Sequence[TapeReader],
        run: dict[str, str],
        on_rows: Callable[[InstrumentBatch], None] = lambda item: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        on_refusal: Callable[[Exception], None] = lambda error: None,
        longest_ns: int = 0,
    ) -> None:
        """Args:
        run: what must be the same when it is resumed, in words, by setting.
        on_rows, on_error, longest_ns: as in `TapeSource`.
        on_refusal: told that the recovery state is of another version or another run, before Bytewax is.
        """
        self._readers = readers
        self._run = run
        self._on_rows = on_rows
        self._on_error = on_error
        self._on_refusal = on_refusal
        self._longest_ns = longest_ns
        self._turns: dict[int, deque[_Shard]] = {}  # of each worker, which is a thread

    def list_parts(self) -> list[str]:
        """All of them: any worker can read any tape."""
        return shard_names()

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_Shard":
        """One partition.

        Raises:
            TickwaxError: the state is of another version, or of a run with other settings.
        """
        try:
            begin = read_state(resume_state, self._run) if resume_state else {}
        except TickwaxError as e:
            self._on_refusal(e)
            raise
        mine = [r for r in self._readers if shard(str(r.instrument)) == int(for_part)]
        turns = self._turns.setdefault(threading.get_ident(), deque())
        state = _State(_VERSION, self._run, begin)
        turns.append(_Shard(turns, mine, state, self._longest_ns, self._on_rows, self._on_error))
        return turns[-1]


class _Shard(StatefulSourcePartition[Item, bytes]):
    def __init__(
        self,
        turns: "deque[_Shard]",
        readers: Sequence[TapeReader],
        state: _State,
        longest_ns: int,
        on_rows: Callable[[InstrumentBatch], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._turns = turns
        self._readers = readers
        self._state = state
        self._longest_ns = longest_ns
        self._on_rows = on_rows
        self._on_error = on_error
        self._ahead: Ahead | None = None
        self._awake: datetime | None = None

    def next_batch(self) -> list[Item]:
        """The next batch of rows once it is this partition's turn."""
        if self._turns[0] is not self:
            self._awake = datetime.now(UTC) + _TURN
            return []
        self._awake = None
        try:
            if self._ahead is None:
                self._ahead = Ahead(items(self._readers, self._longest_ns, dict(self._state.next)))
            item = self._ahead.next()
        except Exception as e:
            self._on_error(e)
            raise
        if item is None:
            self._ahead.close()
            self._turns.popleft()
            raise StopIteration
        self._state.next[item[0]] = int(item[1].batch.ordinal[-1]) + 1
        self._on_rows(item[1])
        return [item]

    def next_awake(self) -> datetime | None:
        """At once while it is this partition's turn."""
        return self._awake

    def snapshot(self) -> bytes:
        """What has been handed out."""
        return msgspec.json.encode(self._state)

    def close(self) -> None:
        """Stop decoding."""
        if self._ahead is not None:
            self._ahead.close()
