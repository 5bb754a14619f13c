"""Recorded tapes as events for hftbacktest."""

from collections.abc import Sequence
from pathlib import Path

from dataflows.assembly.export_files import Behind, Exported, file_set, rows_of_range, times_of
from dataflows.assembly.exporting import Progress
from operators.hft_engine import HftEngine
from operators.hft_events import EVENT
from sinks.npz import NpzWriter
from sources.tape.reader import TapeReader


def export_hftbacktest(
    readers: Sequence[TapeReader], out: Path, *, overwrite: bool, compress: bool, wait: bool, progress: Progress
) -> Exported:
    """Write each instrument's events as ``<venue>-<symbol>.npz`` (`operators.hft_engine`), all files or none.

    Args:
        compress: as hftbacktest's converters do; else the files are larger, and are loaded faster.
        wait: as in `HftEngine`.

    Raises:
        TickwaxError: the folder cannot be written to or is of another kind, a file is there; a tape row breaks the
            rules, or rows are too far out of order.
    """
    all_times = times_of(readers)
    names = {reader: f"{reader.instrument.venue}-{reader.instrument.symbol}.npz" for reader in all_times}
    exported = Exported(out)
    there = [out / name for name in names.values() if (out / name).exists()]
    with file_set(out, "hftbacktest", there, overwrite) as files:
        for reader, times in all_times.items():
            engine = HftEngine(times, wait)
            writer = NpzWriter(files.place(names[reader]), "data", EVENT, compress)
            try:
                with Behind() as behind:
                    for batch in rows_of_range(reader, times, progress):
                        behind(writer.write, engine.process(batch))
                    behind(writer.write, engine.finish())
                writer.close()
            except BaseException:
                writer.abort()
                raise
            exported.rows_written += writer.rows
            if engine.shift:
                exported.notes.append(
                    f"{reader.instrument}: local times are {engine.shift / 1e6:,.3f} ms later than recorded, so that "
                    "no event is received before the exchange has it"
                )
        exported.files = files.commit(there)
    return exported
