"""Kafka in the dataflows: clients from the settings, and the steps that publish."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import bytewax.operators as op
from bytewax.operators import KeyedStream

from dataflows.assembly.forecasting import PREDICTIONS, Forecasting
from dataflows.assembly.schemas import features_of
from dataflows.runtime.exit_codes import say
from dataflows.runtime.kafka_metrics import ForeignMessages, LiveKafkaTelemetry, count_dropped
from dataflows.runtime.run_identity import identity
from dataflows.settings.groups import KafkaSecuritySettings
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.row_batch import RowBatch, RowSchema
from sinks.kafka.publisher import Delivery, Publisher
from sinks.kafka.rows import ROW_ENCODINGS
from sinks.kafka.sink import KafkaSink, RecoverableKafkaSink
from sinks.kafka.tape import TapeMessages
from sources.errors import TickwaxError
from sources.kafka.connection import KafkaConnection
from sources.kafka.source import KafkaTapeSource
from sources.placement import key_hash, plain
from sources.tape.batch import InstrumentBatch

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
    streams: Mapping[str, KeyedStream[RowBatch]],
    settings: Settings,
    config: FeatureConfig,
    forecasting: Forecasting | None,
    on_error: Callable[[Exception], None],
) -> None:
    """Add the steps that publish a replay's features and predictions, if topics are named for them.

    Args:
        streams: rows of each data set,
            keyed by the routes of a `sources.placement.Placement`, by which the sink's shards live where rows are.

    Raises:
        TickwaxError: no broker answers, or the topic does not exist.
    """
    run = replay_run(settings, config)
    for name, key, topic, schema, prefix in _published(settings, config, forecasting):
        make = _row_publisher(settings, key, topic, schema, run)
        some = op.filter(f"{prefix}kafka_rows", streams[name], lambda item: item[1].rows > 0)  # a tape's end is none
        keyed = op.map(f"{prefix}kafka_key", some, lambda item: (item[0], (plain(item[0]), item[1])))
        op.output(f"{name}_kafka", keyed, RecoverableKafkaSink(make, on_error))


def _published(
    settings: Settings, config: FeatureConfig, forecasting: Forecasting | None
) -> Iterator[tuple[str, str, str, RowSchema, str]]:
    """Of each data set that has a topic: its name, the topic's setting, the topic, the schema, and what its steps'
    names begin with."""
    if settings.kafka.topic:
        yield "features", "kafka.topic", settings.kafka.topic, features_of(settings, config), ""
    if forecasting is not None and settings.predict.topic:
        yield PREDICTIONS, "predict.topic", settings.predict.topic, forecasting.schema, f"{PREDICTIONS}_"


def publish_live(
    streams: Mapping[str, KeyedStream[RowBatch]],
    settings: Settings,
    config: FeatureConfig,
    forecasting: Forecasting | None,
    run: str,
    on_error: Callable[[Exception], None],
) -> list[KafkaSink[RowBatch]]:
    """Add the steps that publish a live run's features and predictions, if topics are named for them.

    Raises:
        TickwaxError: as of `publish_replayed`.
    """
    sinks = []
    for name, key, topic, schema, _ in _published(settings, config, forecasting):
        make = _row_publisher(settings, key, topic, schema, run)
        sinks.append(KafkaSink(make, time.monotonic, partial(_count_dropped_rows, topic), on_error))
        op.output(f"{name}_kafka", streams[name], sinks[-1])
    return sinks


def _count_dropped_rows(topic: str, batch: RowBatch) -> None:
    count_dropped(topic, batch.rows)


def publish_tape(
    tape: KeyedStream[InstrumentBatch], settings: Settings, on_error: Callable[[Exception], None]
) -> list[KafkaSink[InstrumentBatch]]:
    """Add the step that publishes a live run's tape, if a topic is named for it.

    Raises:
        TickwaxError: as of `publish_replayed`; or the tape is not recorded.
    """
    if not settings.tape.topic:
        return []
    if settings.tape.path is None:
        raise TickwaxError("tape.topic: needs tape.path, from which the ordinals go on when the run is started again")
    connection, topic = kafka_connection(settings), settings.tape.topic
    connection.require({topic: "tape.topic"})
    sink = KafkaSink(
        lambda: Publisher(
            connection, topic, TapeMessages(), delivery(settings), time.monotonic, LiveKafkaTelemetry(), _home_partition
        ),
        time.monotonic,
        lambda batch: count_dropped(topic, batch.batch.rows),
        on_error,
    )
    op.output("tape_kafka", tape, sink)
    return [sink]


def _home_partition(key: bytes) -> int:
    return key_hash(key.decode())


def topic_source(
    settings: Settings,
    stop: threading.Event | None,
    on_rows: Callable[[InstrumentBatch], None],
    on_error: Callable[[Exception], None],
    on_refusal: Callable[[Exception], None],
    longest_ns: int,
) -> KafkaTapeSource:
    """The tape of a topic, with the instruments that the settings ask for; all of them unless ``symbols`` was set.

    Raises:
        TickwaxError: no broker answers, or the topic does not exist.
    """
    _check_topic_replay(settings)
    connection, topic = kafka_connection(settings), settings.tape.topic
    partitions = connection.require({topic: "tape.topic"})[topic]

    def on_skipped(key: str, rows: int) -> None:
        say(f"topic {topic}: it begins inside the tape of {key}: {rows:,} rows before the book could be known, skipped")

    foreign = ForeignMessages(topic, time.monotonic, say)
    return KafkaTapeSource(
        connection,
        topic,
        partitions,
        {**identity(settings, []), "symbols": _symbols(settings), "tape.topic": topic},
        follow=settings.tape.follow,
        wanted=asked_for(settings),
        stop=stop,
        on_rows=on_rows,
        on_skipped=on_skipped,
        on_unknown_book=say,
        on_foreign=foreign.add if settings.tape.foreign == "skip" else None,
        on_close=foreign.tell,
        on_error=on_error,
        on_refusal=on_refusal,
        longest_ns=longest_ns,
    )


def _check_topic_replay(settings: Settings) -> None:
    for key, value in (("replay.start", settings.replay.start), ("replay.end", settings.replay.end)):
        if value is not None:
            raise TickwaxError(
                f"{key}: '{value}' cuts a tape of files, not that of tape.topic, '{settings.tape.topic}'"
            )
    for key, path in (
        ("features.path", settings.features.path),
        ("books.path", settings.books.path),
        ("predict.path", settings.predict.path if settings.predict.model else None),
    ):
        if settings.tape.follow and path is not None:
            raise TickwaxError(
                f"{key}: '{path}' would appear only at the end, which there is none with tape.follow; "
                "set it empty and publish to kafka.topic"
            )


def _symbols(settings: Settings) -> str:
    return ", ".join(settings.symbols) if "symbols" in settings.model_fields_set else "all"


def asked_for(settings: Settings) -> Callable[[str], bool]:
    """Whether the settings ask a replay for an instrument, by key."""
    if "symbols" not in settings.model_fields_set:
        return lambda key: True
    named = set(settings.symbols)
    return lambda key: key in named or f"{key.partition(':')[0]}:*" in named


def _row_publisher(
    settings: Settings, key: str, topic: str, schema: RowSchema, run: str
) -> Callable[[], Publisher[RowBatch]]:
    connection = kafka_connection(settings)
    connection.require({topic: key})
    encoding = ROW_ENCODINGS[settings.kafka.format](schema, run)
    return lambda: Publisher(connection, topic, encoding, delivery(settings), time.monotonic, LiveKafkaTelemetry())
