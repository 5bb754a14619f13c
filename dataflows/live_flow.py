"""The live dataflow: exchanges → tape, and the same operators and sinks as replay."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bytewax.operators as op
import stamina
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink

from dataflows.flows import engine_factory, same_columns
from dataflows.interpreter import ready_interpreter
from dataflows.interruption import on_interruption
from dataflows.kernels import ready_features
from dataflows.metrics import LiveTelemetry, count_features, count_tape
from dataflows.settings import Settings
from operators.features import FeatureEngine, FeatureRows, concat_rows, features
from operators.rows import TS
from operators.schema import Column, book_columns, feature_columns
from sinks.recording import RecordingSink, Rows
from sinks.rows import rows_format, rows_to_arrow
from sinks.tape import tape_format
from sources.builder import TapeTail
from sources.errors import TickwaxError
from sources.events import InstrumentBatch, concat
from sources.instrument import Instrument
from sources.live.config import BinanceFuturesConfig, BybitLinearConfig, LiveConfig
from sources.live.source import LiveSource
from sources.tape.schema import to_arrow
from sources.tape.tail import find_tail

_SHOW_INTERVAL = 60.0  # seconds after which what was recorded appears
_GRACE = 5.0  # seconds from a signal to the end


@dataclass
class Live:
    """A live run that is ready to start."""

    flow: Dataflow
    stop: threading.Event
    engines: dict[Instrument, FeatureEngine]
    sinks: dict[str, RecordingSink[Any]]  # by data set
    _signals: int = field(default=0)

    def ready(self) -> None:
        """What may take seconds and must not happen while frames come."""
        ready_features()
        ready_interpreter()

    def stop_on_signals(self) -> Callable[[], None]:
        """SIGINT or SIGTERM ends the run in order: sockets, buffers, files; a second one, or 5 s, at once."""
        return on_interruption(self._interrupted)

    def _interrupted(self, number: int) -> None:
        self._signals += 1
        self.stop.set()
        if self._signals > 1:
            self._exit("stopped at once", 128 + number)
        print(f"tickwax: {signal.Signals(number).name}: stopping …", file=sys.stderr, flush=True)
        late = threading.Timer(_GRACE, self._exit, ("it took longer than 5 s to stop", 1))
        late.daemon = True
        late.start()

    def _exit(self, line: str, code: int) -> None:
        print(f"tickwax: {line}", file=sys.stderr, flush=True)
        os._exit(code)


def prepare_live(
    settings: Settings,
    *,
    with_features: bool = True,
    watcher: DynamicSink[tuple[str, FeatureRows]] | None = None,
    engines: dict[Instrument, FeatureEngine] | None = None,
) -> Live:
    """Put the live run together.

    Args:
        watcher: is shown every feature row as well.
        engines: filled with each instrument's engine as it comes.

    Raises:
        TickwaxError: an impossible combination of settings, or a folder that cannot be written to.
    """
    stamina.instrumentation.set_on_retry_hooks([])  # the telemetry tells of what is tried again
    config = settings.feature_config()
    wanted = settings.live_symbols()
    stop = threading.Event()
    engines = {} if engines is None else engines
    sinks: dict[str, RecordingSink[Any]] = {}
    run = f"live-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"

    def stop_with_error(error: Exception) -> None:
        # Bytewax would print a Rust and a Python traceback of an exception that leaves a callback.
        if isinstance(error, TickwaxError):
            print(f"tickwax: {error}", file=sys.stderr, flush=True)
            os._exit(2)

    root = settings.tape.path
    flow = Dataflow("tickwax_live")
    source = LiveSource(
        wanted,
        live_config(settings),
        time.time_ns,
        LiveTelemetry(),
        stop,
        settings.duration.ns if settings.duration else None,
        lambda instrument: find_tail(root, instrument) if root else TapeTail(),
        stop_with_error,
    )
    tape = op.input("live", flow, source)
    if root:
        form: Rows[InstrumentBatch] = Rows(
            form=tape_format(settings.tape.compression),
            count=lambda item: item.batch.rows,
            join=lambda items: InstrumentBatch(items[0].instrument, concat([item.batch for item in items])),
            ts=lambda item: item.batch.receive_ts,
            arrow=lambda item: to_arrow(item.batch),
        )
        sinks["tape"] = RecordingSink(root, form, run, _SHOW_INTERVAL, time.monotonic, count_tape, stop_with_error)
        op.output("tape_parquet", tape, sinks["tape"])
    if with_features:
        rows = features("features", tape, engine_factory(settings, config, engines), recoverable=False)
        wanted_sets = (
            ("features", settings.features.path, feature_columns(config)),
            ("books", settings.books.path, book_columns()),
        )
        for name, path, columns in wanted_sets:
            if path is not None:
                same_columns(name, path, columns, [])
                written = _rows(columns, settings.tape.compression)
                count = count_features if name == "features" else lambda item: None
                sinks[name] = RecordingSink(path, written, run, _SHOW_INTERVAL, time.monotonic, count, stop_with_error)
                op.output(f"{name}_parquet", rows, sinks[name])
        if watcher:
            op.output("watcher", rows, watcher)
    if not sinks and not watcher:
        raise TickwaxError("tape.path, features.path, books.path: all are empty, so nothing would be written")
    return Live(flow, stop, engines, sinks)


def _rows(columns: list[Column], compression: str) -> Rows[FeatureRows]:
    form = rows_format(columns, compression)

    def join(items: list[FeatureRows]) -> FeatureRows:
        joined = concat_rows(items)
        assert joined is not None
        return joined

    return Rows(
        form=form,
        count=lambda rows: rows.rows,
        join=join,
        ts=lambda rows: rows.integer[TS],
        arrow=lambda rows: rows_to_arrow(rows, columns, form.schema),
    )


def live_config(settings: Settings) -> LiveConfig:
    """The connectors' parameters."""
    binance, bybit = settings.venues.binance_futures, settings.venues.bybit_linear
    return LiveConfig(
        binance_futures=BinanceFuturesConfig(binance.public_ws, binance.market_ws, binance.rest),
        bybit_linear=BybitLinearConfig(bybit.ws, bybit.rest, bybit.depth),
    )
