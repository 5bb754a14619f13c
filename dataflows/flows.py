"""The dataflows, put together from sources, operators and sinks."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import bytewax.operators as op
import pyarrow.parquet as pq
from bytewax.dataflow import Dataflow

from dataflows.interruption import on_interruption
from dataflows.orders import read_orders
from dataflows.progress import ReplayProgress
from dataflows.settings import Settings
from operators.config import FeatureConfig
from operators.features import FeatureEngine, FeatureRows, Quality, features
from operators.schema import Column, book_columns, feature_columns
from sinks.rows import RowsSink
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import data_files, instruments
from sources.tape.reader import TapeReader
from sources.tape.source import TapeSource
from sources.venues import has_full_depth

_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete: a thin tape has few tape rows for many of them


@dataclass
class Replay:
    """A replay that is ready to run, and what can be told of it meanwhile and afterwards."""

    flow: Dataflow
    progress: ReplayProgress
    sinks: dict[str, RowsSink]  # by data set
    engines: dict[Instrument, FeatureEngine]
    ending: threading.RLock = field(default_factory=threading.RLock)  # held by whoever has begun to end the process
    committed: bool = False
    aborted: bool = False
    release_signals: Callable[[], None] = lambda: None  # undoes `stop_on_signals`

    def commit(self) -> bool:
        """Let the rows appear: for after the flow, which must have returned. False, and none do, after `abort`."""
        self.progress.stop()
        with self.ending:
            try:
                for sink in self.sinks.values():
                    sink.commit()
            except TickwaxError as e:
                self.stop_with_error(e)
            self.committed = True
            self.release_signals()
            self.release_signals = lambda: None
        return not self.aborted

    def abort(self) -> None:
        """Leave no trace of what is not committed."""
        self.aborted = not self.committed
        self.progress.stop()
        for sink in self.sinks.values():
            sink.abort()

    def stop_with_error(self, error: Exception) -> None:
        """End the process with one line, for Bytewax would print a Rust and a Python traceback; only if it is one that
        a user is meant to read."""
        if isinstance(error, TickwaxError):
            self._end(str(error), 1)

    def stop_on_signals(self) -> None:
        """From now on an interruption ends the process at once and leaves nothing, whatever its threads are at."""
        self.release_signals = on_interruption(
            lambda number: self._end("interrupted; nothing was written", 128 + number)
        )

    def _end(self, line: str, code: int) -> None:
        with self.ending:  # other threads that want to end the process wait here until it has
            if self.committed:
                return
            self.abort()
            print(f"tickwax: {line}", file=sys.stderr, flush=True)
            os._exit(code)

    @property
    def quality(self) -> Quality:
        """Data-quality counters over all instruments of this process."""
        each = [engine.quality for engine in self.engines.values()]
        return Quality(*(sum(counts) for counts in zip(*each, strict=True))) if each else Quality(0, 0, 0, 0, 0)


def prepare_replay(settings: Settings) -> Replay:
    """Put the replay of a recorded tape together: tape → features → Parquet.

    Raises:
        TickwaxError: the tape cannot be read, has none of the instruments asked for, or the features are there already.
    """
    root = settings.tape.path
    if root is None:
        raise TickwaxError("tape.path: empty; a replay needs a tape to read")
    config = settings.feature_config()
    chosen = chosen_instruments(settings, root)
    start, end = settings.replay.start, settings.replay.end
    readers = [TapeReader(root, i, start.ns if start else None, end.ns if end else None) for i in chosen]
    progress = ReplayProgress(sum(r.rows for r in readers))
    engines: dict[Instrument, FeatureEngine] = {}
    make_engine = engine_factory(settings, config, engines)

    def stop_with_error(error: Exception) -> None:
        replay.stop_with_error(error)

    flow = Dataflow("tickwax_replay")
    longest_ns = _ROWS_AT_ONCE * config.sampling_ns
    tape = op.input("tape", flow, TapeSource(readers, progress.add, stop_with_error, longest_ns))
    rows = features("features", tape, make_engine)
    if start:
        # Rows before the range only make the book known.
        first = {str(r.instrument): r.first_ordinal for r in readers}

        def in_range(item: tuple[str, FeatureRows]) -> tuple[str, FeatureRows] | None:
            kept = item[1].since(first[item[0]])
            return (item[0], kept) if kept.rows else None

        rows = op.filter_map("range", rows, in_range)
    sinks = row_sinks(settings, config, chosen, stop_with_error)
    for name, sink in sinks.items():
        op.output(f"{name}_parquet", rows, sink)
    if settings.kafka.bootstrap:
        from dataflows.kafka import publish_replayed  # takes a quarter of a second, which most runs need not spend

        publish_replayed(rows, settings, config, stop_with_error)
    if not sinks:
        op.inspect("nowhere", rows, lambda step_id, item: None)
    replay = Replay(flow, progress, sinks, engines)
    return replay


def engine_factory(
    settings: Settings, config: FeatureConfig, made: dict[Instrument, FeatureEngine]
) -> Callable[[Instrument], FeatureEngine]:
    """What makes the engine of an instrument, with its own fractional orders if there are any; kept in ``made``."""
    orders = read_orders(settings.features.d_file) if settings.features.d_file else {}
    with_books = settings.books.path is not None

    def make(instrument: Instrument) -> FeatureEngine:
        own = orders.get(instrument, {})
        mine = replace(config, price_d=own.get("price", config.price_d), volume_d=own.get("volume", config.volume_d))
        made[instrument] = FeatureEngine(mine, full_depth=has_full_depth(instrument.venue), with_books=with_books)
        return made[instrument]

    return make


def row_sinks(
    settings: Settings,
    config: FeatureConfig,
    chosen: list[Instrument],
    on_error: Callable[[Exception], None] = lambda error: None,
) -> dict[str, RowsSink]:
    """The Parquet data sets that are switched on.

    Raises:
        TickwaxError: one is no folder, or holds rows of an instrument already and may not be overwritten.
    """
    wanted = {
        "features": (settings.features.path, feature_columns(config)),
        "books": (settings.books.path, book_columns()),
    }
    sinks: dict[str, RowsSink] = {}
    for name, (path, columns) in wanted.items():
        if path is None:
            continue
        if path.exists() and not path.is_dir():
            raise TickwaxError(f"{name}.path: {path} is not a folder")
        there = next((i for i in chosen if data_files(path, i)), None)
        if there and not settings.features.overwrite:
            raise TickwaxError(
                f"{name}.path: {path} holds rows of {there} already; "
                "name another folder, or set features.overwrite=true"
            )
        same_columns(name, path, columns, chosen)
        replaced = chosen if settings.features.overwrite else []
        sinks[name] = RowsSink(path, columns, "replay", settings.tape.compression, replaced, on_error)
    return sinks


def same_columns(name: str, path: Path, columns: list[Column], chosen: list[Instrument]) -> None:
    """Refuse a folder whose other instruments have other columns: nobody could read it as one data set."""
    wanted = [column.name for column in columns]
    for instrument in instruments(path):
        if instrument not in chosen:
            file = data_files(path, instrument)[0]
            odd = set(pq.read_schema(file).names).symmetric_difference(wanted)
            if odd:
                raise TickwaxError(
                    f"{name}.path: {file} was written with other settings: {min(odd)} is in one of them only"
                )
            return


def chosen_instruments(settings: Settings, root: Path) -> list[Instrument]:
    """The tape's instruments that the settings ask for; all of them unless ``symbols`` was set."""
    there = list(instruments(root))
    if not there:
        raise TickwaxError(f"tape.path: {root} holds no tape; write one with `tickwax synth` or `tickwax import`")
    if "symbols" not in settings.model_fields_set:
        return there
    chosen: list[Instrument] = []
    for text in settings.symbols:
        wanted = Instrument(*text.split(":", 1))
        found = [i for i in there if i.venue == wanted.venue and wanted.symbol in ("*", i.symbol)]
        if not found:
            names = ", ".join(map(str, there[:8])) + (" …" if len(there) > 8 else "")
            raise TickwaxError(f"symbols: {text} is not on the tape {root}, which holds {names}")
        chosen += [i for i in found if i not in chosen]
    return chosen
