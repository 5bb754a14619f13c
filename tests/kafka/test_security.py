"""TLS and a password, as the settings say them, against Apache Kafka's own."""

import time

import pytest

from dataflows.assembly.kafka import delivery, kafka_connection
from dataflows.command_line.jobs.settings import effective
from dataflows.settings.model import load_settings
from sinks.kafka.publisher import Publisher
from sinks.kafka.rows import JsonRows
from sinks.kafka.telemetry import KafkaTelemetry
from sources.errors import TickwaxError
from tests.kafka.broker import PASSWORD, USER, ApacheKafka
from tests.kafka.conftest import FEATURES, feature_rows


@pytest.fixture
def secure(cluster) -> dict[str, object]:
    """Settings that reach the broker's safe listener."""
    if not isinstance(cluster, ApacheKafka):
        pytest.skip("only Apache Kafka is set up with TLS and passwords by the tests")
    return {
        "kafka.bootstrap": cluster.secure,
        "kafka.security.protocol": "SASL_SSL",
        "kafka.security.mechanism": "PLAIN",
        "kafka.security.username": USER,
        "kafka.security.password": PASSWORD,
        "kafka.security.ca_file": str(cluster.authority),
    }


def test_rows_go_over_tls_with_a_password(secure, topic, read):
    name, settings = topic(1), load_settings(secure)
    connection = kafka_connection(settings)
    assert connection.require({name: "kafka.topic"}) == {name: 1}
    publisher = Publisher(
        connection, name, JsonRows(FEATURES, "run"), delivery(settings), time.monotonic, KafkaTelemetry()
    )
    publisher.put("binance_futures:BTCUSDT", feature_rows(10))
    publisher.close()
    assert len(read(name)) == 10


@pytest.mark.parametrize("wrong", [{"kafka.security.password": "guess"}, {"kafka.security.ca_file": ""}])
def test_who_is_refused_gets_one_line(secure, wrong, monkeypatch):
    monkeypatch.setattr("sources.kafka.connection._ANSWER_MS", 2_000)
    connection = kafka_connection(load_settings({**secure, **wrong}))
    with pytest.raises(TickwaxError, match=r"^kafka.bootstrap: no broker at [^\n]+ can be used: [^\n]+$"):
        connection.require({"x": "kafka.topic"})


def test_a_password_is_not_shown(monkeypatch):
    monkeypatch.setenv("TICKWAX_KAFKA__SECURITY__PASSWORD", PASSWORD)
    assert PASSWORD not in "\n".join(effective(load_settings()))
