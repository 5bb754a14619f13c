"""The features of what another process records: its tape, followed, through the same operators."""

import threading
import time
from functools import partial
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from dataflows.assembly.engines import engine_factory
from dataflows.assembly.tapes import first_few
from dataflows.runtime.exit_codes import say
from dataflows.runtime.live_run import Live
from dataflows.runtime.metrics import LiveTelemetry, Log
from dataflows.runtime.recorder_watch import RecorderWatch
from dataflows.settings.model import Settings
from operators.feature_step import features
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.following import FollowedTape, Follower
from window.sink import feature_sink, tape_sink
from window.tap import Tap

_BACK_NS = 300_000_000_000  # as much as a tap keeps
_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete


def recorded_tape(settings: Settings) -> Path:
    """The tape to attach to.

    Raises:
        TickwaxError: none is named, or a file.
    """
    if settings.tape.path is None:
        raise TickwaxError("tape.path: empty; name the tape that a recorder writes")
    path = settings.tape.path
    if path.exists() and not path.is_dir():
        raise TickwaxError(f"tape.path: {path} is not a folder")
    return path


def prepare_attached(settings: Settings, tap: Tap, log: Log | None = None) -> tuple[Live, RecorderWatch]:
    """Put together a run that shows what another process records, without disturbing it.

    Args:
        tap: is shown every row.
        log: where log lines go in place of standard error.

    Raises:
        TickwaxError: there is no tape to attach to.
    """
    root = recorded_tape(settings)
    config = settings.feature_config()
    flow = Dataflow("tickwax_attached")
    live = Live(flow, threading.Event(), {}, {}, LiveTelemetry(stalled_after=settings.stalled_after.ns / 1e9, log=log))
    chosen = set(settings.symbols) if "symbols" in settings.model_fields_set else None

    def wanted(instrument: Instrument) -> bool:
        return chosen is None or not chosen.isdisjoint((str(instrument), f"{instrument.venue}:*"))

    watch = RecorderWatch(root, say, lambda: tap.tape_rows, lambda: len(tap.overview.names))
    tap.source = lambda: watch.state
    start = settings.replay.start
    begin = start.ns if start else time.time_ns() - _BACK_NS
    follower = Follower(root, wanted, begin, first_few(say, "more holes of the tape are not named here"))
    end = time.monotonic() + settings.duration.ns / 1e9 if settings.duration else None

    def ended() -> bool:
        return live.stop.is_set() or (end is not None and time.monotonic() > end)

    def turn() -> None:
        live.telemetry.liveness.turn()
        watch.look()

    longest_ns = _ROWS_AT_ONCE * config.sampling_ns
    fail = partial(live.fail, code=1)
    tape = op.input("recorder", flow, FollowedTape(follower, ended, longest_ns, turn, fail))
    make_engine = engine_factory(settings, config, live.engines, with_books=True)
    op.output("tape", tape, tape_sink(tap))
    op.output("features", features("compute", tape, make_engine, on_error=fail), feature_sink(tap))
    return live, watch
