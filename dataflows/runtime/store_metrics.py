"""What a live run meets of an object store that does not answer, as metrics and as lines."""

from prometheus_client import Counter, Gauge

from dataflows.runtime.exit_codes import say

FAILURES = Counter(
    "tickwax_store_failures", "Attempts to put a journal's rows into an object store that failed.", ("sink",)
)
AWAY = Gauge("tickwax_store_away", "1 while the object store does not take rows, which stay in journals.", ("sink",))


def tell_store(sink: str, place: str, error: Exception | None, first: bool) -> None:
    """Count an attempt; the beginning and the end of an outage are a line each.

    Args:
        error: why it failed; None: it did not, after some that did.
        first: the attempt before did not fail.
    """
    AWAY.labels(sink).set(error is not None)
    if error is None:
        say(f"{place}: the object store takes files again")
        return
    FAILURES.labels(sink).inc()
    if first:
        say(f"{error}; the rows stay in journals on this machine, and it is tried again")
