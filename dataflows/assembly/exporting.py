"""What a recorded tape is written as for other programs, instrument by instrument, in memory that does not grow."""

from collections.abc import Callable, Iterator
from pathlib import Path

from dataflows.assembly.tapes import check_range, open_tape
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.bar_engine import BarConfig, BarEngine, bar_schema
from operators.row_batch import RowBatch
from sinks.identity import Identity, check_folder
from sinks.lock import only_writer
from sinks.replay_sink import ReplaySink
from sinks.resumable_sink import already_there
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader

Progress = Callable[[Instrument, int], None]  # the instrument, and how many of its tape rows are done


def tape_readers(settings: Settings) -> list[TapeReader]:
    """What reads the tapes of the instruments and the range that the settings ask for.

    Raises:
        TickwaxError: the tape cannot be read, has none of the instruments, or no row in the range.
    """
    _, readers = open_tape(settings)
    check_range(readers, "replay.start", settings.replay.start, "replay.end", settings.replay.end)
    return readers


def export_bars(
    readers: list[TapeReader], config: BarConfig, out: Path, *, overwrite: bool, compression: str, progress: Progress
) -> ReplaySink:
    """Write bars of each instrument as a data set, whole or not at all; returns the sink, with what has appeared.

    Raises:
        TickwaxError: the folder cannot be written to, or holds bars of an instrument or of other settings; a tape row
            breaks the rules; no bar is complete.
    """
    depths = ", ".join(map(str, config.depths))
    settings = {"kind": config.kind, "size": f"{config.size:.17g}", "depths": depths, "span": str(config.span)}
    identity = Identity("bars", {f"bars.{name}": value for name, value in settings.items()})
    instruments = [reader.instrument for reader in readers]
    if out.exists() and not out.is_dir():
        raise TickwaxError(f"--out: {out} is not a folder")
    check_target(out, "bars", "--out")
    with only_writer(out, say):
        check_folder(out, identity, set(instruments), appended=False)
        there = next((i for i in instruments if data_files(out, i)), None)
        if there and not overwrite:
            raise already_there(out, there)
        replaced = instruments if overwrite else ()
        sink = ReplaySink(out, bar_schema(config), "bars", compression, replaced, identity=identity)
        try:
            part = sink.build("bars", 0, 1)
            for reader in readers:
                for bars in _bars(reader, BarEngine(config), progress):
                    part.write_batch([(str(reader.instrument), bars)])
            part.close()
            if not sink.rows_pending:
                size = f"{config.size / 1e9:g} s" if config.kind == "time" else f"{config.size:g}"
                raise TickwaxError(f"--size: no {config.kind} bar of {size} is complete on this tape")
            sink.commit()
        finally:
            sink.abort()
    return sink


def _bars(reader: TapeReader, engine: BarEngine, progress: Progress) -> Iterator[RowBatch]:
    rows = 0
    for batch in reader.batches():
        lead = max(0, min(batch.rows, reader.first_ordinal - int(batch.ordinal[0])))
        if lead:
            engine.lead(batch.slice(0, lead))
        bars = engine.process(batch.slice(lead, batch.rows))
        rows += batch.rows
        progress(reader.instrument, rows)
        if bars.rows:
            yield bars
