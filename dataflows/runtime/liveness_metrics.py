"""Progress as metrics, computed when they are read: what is set once would stay good while the disk hangs."""

from collections.abc import Callable

from prometheus_client import Gauge

from dataflows.runtime.liveness import Liveness

HEALTHY = Gauge("tickwax_healthy", "1 while the run makes progress, 0 once it has stood still for stalled_after.")
TURN_AGE = Gauge("tickwax_turn_age_seconds", "Since the slowest worker last took rows.")
ROW_AGE = Gauge("tickwax_newest_row_age_seconds", "Since a tape row was last handed on to the sinks.")
UNSYNCED = Gauge("tickwax_unsynced_seconds", "For how long the oldest row has waited for the disk.", ("sink",))


def show_liveness(liveness: Liveness) -> None:
    """From now on the metrics tell of this run."""
    HEALTHY.set_function(lambda: float(not liveness.trouble()))
    TURN_AGE.set_function(lambda: liveness.turn_age)
    ROW_AGE.set_function(lambda: liveness.row_age)


def watch_sync(liveness: Liveness, sink: str, age: Callable[[], float], allowed: float) -> None:
    """As `Liveness.watch_sync`; also a metric."""
    liveness.watch_sync(sink, age, allowed)
    UNSYNCED.labels(sink).set_function(age)
