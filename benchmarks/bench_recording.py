"""What recording costs, beside plain PyArrow on the same rows, in one run.

    python benchmarks/bench_recording.py --capture CAPTURE.gz [--rows 10] [--npz FILE.npz]

The capture (a raw hftbacktest capture of Binance USD-M, such as btcusdt_20240808.gz) is imported once and repeated
until there are so many million rows. FILE.npz is the same capture converted by hftbacktest itself
(``hftbacktest.data.utils.binancefutures.convert``). Without a capture a synthetic market stands in. Rates are rows a
second of processor time, over all threads of the process, the best of three runs: on a machine that is busy with other
work they say what a core does. Files of ours are fsynced, those of plain PyArrow are not.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time, thread_time

import bytewax.operators as op
import numpy as np
import pyarrow.parquet as pq
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from rich.console import Console
from rich.table import Table

from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.feature_step import features
from operators.row_batch import RowBatch
from operators.schema import feature_schema
from sinks.format import Form
from sinks.journal import JournalWriter
from sinks.live_sink import LiveSink
from sinks.lock import DataSetLock
from sinks.resumable_sink import ResumableSink
from sinks.row_format import row_form
from sinks.state_files import StateFiles
from sinks.tape import TapeWriter, tape_form
from sinks.write_ahead_log import Rotation, WriteAheadLog
from sources.instrument import Instrument
from sources.tape.batch import DELTA, SNAPSHOT, InstrumentBatch, TapeBatch, concat, tape_batch
from sources.tape.reader import TapeReader
from sources.tape.schema import to_arrow

TICKWAX = str(Path(sys.executable).with_name("tickwax"))
BTC = Instrument("binance_futures", "BTCUSDT")
SECOND = 1_000_000_000


def captured(capture: Path | None, folder: Path) -> TapeBatch:
    """The rows that everything is measured on."""
    if capture:
        command = ["import", "hftbacktest", str(capture), "--venue", BTC.venue, "--symbol", BTC.symbol]
    else:
        command = ["synth", "--symbols", str(BTC), "--span", "20m"]
    subprocess.run([TICKWAX, *command, "--tape", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return concat(list(TapeReader(folder, BTC).batches()))


def repeated(once: TapeBatch, rows: int) -> TapeBatch:
    """The same rows again and again, with rising ordinals."""
    times = rows // once.rows + 1
    columns = [np.tile(column, times)[:rows] for column in once]
    return TapeBatch(*columns)._replace(ordinal=np.arange(rows))


def in_writes(tape: TapeBatch, rows: int, instruments: int) -> list[list[tuple[str, list[np.ndarray]]]]:
    """The calls that a sink gets: in each, ``rows`` consecutive rows of each of so many instruments."""
    keys = [f"bybit_linear:S{n}" for n in range(instruments)]
    form = tape_form()
    writes = []
    for start in range(0, tape.rows - rows * instruments + 1, rows * instruments):
        parts = (tape.slice(start + n * rows, start + (n + 1) * rows) for n in range(instruments))
        writes.append([(key, form.arrays(InstrumentBatch(BTC, part))) for key, part in zip(keys, parts, strict=True)])
    return writes


def best(run: Callable[[], object], times: int = 3) -> tuple[float, float]:
    """Seconds, and seconds of processor, the least of several runs."""
    seen = []
    for _ in range(times):
        wall, cpu = perf_counter(), process_time()
        run()
        seen.append((perf_counter() - wall, process_time() - cpu))
    return min(wall for wall, _ in seen), min(cpu for _, cpu in seen)


def to_journal(work: Path, form: Form[object], writes: list[list[tuple[str, list[np.ndarray]]]]) -> None:
    """Journal alone."""
    writer = JournalWriter(work / "bench.journal", form.description)
    for items in writes:
        writer.append(items)
    writer.close()


def to_files(work: Path, form: Form[object], writes: list[list[tuple[str, list[np.ndarray]]]]) -> list[Path]:
    """Journal and compaction, until every row is in a file."""
    root = work / "recorded"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    files: list[Path] = []
    segments = WriteAheadLog(
        root, form, "bench", Rotation(bytes=256_000_000), perf_counter, lambda c: files.extend(c.files)
    )
    for items in writes:
        segments.append(items)
    segments.close()
    return files


def plain_parquet(work: Path, tape: TapeBatch, **options: object) -> None:
    """PyArrow alone: the same rows to one file."""
    arrow = to_arrow(tape)
    with pq.ParquetWriter(work / "plain.parquet", arrow.schema, compression="snappy", **options) as writer:
        for start in range(0, tape.rows, 1 << 18):
            writer.write_batch(arrow.slice(start, 1 << 18))


def measure_rates(table: Table, work: Path, tape: TapeBatch) -> None:
    """Rows a second, for several sizes of batches."""
    form = tape_form()
    default = best(lambda: plain_parquet(work, tape))
    same = {"use_dictionary": list(form.file.dictionary), "column_encoding": form.file.encoding}
    tuned = best(lambda: plain_parquet(work, tape, **same))
    for text, (wall, cpu) in (("default encodings", default), ("the tape's encodings", tuned)):
        told = f"{tape.rows / wall / 1e6:.2f} M a second of wall clock"
        table.add_row(f"pyarrow.parquet.ParquetWriter, {text}", f"{tape.rows / cpu / 1e6:.2f} M rows/s", told)
    for rows, instruments in ((65_536, 1), (1000, 1), (64, 8), (8, 8)):
        writes = in_writes(tape, rows, instruments)
        total = len(writes) * rows * instruments
        wall, cpu = best(lambda writes=writes: to_journal(work, form, writes))
        name = f"{instruments} × {rows} rows a write"
        each = cpu / len(writes) / instruments * 1e6
        table.add_row(f"journal, {name}", f"{total / cpu / 1e6:.2f} M rows/s", f"{each:.1f} µs a batch")
        files: list[int] = []
        wall, cpu = best(lambda writes=writes, files=files: files.append(len(to_files(work, form, writes))))
        part = total / tape.rows
        table.add_row(
            f"journal and compaction, {name}",
            f"{total / cpu / 1e6:.2f} M rows/s",
            f"{part * default[1] / cpu:.2f} and {part * tuned[1] / cpu:.2f} × plain; "
            f"{total / wall / 1e6:.2f} M a second of wall clock; {files[-1]} files",
        )


def measure_features(table: Table, work: Path, once: TapeBatch) -> None:
    """Feature rows, one a batch, as a live run has them."""
    config = FeatureConfig()
    rows = FeatureEngine(config).process(once)
    assert rows is not None
    form = row_form(feature_schema(config))
    each = [RowBatch(*(array[:, n : n + 1] for array in rows)) for n in range(rows.rows)]
    writes = [
        [(f"bybit_linear:S{n}", form.arrays(row)) for n, row in enumerate(each[i : i + 8])]
        for i in range(0, len(each), 8)
    ]
    _, seconds = best(lambda: to_journal(work, form, writes))
    table.add_row(
        "journal, 8 × 1 feature row a write",
        f"{len(each) / seconds / 1e3:.0f} k rows/s",
        f"{seconds / len(each) * 1e6:.1f} µs a batch",
    )


def measure_recovery(table: Table, work: Path, tape: TapeBatch) -> None:
    """What a killed run leaves, from the start of the next one."""
    for rows, instruments in ((64, 8), (8, 8)):
        root = work / "left"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        writer = JournalWriter(work / ".left.journal" / "killed.journal", tape_form().description)
        writes = in_writes(tape, rows, instruments)
        for items in writes:
            writer.append(items)
        writer.close()
        began = perf_counter()
        with DataSetLock(root):
            seconds = perf_counter() - began
        total = len(writes) * rows * instruments
        table.add_row(
            f"recovery of a journal, {instruments} × {rows} rows a write",
            f"{total / seconds / 1e6:.2f} M rows/s",
            f"{writer.position / 1e6:.0f} MB in {seconds:.1f} s",
        )


def measure_sizes(table: Table, work: Path, once: TapeBatch, capture: Path | None, npz: Path | None) -> None:
    """Bytes a row of the capture as it is, once."""
    for codec in ("snappy", "zstd"):
        root = work / codec
        with TapeWriter(root, "size", codec) as writer:
            writer.write(BTC, once)
        size = sum(path.stat().st_size for path in root.rglob("*.parquet"))
        table.add_row(f"tape, {codec}", f"{size / once.rows:.2f} bytes a row", f"{size / 1e6:.2f} MB")
    for name, path in (("the capture, gzip", capture), ("hftbacktest's npz", npz)):
        if path is not None:
            size = path.stat().st_size
            table.add_row(name, f"{size / once.rows:.2f} bytes a tape row", f"{size / 1e6:.2f} MB")


class Ticks(DynamicSource[tuple[str, InstrumentBatch]]):
    """Batches of many instruments in turn, and when each was asked for."""

    def __init__(self, instruments: int, seconds: float) -> None:
        self.instruments = [Instrument("bybit_linear", f"S{n}") for n in range(instruments)]
        self.seconds = seconds
        self.asked: list[tuple[float, float]] = []  # wall clock, processor time of the worker's thread

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_TicksPartition":
        """The part of the only worker."""
        return _TicksPartition(self)


class _TicksPartition(StatelessSourcePartition[tuple[str, InstrumentBatch]]):
    """200 levels a side, and a change of the best every 100 ms of each instrument's clock: a feature row each."""

    _EACH = 25  # changes a batch

    def __init__(self, source: Ticks) -> None:
        self._source = source
        self._turn = 0
        self._end = perf_counter() + source.seconds
        self._random = np.random.default_rng(1)

    def next_batch(self) -> list[tuple[str, InstrumentBatch]]:
        now = perf_counter()
        self._source.asked.append((now, thread_time()))
        if now > self._end:
            raise StopIteration
        round_, n = divmod(self._turn, len(self._source.instruments))
        self._turn += 1
        instrument = self._source.instruments[n]
        return [(str(instrument), InstrumentBatch(instrument, self._batch(round_)))]

    def _batch(self, round_: int) -> TapeBatch:
        first = 400 + (round_ - 1) * self._EACH if round_ else 0
        count = self._EACH if round_ else 400
        n = np.arange(first, first + count)
        level = np.arange(count) // 2 if not round_ else np.zeros(count, int)
        side = np.where(n % 2, 1, -1)
        step = np.zeros(count, int) if not round_ else n - 399
        ts = 1_767_571_200 * SECOND + step * SECOND // 10
        return tape_batch(
            ordinal=n, exchange_ts=ts, receive_ts=ts, sequence=n, kind=np.full(count, DELTA if round_ else SNAPSHOT),
            side=side, price=np.where(side > 0, 10_000 - level, 10_001 + level) / 100,
            size=self._random.integers(1, 10_000, count) / 1000,
            last=np.ones(count, bool) if round_ else n == count - 1,
        )  # fmt: skip

    def next_awake(self) -> datetime | None:
        return None


