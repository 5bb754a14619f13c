"""Topics: made where they are missing, told where they are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, errors

from sources.errors import TickwaxError
from sources.kafka.connection import KafkaConnection, reason

RETENTION = "retention.ms"


@dataclass(frozen=True)
class Topic:
    """A topic that exists."""

    name: str
    partitions: int
    replication: int
    created: bool  # by this call


def create_topics(
    connection: KafkaConnection, names: list[str], partitions: int, replication: int, config: Mapping[str, str]
) -> list[Topic]:
    """Make those of ``names`` that do not exist; the others stay as they are.

    Args:
        replication: -1 for the broker's default.
        config: of topics in Kafka's words, such as ``retention.ms``.

    Raises:
        TickwaxError: no broker answers, or a topic cannot be made.
    """
    wanted = {"num_partitions": partitions, "replication_factor": replication, "configs": dict(config)}
    with connection.admin() as admin:
        missing = [name for name in names if name not in _there(admin, names)]
        for name in missing:
            try:
                admin.create_topics({name: wanted}, wait_for_metadata=True)
            except errors.TopicAlreadyExistsError:  # made by somebody else since we looked
                continue
            except errors.KafkaError as e:
                raise TickwaxError(f"topic {name}: {connection.bootstrap} does not make it: {reason(e)}") from e
        there = _there(admin, names)
    return [
        Topic(name, len(there[name]), len(there[name][0]["replica_nodes"]), name in missing)
        for name in names
        if name in there
    ]


def _there(admin: KafkaAdminClient, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Partitions of the topics that exist."""
    found = admin.describe_topics(names)
    return {t["name"]: t["partitions"] for t in found if not t["error_code"] and t["partitions"]}
