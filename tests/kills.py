"""Killing real runs at random moments, and what must hold afterwards; `benchmarks/bench_kills.py` does it often."""

import contextlib
import random
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bytewax.recovery import init_db_dir
from bytewax.run import cli_main

from dataflows.assembly.replay import prepare_replay
from dataflows.settings.model import load_settings
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch, concat
from sources.tape.layout import beside, data_files, instruments, journal_files
from sources.tape.reader import TapeReader
from sources.tape.tail import find_tail
from tests.commands import launch
from tests.dataflows.conftest import environment

ROOT = Path(__file__).parents[1]

# A live run that notes, after the sinks have taken rows, which those were. The note is written to the page cache, as
# the rows are, so that both outlive the process.
LIVE = """
import os, sys
from sinks import live_sink
from tests.kills import acknowledgement
notes = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
write_batch = live_sink._LivePartition.write_batch
def noting(self, items):
    write_batch(self, items)
    os.write(notes, "".join(acknowledgement(self._sink.root.name, key, batch) for key, batch in items).encode())
live_sink._LivePartition.write_batch = noting
sys.argv = ["run", "dataflows.live"]
import runpy
runpy.run_module("bytewax.run", run_name="__main__")
"""


def acknowledgement(name: str, key: str, item: Any) -> str:
    """A line: data set, instrument, and of a tape first and last ordinal and checksum, of features time, ordinal and
    mid of each row."""
    if name == "tape":
        batch = item.batch
        return f"tape {key} {batch.ordinal[0]} {batch.ordinal[-1]} {checksum(batch)}\n"
    ts, ordinal, mid = item.integer[0].tolist(), item.integer[2].tolist(), item.value[4].tolist()
    return "".join(f"features {key} {t} {o} {m.hex()}\n" for t, o, m in zip(ts, ordinal, mid, strict=True))


def checksum(batch: TapeBatch) -> int:
    """Of every bit of some tape rows."""
    return zlib.crc32(b"".join(column.tobytes() for column in batch))


@dataclass
class Found:
    """What was counted over all kills."""

    kills: int = 0
    rows: int = 0  # that had reached a sink
    lost: int = 0
    duplicated: int = 0
    unreadable: int = 0
    different: int = 0
    resumed: int = 0  # replays whose last start had less to read than the first
    seconds: list[float] = field(default_factory=list)  # from a start after a kill to the first row

    def assert_good(self) -> None:
        """Nothing lost, nothing invented."""
        assert self.rows > 0
        assert (self.lost, self.duplicated, self.unreadable, self.different) == (0, 0, 0, 0), self


