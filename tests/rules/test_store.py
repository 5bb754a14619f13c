"""The store: versions never change, a kill loses nothing, damage is told, and search by Qdrant finds the same."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from operators.rules.rule import parse_rule
from operators.rules.table import consult_once
from sinks.rule_store import ADOPTED, DISABLED, RuleStore, RuleVersion, StoredRule, with_rules
from sources.errors import TickwaxError


def rule(value=0.5, column="spread", **more):
    return parse_rule({"when": [{"column": column, "op": ">", "value": value}], "action": "veto", **more})


def stored(number=1, value=0.5, status=ADOPTED, vector=(1.0, math.nan), **more):
    return StoredRule(number, rule(value, **more), status, vector, ({"p": 0.01},), {"reflector": "statistics"})


def version(*rules):
    return lambda before: with_rules(
        before, rules, names=("spread", "volatility"), mean=(0.1, 0.2), spread=(1.0, 2.0), tests=(0.01,), did="test"
    )


def test_versions_are_content(tmp_path):
    store = RuleStore(tmp_path / "rules")
    assert store.read() == RuleVersion()
    first = store.change(version(stored()))
    second = store.change(lambda before: with_rules(before, [replace(stored(), status=DISABLED)], did="disabled 1"))
    assert second.parent == first.hash
    assert store.read().hash == second.hash
    assert store.read(first.hash[:10]).hash == first.hash  # NaN in a vector: versions are compared by their hash
    assert [s.status for s in store.read(first.hash).rules] == [ADOPTED]
    assert store.read().active == []
    other = RuleStore(tmp_path / "other").change(version(stored()))
    assert other.hash == first.hash
    assert other.hash != RuleStore(tmp_path / "third").change(version(stored(value=0.25))).hash


def test_a_change_that_changes_nothing_is_no_version(tmp_path):
    store = RuleStore(tmp_path)
    whole = version(stored(vector=(1.0, 2.0)))
    before = store.change(whole)
    assert store.change(lambda now: replace(whole(now), did="again")).hash == before.hash
    assert store.versions() == [before.hash]


def test_the_table_has_what_is_adopted_for_the_instrument(tmp_path):
    rules = stored(1), stored(2, status=DISABLED), stored(3, instrument="a:B")
    made = RuleStore(tmp_path).change(version(*rules))
    columns = {"volatility": 0, "spread": 1}
    assert made.table("a:C", columns, 8).number.tolist() == [1]
    table = made.table("a:B", columns, 8)
    assert table.number.tolist() == [1, 3]
    assert consult_once(table, np.array([0.0, 0.6])) == 0
    assert consult_once(table, np.array([0.6, 0.4])) == -1
    with pytest.raises(TickwaxError, match=r"^rules.store: rule 1 compares 'spread'"):
        made.table("a:C", {"volatility": 0}, 8)


def test_damage_is_told(tmp_path):
    store = RuleStore(tmp_path)
    made = store.change(version(stored()))
    file = tmp_path / "versions" / f"{made.hash}.parquet"
    whole = file.read_bytes()
    for end in (0, 4, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(TickwaxError, match=r"^rules.store: .* is damaged"):
            store.read()
    (tmp_path / "versions" / f"{'0' * 64}.parquet").write_bytes(whole)
    with pytest.raises(TickwaxError, match="is not what was written"):
        store.read("0000")
    file.unlink()
    with pytest.raises(TickwaxError, match="is not there"):
        store.read()
    (tmp_path / "HEAD").write_text("../../etc/passwd\n")
    with pytest.raises(TickwaxError, match="names no version"):
        store.read()
    (tmp_path / "HEAD").unlink()
    with pytest.raises(TickwaxError, match="has versions and no HEAD"):
        store.read()
    with pytest.raises(TickwaxError, match=r"^rules.version: 'zz': there is no such version"):
        store.read("zz")


def test_one_writer_at_a_time(tmp_path):
    store = RuleStore(tmp_path)

    def meanwhile(before):
        with pytest.raises(TickwaxError, match="another process writes to it"):
            RuleStore(tmp_path).change(version(stored()))
        return before

    store.change(meanwhile)


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from sinks.rule_store import RuleStore, StoredRule, with_rules
from operators.rules.rule import parse_rule

store = RuleStore(Path(sys.argv[1]))
rule = parse_rule('{"when": [{"column": "a", "op": ">", "value": 1}], "action": "veto"}')
while True:
    n = len(store.read().rules) + 1
    after = store.change(lambda before: with_rules(before, [StoredRule(n, rule, "refused", (), (), {"n": n})]))
    print(n, after.hash, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.soak)])
def test_kills_lose_nothing_that_was_told(tmp_path, kills):
    told = 0
    for n in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        time.sleep(0.003 * (n % 20))
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.read().splitlines()
        writer.wait()
        told = max([told, *(int(line.split()[0]) for line in lines if len(line.split()) == 2)])
        now = RuleStore(tmp_path).read()
        assert told <= len(now.rules) <= told + 1
        assert [s.number for s in now.rules] == list(range(1, len(now.rules) + 1))
        assert json.dumps([dict(s.lineage) for s in now.rules]) == json.dumps([{"n": s.number} for s in now.rules])
        told = len(now.rules)