def measure_stall(table: Table, work: Path, instruments: int, epoch: float) -> None:
    """How long the source was not asked at the ends of epochs: as live runs are, and as resumable replays are."""
    epochs = 6
    config = FeatureConfig()
    schema = feature_schema(config)
    for name, recoverable in (("live: no recovery state", False), ("a resumable replay", True)):
        folder = work / f"stall{recoverable}"
        (folder / "store").mkdir(parents=True)
        (folder / "features").mkdir()
        init_db_dir(folder / "store", 1)
        states = StateFiles(folder / "store", 0.0, perf_counter) if recoverable else None
        source = Ticks(instruments, (epochs + 0.5) * epoch)
        engines: list[FeatureEngine] = []

        def make(instrument: Instrument, engines: list[FeatureEngine] = engines) -> FeatureEngine:
            engines.append(FeatureEngine(config, full_depth=True))
            return engines[-1]

        flow = Dataflow("stall")
        rows = features("features", op.input("ticks", flow, source), make, keeper=states)
        if recoverable:
            keyed = op.map("keyed", rows, lambda item: (item[0], item))
            op.output("parquet", keyed, ResumableSink(folder / "features", schema, "stall"))
        else:
            sink = LiveSink(folder / "features", row_form(schema), "stall", Rotation(), perf_counter)
            op.output("parquet", rows, sink)
        recovery = RecoveryConfig(folder / "store", backup_interval=timedelta(0)) if recoverable else None
        cli_main(flow, epoch_interval=timedelta(seconds=epoch), recovery_config=recovery)
        asked = np.array(source.asked)
        gaps, busy = np.diff(asked, axis=0)[asked[1:, 0] > asked[0, 0] + epoch / 2].T
        ends = np.sort(gaps)[-epochs:], np.sort(busy)[-epochs:]
        size = statistics.median(len(engine.snapshot()) for engine in engines)
        table.add_row(
            f"longest stall, epochs of {epoch:.0f} s, {instruments} instruments, {name}",
            f"{ends[0][-1] * 1e3:.0f} ms",
            f"{ends[1][-1] * 1e3:.0f} ms of processor time; median of {epochs} {np.median(ends[0]) * 1e3:.0f} ms, "
            f"of processor time {np.median(ends[1]) * 1e3:.0f}; median batch {np.median(gaps) * 1e6:.0f} µs"
            + (f"; {size / 1e3:.0f} kB of state an instrument" if recoverable else ""),
        )


