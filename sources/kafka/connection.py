"""How the brokers are reached: addresses and security, in the words of kafka-python."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kafka import KafkaAdminClient, errors

from sources.errors import TickwaxError

T = TypeVar("T")

_ANSWER_MS = 10_000  # until a broker must have answered at the start
_RECONNECT_MAX_MS = 1_000  # between two tries; kafka-python's own 30 s would sleep through a broker's restart


@dataclass(frozen=True)
class KafkaConnection:
    """Addresses and security of a cluster.

    ``security`` holds arguments of kafka-python's clients as they are: ``security_protocol``, ``sasl_…``, ``ssl_…``.
    """

    bootstrap: str  # host:port, separated by commas
    security: dict[str, Any] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """Arguments that every client of kafka-python takes."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "bootstrap_timeout_ms": _ANSWER_MS,
            "reconnect_backoff_max_ms": _RECONNECT_MAX_MS,
            **self.security,
        }

    def connect(self, client: Callable[..., T], **options: Any) -> T:
        """Make a client of kafka-python, which connects.

        Raises:
            TickwaxError: no broker answers, or it refuses who we are.
        """
        try:
            return client(**self.options(), **options)
        except (errors.KafkaError, OSError, ValueError, AssertionError, RuntimeError) as e:
            raise TickwaxError(f"kafka.bootstrap: no broker at {self.bootstrap} can be used: {reason(e)}") from e

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """A client that asks for topics and makes them.

        Raises:
            TickwaxError: no broker answers, or it refuses a request.
        """
        client = self.connect(KafkaAdminClient)
        try:
            yield client
        except errors.KafkaError as e:
            raise TickwaxError(f"kafka.bootstrap: {self.bootstrap}: {reason(e)}") from e
        finally:
            client.close()

    def partitions(self, topics: list[str]) -> dict[str, int]:
        """Number of partitions of those of ``topics`` that exist.

        Raises:
            TickwaxError: no broker answers.
        """
        with self.admin() as admin:
            there = admin.describe_topics(topics)
        return {t["name"]: len(t["partitions"]) for t in there if not t["error_code"] and t["partitions"]}

    def require(self, topics: dict[str, str]) -> dict[str, int]:
        """Number of partitions of each of ``topics``, by name; the values are the settings that name them.

        Raises:
            TickwaxError: no broker answers, or a topic does not exist.
        """
        there = self.partitions(list(topics))
        for topic, key in topics.items():
            if topic not in there:
                raise TickwaxError(f"{key}: no topic {topic!r} at {self.bootstrap}; `tickwax topics create` makes it")
        return there


def reason(error: BaseException) -> str:
    """An error of kafka-python in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name
