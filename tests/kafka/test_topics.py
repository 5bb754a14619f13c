"""``tickwax topics create`` as a user runs it."""

import uuid

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from typer.testing import CliRunner

from dataflows.cli import app
from sources.errors import TickwaxError


def create(*arguments: str):
    return CliRunner().invoke(app, ["topics", "create", *arguments])


def test_topics_are_made_once_and_told_apart(cluster, connection):
    name = f"made.{uuid.uuid4().hex[:8]}"
    first = create(name, "--bootstrap", cluster.bootstrap, "--partitions", "3", "--replication", "1")
    again = create(name, "--bootstrap", cluster.bootstrap, "--partitions", "5")
    assert [first.exit_code, again.exit_code] == [0, 0], first.output + again.output
    assert [name, "3", "1", "created"] in [line.split() for line in first.output.splitlines()]
    assert "was there already; 5 partitions were asked for" in " ".join(again.output.split())
    assert connection.partitions([name]) == {name: 3}


def test_retention_reaches_the_broker(cluster):
    name = f"kept.{uuid.uuid4().hex[:8]}"
    assert create(name, "--bootstrap", cluster.bootstrap, "--retention", "36h", "--replication", "1").exit_code == 0
    client = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        found = client.describe_configs([resource], config_filter="all")
    finally:
        client.close()
    assert str(36 * 3600 * 1000) in str(found)


def test_without_names_it_makes_those_of_the_settings(cluster, monkeypatch):
    features, tape = (f"set.{uuid.uuid4().hex[:8]}" for _ in range(2))
    monkeypatch.setenv("TICKWAX_KAFKA__BOOTSTRAP", cluster.bootstrap)
    monkeypatch.setenv("TICKWAX_KAFKA__TOPIC", features)
    monkeypatch.setenv("TICKWAX_TAPE__TOPIC", tape)
    done = create("--replication", "1", "--partitions", "2")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()[1:]] == [features, tape]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["x"], "kafka.bootstrap: empty"),
        (["x", "--bootstrap", "here"], "kafka.bootstrap: 'here' is not a list of brokers"),
        (["no/topic", "--bootstrap", "h:1"], "'no/topic' is not a topic"),
        (["x", "--bootstrap", "h:1", "--retention", "long"], "'long' is not a duration"),
        (["x", "--bootstrap", "h:1", "--replication", "0"], "--replication: 0"),
    ],
)
def test_bad_input_is_one_line(arguments, line):
    done = create(*arguments)
    assert isinstance(done.exception, TickwaxError)
    assert line in str(done.exception)
    assert "\n" not in str(done.exception)


def test_more_copies_than_brokers_is_one_line(cluster):
    done = create("wide", "--bootstrap", cluster.bootstrap, "--replication", "3")
    if done.exit_code == 0:  # Tansu takes any number, and keeps one
        return
    assert "topic wide: " in str(done.exception)
    assert "ReplicationFactor" in str(done.exception)


def test_help_teaches():
    text = create("--help").output
    assert "--retention 30d" in text
    assert "Examples" in text
