"""The page of a run: a tap on its streams, and the server. Imported only where the page is asked for."""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import bytewax.operators as op
from bytewax.operators import KeyedStream

from dataflows.runtime.engine_options import Recovery, cluster
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.row_batch import RowBatch, RowSchema
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.placement import Placement
from sources.tape.batch import InstrumentBatch
from sources.tape.paced import PacedTape
from sources.tape.reader import TapeReader
from window.server import WindowServer
from window.sink import feature_sink, row_sink, tape_sink
from window.tap import Tap


@dataclass(frozen=True)
class Window:
    """A page that is served."""

    tap: Tap
    server: WindowServer

    def tape(self, stream: KeyedStream[InstrumentBatch]) -> None:
        """Show trades and resets."""
        op.output("window_tape", stream, tape_sink(self.tap))

    def features(self, stream: KeyedStream[RowBatch]) -> None:
        """Show feature rows, with the books beside them."""
        op.output("window_features", stream, feature_sink(self.tap))

    def rows(self, schema: RowSchema, stream: KeyedStream[RowBatch]) -> None:
        """Show the rows of another data set."""
        op.output(f"window_{schema.name}", stream, row_sink(self.tap, schema))


def paced(
    settings: Settings,
    readers: Sequence[TapeReader],
    recovery: Recovery | None,
    on_rows: Callable[[InstrumentBatch], None],
    on_error: Callable[[Exception], None],
    placement: Placement,
) -> PacedTape:
    """The tape at the speed at which it is to be watched.

    Raises:
        TickwaxError: it is a topic, or the replay is to be resumed: both go at a speed of their own.
    """
    if settings.tape.topic:
        raise TickwaxError(f"ui.on: tape.topic is '{settings.tape.topic}'; the page shows the replay of files")
    if recovery is not None:
        raise TickwaxError("ui.on: a replay that can be resumed has no page; leave out the one or the other")
    start = settings.replay.start.ns if settings.replay.start else None
    return PacedTape(readers, settings.ui.speed, time.time_ns, start, on_rows, on_error, placement)


def open_window(settings: Settings, config: FeatureConfig, mode: str, expected: Iterable[Instrument]) -> Window:
    """Serve the page of a run; where, is said.

    Args:
        mode: ``live``, ``paper``, ``replay`` or ``attached``.
        expected: instruments that ought to come.

    Raises:
        TickwaxError: it cannot be served there, or the run is one of several processes.
    """
    if cluster():
        raise TickwaxError("ui.on: the page shows the run of one process; give one process, or leave the page off")
    tap = Tap(config, time.time_ns, {"run": uuid.uuid4().hex, "mode": mode, "speed": settings.ui.speed})
    tap.expect(str(i) for i in expected if i.symbol != "*")
    server = WindowServer(tap, settings.ui.host, settings.ui.port)
    say(f"the window: {server.url}")
    return Window(tap, server)
