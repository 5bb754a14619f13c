"""A replay that was broken off, and damage to what it is resumed from: journals, saved states, Bytewax's store."""

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from bytewax.recovery import init_db_dir
from bytewax.run import cli_main

from dataflows.assembly.replay import prepare_replay
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.settings.model import load_settings
from tests.damage.wounds import Finding, Outcome, wound
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND, processes
from tests.kills import same_bits, whole

_SECONDS = 120  # after which a run hangs

# Broken off after so many batches, so that the same files are there every time.
_BREAKING = """
import os, runpy, sys
from dataflows.assembly import replay as flows
add, number = flows.ReplayProgress.add, 0
def dying(self, batch):
    global number
    number += 1
    if number == {after}:
        os._exit(77)
    add(self, batch)
flows.ReplayProgress.add = dying
sys.argv = ["run", "dataflows.replay", *{arguments!r}]
runpy.run_module("bytewax.run", run_name="__main__")
"""

KINDS = {
    "journal": (".features.resume/*.journal", ".books.resume/*.journal"),
    "state": ("store/state-*.bin",),
    "store": ("store/*.sqlite3*",),
    "store-at-rest": ("store/*.sqlite3",),  # its log has been taken into the database
    "complete": (".*.resume/*.done", "store/*"),  # a run that has ended
    "any": (".*.resume/*", "store/*"),
}

KINDS_AFTER = {"complete": 1 << 30}


class Resumption:
    """Replays of one tape, each broken off, damaged and started again."""

    def __init__(self, folder: Path, kind: str = "any", after: int = 4) -> None:
        """Args:
        kind: which files are damaged, one of `KINDS`.
        after: how many batches the run that is broken off reads.
        """
        self.name = f"resumed replay: {kind}"
        self._kind = kind
        self._folder = folder
        self._tape = folder / "tape"
        self._expected = folder / "expected"
        folder.mkdir(parents=True, exist_ok=True)
        write_synthetic_tape(self._tape, INSTRUMENTS, 10 * SECOND, 7, start_ns=MIDNIGHT - 4 * SECOND)
        replay = prepare_replay(load_settings({k: str(v) for k, v in self._settings(self._expected).items()}))
        cli_main(replay.flow)
        replay.commit()
        self._break_off(KINDS_AFTER.get(kind, after))
        if kind == "store-at-rest":
            for part in (folder / "run" / "store").glob("*.sqlite3"):
                with contextlib.closing(sqlite3.connect(part)) as db:
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def hurt(self, random: Random) -> Finding:
        """Damage one file of the broken-off run and resume it."""
        with self._copy() as run:
            files = sorted(f for pattern in KINDS[self._kind] for f in run.glob(pattern) if f.stat().st_size)
            file = random.choice(files)
            what = wound(file, random)
            with processes() as start:
                process = start(self._settings(run), "-m", "bytewax.run", "dataflows.replay", *self._flags(run))
                try:
                    _, stderr = process.communicate(timeout=_SECONDS)
                except subprocess.TimeoutExpired:
                    return Finding(Outcome.SIGNAL, what, "hangs")
            return Finding(self._judge(run, process.returncode, stderr, file), what, stderr)

    def _judge(self, run: Path, code: int, stderr: str, file: Path) -> Outcome:
        if code < 0 or code > 2:
            return Outcome.SIGNAL
        lines = [line for line in stderr.splitlines() if line]
        if code:
            clear = len(lines) == 1 and lines[0].startswith("tickwax: ") and names(lines[0], file)
            return Outcome.REFUSED if clear else Outcome.TRACEBACK
        for name in ("features", "books"):
            for instrument in INSTRUMENTS:
                try:
                    found = whole(run / name, instrument)
                except Exception:
                    return Outcome.WRONG
                if not same_bits(found, whole(self._expected / name, instrument)):
                    return Outcome.WRONG
        return Outcome.SAME

    def _settings(self, run: Path) -> dict[str, object]:
        return {"tape.path": self._tape, "features.path": run / "features", "books.path": run / "books"}

    def _flags(self, run: Path) -> list[str]:
        return ["-r", str(run / "store"), "-s", "0", "-b", "0"]

    def _break_off(self, after: int) -> None:
        run = self._folder / "run"
        (run / "store").mkdir(parents=True)
        init_db_dir(run / "store", 2)
        script = _BREAKING.format(after=after, arguments=self._flags(run))
        with processes() as start:
            process = start(self._settings(run), "-c", script)
            _, stderr = process.communicate(timeout=_SECONDS)
            assert process.returncode in (0, 77), stderr

    @contextmanager
    def _copy(self) -> Iterator[Path]:
        """The broken-off run at its own path, which its state speaks of; as it was afterwards."""
        run, sound = self._folder / "run", self._folder / "sound"
        if not sound.exists():
            shutil.copytree(run, sound)
        try:
            yield run
        finally:
            shutil.rmtree(run)
            shutil.copytree(sound, run)


def names(line: str, file: Path) -> bool:
    """Whether a line names the file, or the folder that it is refused with."""
    return str(file) in line or str(file.parent) in line