def measure_state(table: Table, once: TapeBatch) -> None:
    """Bytes of recovery state."""
    small = FeatureConfig(
        zscore_window=10, volatility_window=10, ffd_threshold=1e-2, windows=(("1s", SECOND),), depths=(1,)
    )
    for name, config, tape in (
        ("default settings, BTC at the end of the capture", FeatureConfig(), once),
        ("default settings, 200 levels a side", FeatureConfig(), shallow(once)),
        ("small windows, 20 levels a side", small, shallow(once, 20)),
    ):
        engine = FeatureEngine(config)
        engine.process(tape)
        levels = int(engine._state.book.levels.sum())
        table.add_row(
            f"recovery state, {name}",
            f"{len(engine.snapshot()) / 1e3:.1f} kB",
            f"of it {levels * 16 / 1e3:.1f} the book",
        )


def shallow(once: TapeBatch, levels: int = 200) -> TapeBatch:
    """The tape of a market with so many levels a side: each goes to the one of its number modulo ``levels``."""
    tick = np.round(once.price * 10).astype(np.int64)
    middle = int(np.median(tick))
    book = once.kind != 2
    price = np.where(once.side > 0, middle - tick % levels, middle + 1 + tick % levels) / 10
    return once._replace(price=np.where(book, price, once.price))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--capture", type=Path)
    arguments.add_argument("--npz", type=Path)
    arguments.add_argument("--rows", type=float, default=4.0, help="million rows")
    arguments.add_argument("--instruments", type=int, default=500, help="for the stall")
    arguments.add_argument("--epoch", type=float, default=10.0, help="seconds, for the stall")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        work = Path(name)
        once = captured(chosen.capture, work / "once")
        tape = repeated(once, int(chosen.rows * 1e6))
        table = Table(
            "figure", "value", "beside", title=f"{tape.rows:,} rows of {chosen.capture or 'a synthetic market'}"
        )
        measure_sizes(table, work, once, chosen.capture, chosen.npz)
        measure_state(table, once)
        measure_features(table, work, once)
        measure_recovery(table, work, tape)
        measure_rates(table, work, tape)
        measure_stall(table, work, chosen.instruments, chosen.epoch)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
