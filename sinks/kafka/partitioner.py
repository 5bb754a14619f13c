"""Messages of one key to one partition."""

from collections.abc import Callable
from typing import Any

from kafka.partitioner import Partitioner
from kafka.partitioner.default import murmur2


class KeyPartitioner(Partitioner):
    """The partition is the remainder of the key's hash.

    Without ``hash_key`` it is Kafka's own (murmur2, 31 bits), so that every other client puts a key on the same
    partition. Remembers what it has computed: keys are few, and in Python a hash costs more than the rest of a message.
    """

    def __init__(self, hash_key: Callable[[bytes], int] | None = None) -> None:
        self._hash = hash_key or (lambda key: murmur2(key) & 0x7FFFFFFF)
        self._known: dict[tuple[bytes, int], int] = {}

    def partition(
        self, topic: str, key: Any, serialized_key: bytes, value: Any, serialized_value: bytes, cluster: Any
    ) -> int:
        """The partition of ``serialized_key``."""
        partitions = cluster.partitions_for_topic(topic)
        at = (serialized_key, len(partitions))
        if at not in self._known:
            self._known[at] = self._hash(serialized_key) % len(partitions)
        return self._known[at]
