"""What Kafka sinks tell of themselves: Prometheus metrics, and a log line a state change."""

import sys
from collections.abc import Callable
from typing import Any

import structlog
from prometheus_client import Counter, Gauge
from typing_extensions import override

from sinks.kafka.telemetry import KafkaTelemetry
from sources.live.log_limit import LogLimiter

_TOPIC = ("topic",)

ROWS = Counter("tickwax_kafka_rows", "Rows by what became of them: sent, confirmed or dropped.", ("topic", "state"))
BUFFERED = Gauge("tickwax_kafka_buffered_bytes", "Bytes that wait to be sent or confirmed.", _TOPIC)
STALLS = Counter("tickwax_kafka_stalls", "Times that no confirmation came for seconds, while some was due.", _TOPIC)
FOREIGN = Counter("tickwax_kafka_foreign", "Messages of the tape's topic that are none of a tape, skipped.", _TOPIC)
FAILED = Gauge("tickwax_kafka_failed", "1 once delivery was given up.", _TOPIC)


class LiveKafkaTelemetry(KafkaTelemetry):
    """Counts, and logs what changes."""

    def __init__(self) -> None:
        self._log: Any = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))

    @override
    def sent(self, topic: str, rows: int) -> None:
        ROWS.labels(topic, "sent").inc(rows)

    @override
    def confirmed(self, topic: str, rows: int) -> None:
        ROWS.labels(topic, "confirmed").inc(rows)

    @override
    def buffered(self, topic: str, size: int) -> None:
        BUFFERED.labels(topic).set(size)

    @override
    def stalled(self, topic: str, seconds: float) -> None:
        STALLS.labels(topic).inc()
        self._log.warning("kafka does not confirm", topic=topic, seconds=round(seconds, 1))

    @override
    def resumed(self, topic: str, seconds: float) -> None:
        self._log.info("kafka confirms again", topic=topic, seconds=round(seconds, 1))

    @override
    def failed(self, topic: str, reason: str) -> None:
        FAILED.labels(topic).set(1)
        self._log.error("kafka given up", topic=topic, reason=reason)

    @override
    def dropped(self, topic: str, rows: int) -> None:
        count_dropped(topic, rows)


def count_dropped(topic: str, rows: int) -> None:
    """Rows that will not reach the topic."""
    ROWS.labels(topic, "dropped").inc(rows)


class ForeignMessages:
    """Counts messages that are skipped; of many it says how many. Told from several threads."""

    def __init__(self, topic: str, clock: Callable[[], float], say: Callable[[str], None]) -> None:
        """``clock``: seconds, from any origin; ``say``: a line to the user."""
        self._topic = topic
        self._say = say
        self._limit = LogLimiter(clock)

    def add(self, line: str) -> None:
        """A message was skipped; the line names it and says why."""
        FOREIGN.labels(self._topic).inc()
        untold = self._limit.admit(self._topic)
        if untold is not None:
            self._say(f"{line}; skipped" + (f", and {untold:,} others before it" if untold else ""))

    def tell(self) -> None:
        """At the end: how many no line has told of."""
        for _, number in self._limit.untold(due_only=False):
            self._say(f"topic {self._topic}: {number:,} more messages that are none of a tape, skipped")