class LiveKills:
    """One tape and one set of features, written by many live runs that are killed."""

    def __init__(self, folder: Path, addresses: dict[str, str], seed: int) -> None:
        self.folder = folder
        self.found = Found()
        self._random = random.Random(seed)
        self._notes = folder / "notes"
        self._settings = {
            **addresses,
            "symbols": '["binance_futures:*","bybit_linear:*"]',
            "tape.path": folder / "tape",
            "features.path": folder / "features",
            # So short that most kills meet a compaction, and so long that some meet none.
            "journal.rotate_after": "400ms",
            "journal.sync_after": "150ms",
        }

    def kill(self) -> None:
        """Start, wait for rows, and kill after up to 0.9 s."""
        before = self._noted()
        began = time.perf_counter()
        process = self._start()
        while self._noted() == before:
            if process.poll() is not None:
                raise AssertionError(process.communicate()[1])
            time.sleep(0.002)
        if self.found.kills:
            self.found.seconds.append(time.perf_counter() - began)
        time.sleep(self._random.uniform(0, 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.found.kills += 1

    def finish(self, seconds: str = "1s") -> None:
        """A run that ends in order."""
        process = self._start(duration=seconds)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr

    def check(self) -> None:
        """Hold all that was acknowledged against what our readers see."""
        tape, features = self.folder / "tape", self.folder / "features"
        self.found.unreadable += unreadable(tape) + unreadable(features)
        tapes: dict[str, TapeBatch] = {}
        rows: dict[str, Counter[tuple[int, int, str]]] = {}
        for line in self._notes.read_text().splitlines():
            name, key, *rest = line.split()
            if name == "tape":
                if key not in tapes:
                    tapes[key] = concat(list(TapeReader(tape, Instrument.parse(key)).batches()))
                first, last, crc = map(int, rest)
                found = tapes[key].slice(first, last + 1)
                self.found.rows += last - first + 1
                if found.rows != last - first + 1:
                    self.found.lost += last - first + 1 - found.rows
                elif checksum(found) != crc:
                    self.found.different += 1
            else:
                if key not in rows:
                    table = whole(features, Instrument.parse(key))
                    mids = [mid.hex() for mid in table["mid"].to_pylist()]
                    rows[key] = Counter((*pair, mid) for pair, mid in zip(pairs(table), mids, strict=True))
                self.found.rows += 1
                self.found.lost += (int(rest[0]), int(rest[1]), rest[2]) not in rows[key]
        for counter in rows.values():
            self.found.duplicated += counter.total() - len(counter)
        self._check_against_replay(features)

    def check_unrecovered(self) -> None:
        """Right after a kill our readers see every tape row that was acknowledged."""
        last: dict[str, int] = {}
        for line in self._notes.read_text().splitlines():
            name, key, *rest = line.split()
            if name == "tape":
                last[key] = int(rest[1])
        for key, ordinal in last.items():
            self.found.lost += max(0, ordinal + 1 - find_tail(self.folder / "tape", Instrument.parse(key)).next_ordinal)

    def _check_against_replay(self, features: Path) -> None:
        """Every feature row is one of a replay of the whole tape, bit for bit. That has a few more: rows of the last
        moment before a kill, whose tape rows were written and they were not yet."""
        again = self.folder / f"again{self.found.kills}"
        replay = prepare_replay(load_settings({"tape.path": str(self.folder / "tape"), "features.path": str(again)}))
        cli_main(replay.flow)
        replay.commit()
        for instrument in instruments(features):
            found, replayed = whole(features, instrument), whole(again, instrument)
            place = {pair: n for n, pair in enumerate(pairs(replayed))}
            at = [place.get(pair) for pair in pairs(found)]
            self.found.different += None in at or not same_bits(found, replayed.take(pa.array(at)))

    def _start(self, **more: str) -> subprocess.Popen[str]:
        around = environment({**self._settings, **more}) | {"NOTES": str(self._notes), "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        return launch([sys.executable, "-c", LIVE], stdout=pipe, stderr=pipe, text=True, env=around, cwd=ROOT)

    def _noted(self) -> int:
        return self._notes.stat().st_size if self._notes.exists() else 0


class ReplayKills:
    """Replays of one tape into new folders, each killed some times and then let run to its end."""

    def __init__(self, folder: Path, tape: Path, expected: Path, seed: int, **settings: str) -> None:
        """``expected``: the features of a run that nobody killed."""
        self.found = Found()
        self._folder = folder
        self._tape = tape
        self._expected = expected
        self._rows = sum(TapeReader(tape, instrument).rows for instrument in instruments(tape))
        self._settings = {key.replace("__", "."): value for key, value in settings.items()}
        self._random = random.Random(seed)
        self._runs = 0

    def run(self, kills: int) -> None:
        """One replay."""
        self._runs += 1
        folder = self._folder / str(self._runs)
        (folder / "store").mkdir(parents=True)
        init_db_dir(folder / "store", self._random.choice((1, 3)))
        for _ in range(kills):
            before = changed(folder / ".features.resume")
            process, seconds = self._start(folder), self._random.uniform(0, 0.2)
            while process.poll() is None and changed(folder / ".features.resume") == before:
                time.sleep(0.002)
            with_time = time.perf_counter() + seconds
            while process.poll() is None and time.perf_counter() < with_time:
                time.sleep(0.002)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                self.found.kills += 1
            else:
                assert process.returncode == 0, process.communicate()[1]
            process.communicate()
        began = time.perf_counter()
        process = self._start(folder)
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        self.found.seconds.append(time.perf_counter() - began)
        read = int(stderr.split("replayed ")[1].split()[0].replace(",", ""))
        self.found.resumed += read < self._rows
        self.check(folder / "features")

    def check(self, features: Path) -> None:
        """Bit-equal to the run that nobody killed."""
        self.found.unreadable += unreadable(features)
        if journal_files(features) or any(beside(features, "resume").glob("*.journal")):
            self.found.lost += 1
        if set(instruments(features)) != set(instruments(self._expected)):
            self.found.lost += 1
        for instrument in instruments(self._expected):
            want, got = whole(self._expected, instrument), whole(features, instrument)
            self.found.rows += want.num_rows
            keys, wanted = Counter(pairs(got)), Counter(pairs(want))
            self.found.lost += (wanted - keys).total()
            self.found.duplicated += (keys - wanted).total()
            self.found.different += not same_bits(got, want)

    def _start(self, folder: Path) -> subprocess.Popen[str]:
        settings = {"tape.path": self._tape, "features.path": folder / "features", **self._settings}
        command = [sys.executable, "-m", "bytewax.run", "dataflows.replay", "-w", str(self._random.choice((1, 2, 3)))]
        command += ["-r", str(folder / "store"), "-s", "0", "-b", "0"]
        pipe = subprocess.PIPE
        around = environment(settings) | {"PYTHONPATH": str(ROOT)}
        return launch(command, stdout=pipe, stderr=pipe, text=True, env=around, cwd=ROOT)


def changed(folder: Path) -> int:
    """When a file in the folder was last written to, ns; 0 if there is none."""
    newest = 0
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, path.stat().st_ctime_ns)
    return newest


def unreadable(root: Path) -> int:
    """Parquet files that cannot be read to their end."""
    count = 0
    for path in root.rglob("*.parquet"):
        try:
            pq.ParquetFile(path).read()
        except (pa.ArrowException, OSError):
            count += 1
    return count


def whole(root: Path, instrument: Instrument) -> pa.Table:
    """An instrument's rows in files, in the order in which they were written."""
    files = sorted(data_files(root, instrument), key=lambda path: path.name)
    return pa.concat_tables([pq.ParquetFile(path).read() for path in files])


def pairs(table: pa.Table) -> Iterator[tuple[int, int]]:
    """What tells a feature row from another."""
    return zip(table["ts"].cast(pa.int64()).to_pylist(), table["ordinal"].to_pylist(), strict=True)


def same_bits(a: pa.Table, b: pa.Table) -> bool:
    """Whether every column has the same bits."""

    def bits(column: pa.ChunkedArray) -> Any:
        if pa.types.is_floating(column.type):
            return column.to_numpy().view(np.int64).tolist()
        return column.to_pylist()

    return a.column_names == b.column_names and all(bits(a[name]) == bits(b[name]) for name in a.column_names)
