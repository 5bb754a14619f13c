"""Accounts of former paper runs, brought to the end of their tape: a replay gives what the run gave, bit for bit.

The replay begins where the last run that ended in order left its state.
"""

import os
import struct
from collections.abc import Callable, Sequence
from operator import le
from pathlib import Path

from dataflows.runtime.exit_codes import say
from operators.execution.schemas import SCHEMAS
from operators.row_batch import RowSchema
from operators.trade_engine import Traded, TradeEngine
from operators.trade_step import COUNTED
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import CheckedFile
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import data_files, instrument_dir, instruments
from sources.tape.reader import TapeReader

_STATES = "states"  # folder with a state of each account, as of the end of a run
_KEPT = struct.Struct(f"<{1 + len(COUNTED)}q")  # ordinal of the last tape row; rows given until then, of `COUNTED`
_BEGINNINGS = "first_rows"  # folder with the ordinal of each instrument's first tape row of the account


class PaperPast:
    """What former runs with the same folder did."""

    def __init__(
        self,
        root: Path,
        make: Callable[[Instrument], TradeEngine],
        mine: Callable[[Instrument], bool],
        schemas: Sequence[RowSchema] = SCHEMAS,
    ) -> None:
        """Args:
        make: of an engine that knows nothing yet.
        mine: whether this process trades an instrument.
        schemas: data sets of an account, each one of `COUNTED`.
        """
        self._schemas = schemas
        self._places = [[each.name for each in COUNTED].index(schema.name) for schema in schemas]
        self._root = root
        self._make = make
        self._mine = mine
        self._beginnings: dict[Instrument, int] = {}
        self._engines: dict[Instrument, TradeEngine] = {}
        self._unwritten: dict[Instrument, list[Traded]] = {}
        self._written: dict[Instrument, list[int]] = {}  # rows of each data set before this run

    def take_up(self, tape: Path | None) -> None:
        """Replay the tape of every account that there is.

        Raises:
            TickwaxError: the tape cannot be read, or does not belong to what was written.
        """
        self._beginnings = self._read()
        there = {i for schema in self._schemas for i in instruments(self._root / schema.name)}
        for instrument in sorted(there.difference(self._beginnings)):
            raise self._error(f"{_BEGINNINGS} does not tell where {instrument} begins")
        if self._beginnings and tape is None:
            raise self._error("an account goes on from its tape, and tape.path is empty")
        if self._beginnings and tape is not None:
            say(f"going on with the account in {self._root} …")
            journals = TapeJournals(tape)
            for instrument, first in sorted(self._beginnings.items()):
                if self._mine(instrument):
                    self._replay(instrument, first, tape, journals)

    def engine(self, instrument: Instrument) -> TradeEngine | None:
        """The engine at the end of its tape; None where there is no account. Gives it once."""
        return self._engines.pop(instrument, None)

    def unwritten(self, instrument: Instrument) -> list[Traded]:
        """What a killed run did, and could not write. Gives it once."""
        return self._unwritten.pop(instrument, [])

    def begin(self, instrument: Instrument, ordinal: int) -> None:
        """An instrument's first row comes; noted for runs to come, unless it has an account.

        Raises:
            OSError: the note cannot be written.
        """
        if instrument in self._beginnings:
            return
        path = instrument_dir(self._root / _BEGINNINGS, instrument)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(f"{ordinal}\n")
        part.replace(path)
        self._beginnings[instrument] = ordinal

    def end(self, instrument: Instrument, engine: TradeEngine, ordinal: int, rows: Sequence[int]) -> None:
        """A run ends in order: keep the state, so that the next one need not replay what came before.

        Args:
            ordinal: of the last tape row.
            rows: that the run has given of each of `COUNTED`.
        """
        try:
            state = engine.snapshot()
        except ValueError:  # of a strategy in Python: the next run replays all of it
            return
        path = self._state_of(instrument)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        before = dict(zip(self._places, self._written.get(instrument, []), strict=False))
        part.write_bytes(_KEPT.pack(ordinal, *(n + before.get(at, 0) for at, n in enumerate(rows))) + state)
        part.replace(path)

    def _state_of(self, instrument: Instrument) -> Path:
        return instrument_dir(self._root / _STATES, instrument)

    def _read(self) -> dict[Instrument, int]:
        root, found = self._root / _BEGINNINGS, {}
        for path in sorted(root.glob("exchange=*/symbol=*")):
            try:
                venue, symbol = (part.partition("=")[2] for part in path.relative_to(root).parts)
                found[Instrument.parse(f"{venue}:{symbol}")] = int(path.read_text())
            except (OSError, ValueError, TickwaxError) as e:
                raise self._error(f"{path.relative_to(self._root)} cannot be read: {e}") from None
        return found

    def _replay(self, instrument: Instrument, first: int, tape: Path, journals: TapeJournals) -> None:
        written = [self._rows(schema.name, instrument) for schema in self._schemas]
        engine, given, unwritten = self._make(instrument), [0] * len(self._schemas), []
        if data_files(tape, instrument) or instrument in journals.instruments:
            reader = TapeReader(tape, instrument, journals=journals, first_ordinal=first)
            resume = None
            if (kept := self._kept(instrument)) is not None:
                last, before = kept[0], [kept[1 + at] for at in self._places]
                # Of a run that was killed while it ended, not all that the state knows of is there.
                if last <= reader.last_ordinal and all(map(le, before, written)) and self._resumed(engine, instrument):
                    given, resume = before, last + 1
                else:
                    engine = self._make(instrument)
            for batch in reader.batches(resume=resume):
                lead = max(0, min(batch.rows, first - int(batch.ordinal[0])))
                engine.lead(batch.slice(0, lead))
                for traded in engine.trade(batch.slice(lead, batch.rows)):
                    new = _behind(traded, self._schemas, written, given)
                    if new is not None:
                        unwritten.append(new)
        for schema, ours, theirs in zip(self._schemas, written, given, strict=True):
            if ours > theirs:
                raise self._error(
                    f"{schema.name} has {ours:,} rows of {instrument}, and the tape in {tape} gives {theirs:,}: it is "
                    "another tape, or has lost rows"
                )
        self._engines[instrument], self._unwritten[instrument] = engine, unwritten
        self._written[instrument] = written

    def _kept(self, instrument: Instrument) -> tuple[int, ...] | None:
        """Ordinal of the last row, and rows given, of the state that is kept; None where there is none."""
        try:
            return _KEPT.unpack_from(self._state_of(instrument).read_bytes())
        except (FileNotFoundError, struct.error):
            return None

    def _resumed(self, engine: TradeEngine, instrument: Instrument) -> bool:
        """Whether the engine could take up the state."""
        try:
            engine.resume(self._state_of(instrument).read_bytes()[_KEPT.size :])
        except (OSError, ValueError) as e:
            say(f"{instrument}: its state cannot be read, so all of its tape is: {e}")
            return False
        return True

    def _rows(self, name: str, instrument: Instrument) -> int:
        rows = 0
        for path in data_files(self._root / name, instrument):
            with CheckedFile(path) as file:
                rows += file.metadata.num_rows
        return rows

    def _error(self, text: str) -> TickwaxError:
        return TickwaxError(f"paper.path: {self._root}: {text}; name a new folder")


def _behind(traded: Traded, schemas: Sequence[RowSchema], written: list[int], given: list[int]) -> Traded | None:
    """The rows that are not written yet, without the features; None if all are. Counts them in ``given``."""
    rows = {}
    for at, schema in enumerate(schemas):
        mine = getattr(traded, schema.name)
        done = min(max(written[at] - given[at], 0), mine.rows)
        given[at] += mine.rows
        rows[schema.name] = mine.slice(done, mine.rows)
    empty = traded.features.slice(0, 0)
    return Traded(features=empty, **rows) if any(part.rows for part in rows.values()) else None
