"""The live dataflow: exchanges → tape, and the same operators and sinks as replay."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO
from urllib.request import getproxies_environment

import bytewax.operators as op
import stamina
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink

from dataflows.assembly.identities import identity_of, same_columns
from dataflows.assembly.live_past import Past
from dataflows.assembly.replay import engine_factory
from dataflows.reports.summary import latency_lines
from dataflows.runtime.damage_metrics import count_damage, tell_damage
from dataflows.runtime.engine_options import cluster
from dataflows.runtime.exit_codes import exit_code, in_a_line, say
from dataflows.runtime.interruption import on_interruption
from dataflows.runtime.kernels import ready_features
from dataflows.runtime.liveness_metrics import watch_sync
from dataflows.runtime.metrics import LiveTelemetry, count_features, count_tape
from dataflows.runtime.process_tuning import ready_interpreter
from dataflows.settings.model import Settings
from dataflows.settings.types import DIRECT, check_proxy
from operators.feature_engine import FeatureEngine
from operators.feature_step import features
from operators.row_batch import RowBatch, RowSchema
from operators.schema import book_schema, feature_schema
from sinks.format import Form
from sinks.identity import Identity, check_folder
from sinks.live_sink import LiveSink
from sinks.lock import DataSetLock
from sinks.quarantine import without_damaged
from sinks.row_format import row_form
from sinks.tape import tape_form
from sinks.write_ahead_log import Rotation
from sources.balance import BY_HASH, Placement, plain
from sources.errors import DiskFailure, TickwaxError
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.live.proxies import Proxies
from sources.live.source import LiveSource
from sources.tape.batch import InstrumentBatch
from sources.tape.builder import TapeTail
from sources.tape.journal_kernels import compile_kernels
from sources.venues.live import config_of, live_venues
from sources.venues.names import EXPERIMENTAL

_GRACE = 5.0  # seconds from a signal to the end
_PATIENCE = 2.5  # of them to begin with files; renaming those of 400 instruments takes another second


class Publishing(Protocol):
    """A sink that may have given up."""

    @property
    def error(self) -> TickwaxError | None:
        """Why, if it has."""


@dataclass
class Live:
    """A live run that is ready to start."""

    flow: Dataflow
    stop: threading.Event
    engines: dict[Instrument, FeatureEngine]
    sinks: dict[str, LiveSink[Any]]  # by data set
    telemetry: LiveTelemetry
    locks: list[DataSetLock] = field(default_factory=list)
    publishers: list[Publishing] = field(default_factory=list)
    _signals: int = field(default=0)
    _stopped: float = field(default=math.inf)  # when the signal came

    def ready(self) -> None:
        """What may take seconds and must not happen while frames come."""
        ready_features()
        compile_kernels()
        ready_interpreter()
        self.telemetry.liveness.watch()

    def stop_on_signals(self) -> Callable[[], None]:
        """SIGINT or SIGTERM ends the run in order: sockets, buffers, files; a second one, or 5 s, at once."""
        return on_interruption(self._interrupted)

    def release(self) -> None:
        """Let others write to the data sets; for after the flow."""
        self.telemetry.liveness.end()
        for lock in reversed(self.locks):  # the first may have made the folder that holds them all
            lock.release()

    def patience(self) -> float | None:
        """Seconds that may still be spent on files; None while no signal has come."""
        return max(0.0, self._stopped + _PATIENCE - time.monotonic()) if self.stop.is_set() else None

    @property
    def left(self) -> str | None:
        """What there was no time for at the end, in a line."""
        late = [str(sink.root) for sink in self.sinks.values() if not sink.all_appeared]
        return f"{', '.join(late)}: the newest rows are in a journal, and in files at the next start" if late else None

    @property
    def failure(self) -> str | None:
        """Why rows are missing in a topic, if delivery was given up; the recording has gone on."""
        return next((str(p.error) for p in self.publishers if p.error), None)

    @property
    def nothing(self) -> str | None:
        """Why the run is no success although it ended in order: no row was recorded; None if there are rows, or if it
        was stopped before anything could come."""
        rows = any(sink.rows_written or not sink.all_appeared for sink in self.sinks.values())
        if rows or not self.sinks or (self._signals and not self.telemetry.heard):
            return None
        return f"nothing was recorded: {self.telemetry.why_nothing()}"

    def closing_lines(self) -> list[str]:
        """What there is to say at the end of the run, but for data sets."""
        self.telemetry.tell_counts()
        return [*self.telemetry.quarantined(), *latency_lines(self.telemetry.latencies)]

    def _interrupted(self, number: int) -> None:
        self._signals += 1
        self._stopped = min(self._stopped, time.monotonic())
        self.stop.set()
        if self._signals > 1:
            self._exit("stopped at once", 128 + number)
        say(f"{signal.Signals(number).name}: stopping …")
        late = threading.Timer(_GRACE, self._exit, ("it took longer than 5 s to stop", 1))
        late.daemon = True
        late.start()

    def fail(self, error: Exception, code: int) -> None:
        """End the process with one line: of an exception that leaves a callback Bytewax would print a Rust and a Python
        traceback, and in a cluster nothing. What has been recorded is in journals."""
        say(in_a_line(error))
        if not isinstance(error, DiskFailure):  # a disk that does not answer would hold the process
            self.release()
        os._exit(exit_code(error, code))

    def _exit(self, line: str, code: int) -> None:
        say(line)
        os._exit(code)


def prepare_live(
    settings: Settings,
    *,
    with_features: bool = True,
    watcher: DynamicSink[tuple[str, RowBatch]] | None = None,
    engines: dict[Instrument, FeatureEngine] | None = None,
    placement: Placement = BY_HASH,
    log: TextIO | None = None,
) -> Live:
    """Put the live run together.

    Args:
        watcher: is shown every feature row as well.
        engines: filled with each instrument's engine as it comes.
        placement: which worker has an instrument; the same in all processes of a cluster.
        log: where log lines go in place of standard error.

    Raises:
        TickwaxError: an impossible combination of settings, or a folder that cannot be written to.
    """
    stamina.instrumentation.set_on_retry_hooks([])  # the telemetry tells of what is tried again
    config = settings.feature_config()
    wanted = settings.live_symbols()
    for venue in sorted({i.venue for i in wanted}.intersection(EXPERIMENTAL)):
        say(f"{venue} is experimental: it is written from documentation and was never tried against the exchange")
    run = f"live-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
    root = settings.tape.path
    flow = Dataflow("tickwax_live")
    telemetry = LiveTelemetry(stalled_after=settings.stalled_after.ns / 1e9, log=log)
    live = Live(flow, threading.Event(), {} if engines is None else engines, {}, telemetry)
    past = Past(root, live.telemetry.set_aside) if root else None
    new_engine = engine_factory(settings, config, live.engines)

    def make_engine(instrument: Instrument) -> FeatureEngine:
        engine = new_engine(instrument)
        for rows in past.lead(instrument) if past else ():
            engine.process(rows)
        return engine

    def sink(name: str, path: Path, form: Form[Any], count: Callable[[Any], None]) -> LiveSink[Any]:
        live.locks.append(DataSetLock(path, cluster(), say))
        count_damage(name, live.locks[-1].damage)
        live.telemetry.journals_set_aside(live.locks[-1].damage.journals)
        rotation = Rotation(settings.journal.rotate_after.ns / 1e9, settings.journal.rotate_mb * 1_000_000,
                            settings.journal.sync_after.ns / 1e9)  # fmt: skip
        made = live.sinks[name] = LiveSink(
            path,
            form,
            run,
            rotation,
            time.monotonic,
            count,
            lambda error: live.fail(error, 1),
            live.patience,
            partial(tell_damage, name),
        )
        watch_sync(telemetry.liveness, name, made.unsynced, rotation.sync_seconds)
        return made

    def tape_rows(item: InstrumentBatch) -> None:
        telemetry.liveness.row()
        count_tape(item)

    source = LiveSource(
        wanted,
        live_config(settings),
        time.time_ns,
        live.telemetry,
        live.stop,
        settings.duration.ns if settings.duration else None,
        past.tail if past else lambda instrument: TapeTail(),
        lambda error: live.fail(error, 2),
        placement,
        on_failure=lambda error: live.fail(error, 1),
    )
    try:
        routed = op.input("live", flow, source)
        tape = op.map("instrument", routed, named) if placement.weights else routed
        if settings.kafka.bootstrap and settings.tape.topic:
            from dataflows.assembly.kafka import (
                publish_tape,  # takes a quarter of a second, which most runs need not spend
            )

            live.publishers += publish_tape(tape, settings, lambda error: live.fail(error, 2))
        if root:
            op.output("tape_parquet", tape, sink("tape", root, tape_form(settings.tape.compression), tape_rows))
        if with_features:
            rows = features("features", routed, make_engine, on_error=partial(live.fail, code=1))
            if placement.weights:
                rows = op.map("row_instrument", rows, named)
            wanted_sets = (
                (settings.features.path, feature_schema(config)),
                (settings.books.path, book_schema(config)),
            )
            for path, schema in wanted_sets:
                if path is not None:
                    name = schema.name
                    marks = identity_of(name, settings, config)
                    check = partial(_check_folder, path, schema, marks)
                    without_damaged(path, check, live.telemetry.set_aside)
                    count = count_features if name == "features" else lambda item: None
                    form = row_form(schema, settings.tape.compression, marks)
                    op.output(f"{name}_parquet", rows, sink(name, path, form, count))
            if settings.kafka.bootstrap:
                from dataflows.assembly.kafka import (
                    publish_live,  # takes a quarter of a second, which most runs need not spend
                )

                live.publishers += publish_live(rows, settings, config, run, lambda error: live.fail(error, 2))
            if watcher:
                op.output("watcher", rows, watcher)
        if not (live.sinks or live.publishers or watcher):
            raise TickwaxError("tape.path, features.path, books.path: all are empty, so nothing would be written")
    except BaseException:
        live.release()
        raise
    return live


def _check_folder(path: Path, schema: RowSchema, marks: Identity) -> None:
    same_columns(path, schema, [])
    check_folder(path, marks, set(), appended=True)


def named(item: tuple[str, Any]) -> tuple[str, Any]:
    """An item keyed by its instrument alone."""
    return plain(item[0]), item[1]


def live_config(settings: Settings) -> LiveConfig:
    """The connectors' parameters."""
    return LiveConfig(
        live_venues(*(config_of(name, **dict(fields)) for name, fields in settings.venues)),
        proxies=_proxies(settings.network.proxy.get_secret_value()),
    )


def _proxies(named: str) -> Proxies:
    """The proxies that the setting names, or the environment."""
    if named:
        return Proxies({} if named == DIRECT else {"all": named})
    environment = getproxies_environment()
    for key, address in environment.items():
        if key in ("http", "https", "all"):
            try:
                check_proxy(address)
            except ValueError as e:
                raise TickwaxError(f"{key.upper()}_PROXY: {e}") from None
    return Proxies(environment, environment.get("no", ""))
