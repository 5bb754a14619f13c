"""The live dataflow: exchanges → tape, and the same operators and sinks as replay."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bytewax.operators as op
import stamina
from bytewax.dataflow import Dataflow

from dataflows.assembly.data_sets import marks_of, switched_on
from dataflows.assembly.engines import engine_factory
from dataflows.assembly.forecasting import PREDICTIONS, forecasting_of
from dataflows.assembly.identities import same_columns
from dataflows.assembly.live_config import live_config
from dataflows.assembly.live_past import Past
from dataflows.runtime.damage_metrics import count_damage, tell_damage
from dataflows.runtime.engine_options import cluster
from dataflows.runtime.exit_codes import say
from dataflows.runtime.live_run import Live
from dataflows.runtime.liveness_metrics import watch_sync
from dataflows.runtime.metrics import LiveTelemetry, Log
from dataflows.runtime.row_metrics import count_features, count_tape
from dataflows.runtime.store_metrics import tell_store
from dataflows.settings.model import Settings
from operators.feature_engine import FeatureEngine
from operators.feature_step import features
from operators.row_batch import RowSchema
from sinks.format import Form
from sinks.identity import Identity, check_folder
from sinks.live_sink import LiveSink
from sinks.lock import DataSetLock
from sinks.quarantine import without_damaged
from sinks.row_format import row_form
from sinks.tape import tape_form
from sinks.target import check_target
from sinks.write_ahead_log import Rotation
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.source import LiveSource
from sources.placement import BY_HASH, Placement, plain
from sources.tape.batch import InstrumentBatch
from sources.tape.builder import TapeTail
from sources.venues.names import EXPERIMENTAL

if TYPE_CHECKING:
    from window.tap import Tap

_ROW_STEPS = {"features": "row_instrument", PREDICTIONS: "prediction_instrument"}


def prepare_live(
    settings: Settings,
    *,
    with_features: bool = True,
    tap: "Tap | None" = None,
    placement: Placement = BY_HASH,
    log: Log | None = None,
    paper: bool = False,
    mine: Callable[[Instrument], bool] = lambda instrument: True,
) -> Live:
    """Put the live run together.

    Args:
        tap: is shown every row as well.
        placement: which worker has an instrument; the same in all processes of a cluster.
        log: where log lines go in place of standard error.
        paper: a strategy trades on a simulated exchange.
        mine: whether an instrument may live in this process; what it needs of the past is read before the start.

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
    live = Live(flow, threading.Event(), {}, {}, telemetry)
    past = Past(root, live.telemetry.set_aside) if root else None
    new_engine = engine_factory(settings, config, live.engines, with_books=settings.ui.on or tap is not None)

    def make_engine(instrument: Instrument) -> FeatureEngine:
        engine = new_engine(instrument)
        for rows in past.lead(instrument) if past else ():
            engine.process(rows)
        return engine

    def sink(name: str, path: Path, form: Form[Any], count: Callable[[Any], None], key: str = "") -> LiveSink[Any]:
        check_target(path, name, key or f"{name}.path")
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
            partial(tell_store, name, str(path)),
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
        trading = None
        if paper:  # what it needs takes a tenth of a second
            from dataflows.assembly.paper import PaperTrading
            from dataflows.assembly.trading import rows_in

            trading = PaperTrading(settings, live.telemetry, mine)
            live.preparations.append(trading.ready)
        window = None
        if settings.ui.on and with_features:
            from dataflows.assembly.window import open_window  # with a web server, which most runs need not import

            window = open_window(settings, config, "paper" if paper else "live", wanted)
            live.closing.append(window.server.close)
            live.page = window.server.url
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
            if trading is None:
                rows = features("features", routed, make_engine, on_error=partial(live.fail, code=1))
            else:
                traded = trading.step(routed, past.lead if past else lambda instrument: [], live)
                rows = trading.features(traded)
            forecasting = (trading and trading.forecasting) or forecasting_of(settings, config)
            streams = {"features": rows}
            if forecasting is not None:
                failed = partial(live.fail, code=1)
                if trading is None:
                    streams[PREDICTIONS] = forecasting.step(rows, make=forecasting.watched, on_error=failed)
                else:
                    streams[PREDICTIONS] = trading.predictions(traded, forecasting, live, failed)
                live.preparations.append(forecasting.ready)
            if placement.weights:
                streams = {name: op.map(_ROW_STEPS[name], stream, named) for name, stream in streams.items()}
                rows = streams["features"]
            for path, schema, key in switched_on(settings, config, forecasting):
                name = schema.name
                marks = marks_of(name, settings, config, forecasting)
                check = partial(_check_folder, path, schema, marks)
                without_damaged(path, check, live.telemetry.set_aside)
                count = count_features if name == "features" else lambda item: None
                form = row_form(schema, settings.tape.compression, marks)
                op.output(f"{name}_parquet", streams.get(name, rows), sink(name, path, form, count, key))
            if trading is not None:
                named_rows = op.map("trade_instrument", traded, named) if placement.weights else traded
                sinks = {}
                for path, schema, marks in trading.data_sets():
                    check = partial(_check_folder, path, schema, marks)
                    without_damaged(path, check, live.telemetry.set_aside)
                    form = row_form(schema, settings.tape.compression, marks)
                    sinks[schema.name] = sink(schema.name, path, form, lambda item: None, "paper.path")
                    if tap is not None:
                        from window.sink import row_sink  # with what a run without a screen need not import

                        shown = rows_in(schema.name, named_rows, f"screen_{schema.name}_rows")
                        op.output(f"screen_{schema.name}", shown, row_sink(tap, schema))
                    if window is not None:
                        window.rows(schema, rows_in(schema.name, named_rows, f"window_{schema.name}_rows"))
                op.output("paper_parquet", named_rows, trading.sink(sinks, live))
                trading.take_up(root)
            if settings.kafka.bootstrap:
                from dataflows.assembly.kafka import (
                    publish_live,  # takes a quarter of a second, which most runs need not spend
                )

                live.publishers += publish_live(
                    streams, settings, config, forecasting, run, lambda error: live.fail(error, 2)
                )
            if tap is not None:
                from window.sink import feature_sink, tape_sink  # what a run without a screen need not import

                op.output("screen_tape", tape, tape_sink(tap))
                op.output("screen_features", rows, feature_sink(tap))
            if window is not None:
                window.tape(tape)
                window.features(rows)
                if forecasting is not None:
                    window.rows(forecasting.schema, streams[PREDICTIONS])
        if not (live.sinks or live.publishers or tap or window):
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
