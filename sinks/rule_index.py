"""Which rules are nearest to a context: exact search in arrays, or a Qdrant server for those who outgrow it.

Runs always search in arrays (`operators.rules.table`): a server's order is its own. Both give the same rules, which a
test holds.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from operators.rules.table import make_table, nearest_rules, standardised
from sinks.rule_store import RuleVersion, StoredRule
from sources.errors import TickwaxError

IN_PROCESS = ":memory:"  # Qdrant within this process

_COLLECTION = "tickwax_rules"


class RuleIndex(Protocol):
    """Vectors of rules."""

    def nearest(self, vector: Sequence[float], k: int) -> list[tuple[int, float]]:
        """Numbers of the nearest rules and their distances, the nearest first."""


def make_index(server: str, version: RuleVersion, rules: Sequence[StoredRule]) -> RuleIndex:
    """The index of some rules of a version.

    Args:
        server: address of a Qdrant server, ``:memory:`` for one within the process; empty: exact search here.

    Raises:
        TickwaxError: Qdrant's client is not installed, or the server does not answer.
    """
    return _Qdrant(server, version, rules) if server else _Exact(version, rules)


class _Exact:
    def __init__(self, version: RuleVersion, rules: Sequence[StoredRule]) -> None:
        self._version, self._rules = version, rules
        self._vectors = np.array([s.vector for s in rules])

    def nearest(self, vector: Sequence[float], k: int) -> list[tuple[int, float]]:
        v = self._version
        table = make_table(
            [s.rule.model_copy(update={"when": ()}) for s in self._rules], [s.number for s in self._rules],
            {name: n for n, name in enumerate(v.names)}, names=v.names, mean=v.mean, spread=v.spread,
            vectors=self._vectors, nearest=k,
        )  # fmt: skip
        n = nearest_rules(table, np.array(vector, np.float64))
        return [(int(table.number[r]), float(table.distance[r])) for r in table.chosen[:n]]


class _Qdrant:
    def __init__(self, server: str, version: RuleVersion, rules: Sequence[StoredRule]) -> None:
        if find_spec("qdrant_client") is None:
            raise TickwaxError("rules.server: needs Qdrant's client; pip install 'tickwax[reflect]'")
        from qdrant_client import QdrantClient, models

        self._mean, self._spread = np.array(version.mean), np.array(version.spread)
        points = [
            models.PointStruct(id=s.number, vector=self._standard(s.vector), payload={"words": s.rule.words})
            for s in rules
        ]
        size = models.VectorParams(size=len(version.names), distance=models.Distance.EUCLID)
        there = {"url": server, "timeout": 10, "check_compatibility": False}
        try:
            self._client = QdrantClient(IN_PROCESS) if server == IN_PROCESS else QdrantClient(**there)
            name = f"{_COLLECTION}_{version.hash[:16]}"  # a version's vectors never change
            if not self._client.collection_exists(name):
                self._client.create_collection(name, vectors_config=size)
            self._client.upsert(name, points, wait=True)
        except Exception as e:  # whatever its transport raises
            raise TickwaxError(f"rules.server: {server} does not answer: {type(e).__name__}") from None
        self._name, self._numbers = name, [s.number for s in rules]
        self._exact = None if server == IN_PROCESS else models.SearchParams(exact=True)  # in process all search is
        self._chosen = models.Filter(must=[models.HasIdCondition(has_id=list(self._numbers))])

    def nearest(self, vector: Sequence[float], k: int) -> list[tuple[int, float]]:
        found = self._client.query_points(
            self._name, query=self._standard(vector), limit=k, search_params=self._exact, query_filter=self._chosen
        )
        return [(int(point.id), float(point.score)) for point in found.points]

    def _standard(self, vector: Sequence[float]) -> list[float]:
        return [float(x) for x in standardised(np.array([vector], np.float64), self._mean, self._spread)[:, 0]]
