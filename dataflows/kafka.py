"""Kafka in the dataflows: clients from the settings, and the steps that publish."""

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any

import bytewax.operators as op
from bytewax.operators import KeyedStream

from dataflows.kafka_metrics import LiveKafkaTelemetry, count_dropped
from dataflows.settings import KafkaSecuritySettings, Settings
from operators.config import FeatureConfig
from operators.features import FeatureRows
from operators.schema import feature_columns
from sinks.kafka.publisher import Delivery, Publisher
from sinks.kafka.rows import ROW_ENCODINGS
from sinks.kafka.sink import KafkaSink, RecoverableKafkaSink
from sources.kafka.connection import KafkaConnection

_NS = 1e9


def kafka_connection(settings: Settings) -> KafkaConnection:
    """How the settings reach the brokers."""
    # What the client library says of each connection, at any level, our own telemetry says in a line.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    logging.getLogger("kafka").propagate = False
    return KafkaConnection(settings.kafka.bootstrap, _security(settings.kafka.security))


def _security(s: KafkaSecuritySettings) -> dict[str, Any]:
    wanted = {
        "sasl_mechanism": s.mechanism,
        "sasl_plain_username": s.username,
        "sasl_plain_password": s.password.get_secret_value(),
        "ssl_cafile": s.ca_file and str(s.ca_file),
        "ssl_certfile": s.cert_file and str(s.cert_file),
        "ssl_keyfile": s.key_file and str(s.key_file),
        "ssl_password": s.key_password.get_secret_value(),
    }
    given = {name: value for name, value in wanted.items() if value}
    return {"security_protocol": s.protocol, "ssl_check_hostname": s.check_hostname, **given}


def delivery(settings: Settings) -> Delivery:
    """How messages are delivered."""
    k = settings.kafka
    compression = None if k.compression == "none" else k.compression
    return Delivery(compression, k.buffer_mb << 20, k.deadline.ns / _NS, k.linger.ns / _NS)


def replay_run(settings: Settings, config: FeatureConfig) -> str:
    """Header ``run`` of a replay: the same as long as the same settings give the same rows, so also when resumed."""
    what = (config, settings.features.d_file, settings.replay.start)
    return f"replay-{hashlib.sha256(repr(what).encode()).hexdigest()[:12]}"


def publish_replayed(
    rows: KeyedStream[FeatureRows], settings: Settings, config: FeatureConfig, on_error: Callable[[Exception], None]
) -> None:
    """Add the step that publishes a replay's features, if a topic is named for them.

    Raises:
        TickwaxError: no broker answers, or the topic does not exist.
    """
    if settings.kafka.topic:
        make = _feature_publisher(settings, config, replay_run(settings, config))
        keyed = op.map("kafka_key", rows, lambda item: (item[0], item))
        op.output("features_kafka", keyed, RecoverableKafkaSink(make, on_error))


def publish_live(
    rows: KeyedStream[FeatureRows],
    settings: Settings,
    config: FeatureConfig,
    run: str,
    on_error: Callable[[Exception], None],
) -> list[KafkaSink[FeatureRows]]:
    """Add the step that publishes a live run's features, if a topic is named for them.

    Raises:
        TickwaxError: as of `publish_replayed`.
    """
    if not settings.kafka.topic:
        return []
    topic = settings.kafka.topic
    make = _feature_publisher(settings, config, run)
    sink = KafkaSink(make, time.monotonic, lambda batch: count_dropped(topic, batch.rows), on_error)
    op.output("features_kafka", rows, sink)
    return [sink]


def _feature_publisher(settings: Settings, config: FeatureConfig, run: str) -> Callable[[], Publisher[FeatureRows]]:
    connection, topic = kafka_connection(settings), settings.kafka.topic
    connection.require({topic: "kafka.topic"})
    encoding = ROW_ENCODINGS[settings.kafka.format](feature_columns(config), run)
    return lambda: Publisher(connection, topic, encoding, delivery(settings), time.monotonic, LiveKafkaTelemetry())
