"""The two indices behind one interface find the same rules."""

import numpy as np
import pytest

from operators.rules.rule import parse_rule
from sinks.rule_index import IN_PROCESS, make_index
from sinks.rule_store import ADOPTED, RuleVersion, StoredRule
from sources.errors import TickwaxError


def version(rules: int, columns: int, seed: int) -> RuleVersion:
    random = np.random.default_rng(seed)
    said = parse_rule({"when": [{"column": "c0", "op": ">", "value": 0}], "action": "veto"})
    vectors = random.normal(size=(rules, columns))
    vectors[random.random(vectors.shape) < 0.05] = np.nan
    stored = tuple(StoredRule(n + 1, said, ADOPTED, tuple(map(float, v))) for n, v in enumerate(vectors))
    names = tuple(f"c{n}" for n in range(columns))
    return RuleVersion(stored, names, tuple(random.normal(size=columns)), tuple(random.uniform(0.5, 2, columns)))


def test_exact_search_is_brute_force() -> None:
    v = version(200, 7, 1)
    vector = tuple(np.random.default_rng(2).normal(size=7))
    z = np.nan_to_num((np.array([s.vector for s in v.rules]) - v.mean) / v.spread)
    distance = np.sqrt(((z - (np.array(vector) - v.mean) / v.spread) ** 2).sum(axis=1))
    found = make_index("", v, v.rules).nearest(vector, 10)
    assert [n for n, _ in found] == (np.argsort(distance, kind="stable")[:10] + 1).tolist()
    np.testing.assert_allclose([d for _, d in found], np.sort(distance)[:10], rtol=1e-12)


@pytest.mark.slow
def test_qdrant_finds_the_same() -> None:
    pytest.importorskip("qdrant_client")
    v = version(150, 7, 3)
    vector = tuple(np.random.default_rng(4).normal(size=7))
    exact = make_index("", v, v.rules).nearest(vector, 12)
    served = make_index(IN_PROCESS, v, v.rules).nearest(vector, 12)
    assert [n for n, _ in served] == [n for n, _ in exact]
    np.testing.assert_allclose([d for _, d in served], [d for _, d in exact], rtol=1e-4)  # it has float32


@pytest.mark.slow
def test_a_server_that_is_not_there_is_a_line() -> None:
    pytest.importorskip("qdrant_client")
    v = version(3, 2, 5)
    with pytest.raises(TickwaxError, match=r"^rules.server: http://127.0.0.1:9 does not answer"):
        make_index("http://127.0.0.1:9", v, v.rules)
