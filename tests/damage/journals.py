"""Journals that a killed live run has left, damaged: those of a tape, and those of features."""

import shutil
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.schema import feature_schema
from sinks.dataset import DatasetWriter
from sinks.journal import JournalWriter
from sinks.lock import DataSetLock
from sinks.row_format import row_form
from sinks.tape import TapeWriter, tape_form
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import RESET, InstrumentBatch, TapeBatch, concat
from sources.tape.layout import beside, instruments, journal_files
from sources.tape.reader import TapeReader
from sources.tape.tail import find_tail
from tests.damage.wounds import Finding, Outcome, wound
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND
from tests.kills import same_bits, whole

_BATCH = 16  # rows of a write
_JOURNALS = 3


class TapeJournalDamage:
    """A tape that is in files in its first part, and then in some journals, which all instruments share."""

    name = "journals of a tape"

    def __init__(self, folder: Path, wounds: int = 1) -> None:
        """``wounds``: how many each time."""
        self._wounds = wounds
        self._sound, self._root = folder / "sound" / "tape", folder / "hurt" / "tape"
        made = folder / "made"
        write_synthetic_tape(made, INSTRUMENTS, SECOND, 7, start_ns=MIDNIGHT - SECOND // 2)
        self._tape = {i: concat(list(TapeReader(made, i).batches())) for i in INSTRUMENTS}
        with TapeWriter(self._sound, "before") as files:
            for instrument, rows in self._tape.items():
                files.write(instrument, rows.slice(0, rows.rows // 4))
        form = tape_form()
        for n in range(_JOURNALS):
            writer = JournalWriter(_journal(self._sound, n), form.description)
            cuts = {
                i: np.linspace(r.rows // 4, r.rows, _JOURNALS + 1).astype(int).tolist() for i, r in self._tape.items()
            }
            for at in range(0, max(cut[n + 1] - cut[n] for cut in cuts.values()), _BATCH):
                parts = [
                    InstrumentBatch(i, rows.slice(cuts[i][n] + at, min(cuts[i][n] + at + _BATCH, cuts[i][n + 1])))
                    for i, rows in self._tape.items()
                    if cuts[i][n] + at < cuts[i][n + 1]
                ]
                writer.append((str(part.instrument), form.arrays(part)) for part in parts)
            writer.close()

    def hurt(self, random: Random) -> Finding:
        """Damage journals, read the tape as a replay does, recover it as a live run does, and read it again."""
        root = self._root
        shutil.rmtree(root.parent, ignore_errors=True)
        shutil.copytree(self._sound.parent, root.parent)
        hurt = [random.choice(journal_files(root)) for _ in range(self._wounds)]
        what = "; ".join(wound(path, random) for path in hurt)
        said: list[str] = []
        try:
            before = {i: self._read(i, said) for i in INSTRUMENTS}
            said.clear()
            with DataSetLock(root, say=said.append):
                pass
            after = {i: self._read(i, said) for i in INSTRUMENTS}
            again: list[str] = []
            with DataSetLock(root, say=again.append):
                pass
        except TickwaxError as e:
            named = any(str(path) in str(e) for path in hurt)
            return Finding(Outcome.REFUSED if named else Outcome.TRACEBACK, what, str(e))
        except Exception as e:
            return Finding(Outcome.TRACEBACK, what, repr(e))
        outcomes = [self._judge(i, before[i], after[i]) for i in INSTRUMENTS]
        if Outcome.WRONG in outcomes or again or journal_files(root):
            return Finding(Outcome.WRONG, what, "\n".join([*said, *again]))
        if Outcome.TOLD in outcomes:
            told = any(f"{path}" in line for path in hurt for line in said) or any("not whole" in line for line in said)
            return Finding(Outcome.TOLD if told else Outcome.SILENT, what, "\n".join(said))
        return Finding(Outcome.SAME, what, "\n".join(said))

    def _read(self, instrument: Instrument, said: list[str]) -> TapeBatch:
        return concat(list(TapeReader(self._root, instrument, on_hole=said.append).batches()))

    def _judge(self, instrument: Instrument, before: TapeBatch, after: TapeBatch) -> Outcome:
        """Every row is one of the tape or a reset of a hole, the same before and after the recovery."""
        whole = self._tape[instrument]
        if any(a.tobytes() != b.tobytes() for a, b in zip(before, after, strict=True)):
            return Outcome.WRONG
        rows = {int(n): tuple(c[i].item() for c in after) for i, n in enumerate(after.ordinal)}
        missing = whole.rows - len(rows)
        previous = -1
        for ordinal, row in rows.items():
            if row == tuple(c[ordinal].item() for c in whole):
                if ordinal != previous + 1:
                    return Outcome.WRONG  # no reset tells of it
            else:
                missing += 1
                expected = _reset(ordinal, rows.get(previous), rows.get(ordinal + 1))
                if (row[0], row[1], row[2], row[4:]) != expected or ordinal + 1 not in rows:
                    return Outcome.WRONG
            previous = ordinal
        if find_tail(self._root, instrument).next_ordinal != previous + 1:
            return Outcome.WRONG
        return Outcome.TOLD if missing else Outcome.SAME


def _reset(ordinal: int, before: tuple | None, behind: tuple | None) -> tuple:
    """What a reset of a hole must be, but for its sequence."""
    receive_ts = behind[2] if behind else None
    return ordinal, before[1] if before else receive_ts, receive_ts, (RESET, 0, 0.0, 0.0, True)


class RowsJournalDamage:
    """Features of a live run that are all in journals."""

    name = "journals of features"

    def __init__(self, folder: Path, wounds: int = 1) -> None:
        """``wounds``: how many each time."""
        self._wounds = wounds
        self._sound, self._root = folder / "sound" / "features", folder / "hurt" / "features"
        made = folder / "made"
        write_synthetic_tape(made, INSTRUMENTS, SECOND, 7, start_ns=MIDNIGHT - SECOND // 2)
        config = FeatureConfig(sampling_ns=SECOND // 100)
        form = row_form(feature_schema(config))
        self._sound.mkdir(parents=True)
        writer = JournalWriter(_journal(self._sound, 0), form.description)
        expected = folder / "expected"
        with DatasetWriter(expected, form.file, "all") as files:
            for instrument in INSTRUMENTS:
                engine = FeatureEngine(config)
                for batch in TapeReader(made, instrument).batches(_BATCH):
                    for rows in engine.parts(batch):
                        arrays = dict(zip((f.name for f in form.fields), form.arrays(rows), strict=True))
                        writer.append([(str(instrument), list(arrays.values()))])
                        files.write(instrument, form.ts(arrays), lambda a=arrays: form.arrow(a))
        writer.close()
        self._expected = {i: whole(expected, i) for i in INSTRUMENTS}

    def hurt(self, random: Random) -> Finding:
        """Damage the journal and recover it."""
        root = self._root
        shutil.rmtree(root.parent, ignore_errors=True)
        shutil.copytree(self._sound.parent, root.parent)
        (path,) = journal_files(root)
        what = "; ".join(wound(path, random) for _ in range(self._wounds))
        said: list[str] = []
        try:
            with DataSetLock(root, say=said.append):
                pass
            missing = 0
            for instrument, rows in self._expected.items():
                found = whole(root, instrument) if instrument in set(instruments(root)) else rows.slice(0, 0)
                place = {key: n for n, key in enumerate(_keys(rows))}
                at = [place.get(key) for key in _keys(found)]
                if None in at or at != sorted(set(at)) or not same_bits(found, rows.take(pa.array(at, pa.int64()))):
                    return Finding(Outcome.WRONG, what, "\n".join(said))
                missing += rows.num_rows - len(at)
        except TickwaxError as e:
            return Finding(Outcome.REFUSED if str(path) in str(e) else Outcome.TRACEBACK, what, str(e))
        except Exception as e:
            return Finding(Outcome.TRACEBACK, what, repr(e))
        told = any(str(path) in line or "not whole" in line for line in said)
        outcome = Outcome.SAME if not missing else Outcome.TOLD if told else Outcome.SILENT
        return Finding(outcome, what, "\n".join(said))


def _keys(rows: pa.Table) -> list[tuple[int, int]]:
    return list(zip(rows["ts"].cast(pa.int64()).to_pylist(), rows["ordinal"].to_pylist(), strict=True))


def _journal(root: Path, number: int) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    return beside(root, "journal") / f"live-0-{number:06d}.journal"
