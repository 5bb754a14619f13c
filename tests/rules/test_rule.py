"""Rules as data: what parses, what is refused in a line, and that the kernel holds what the words say."""

import json
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.rules.rule import Rule, parse_rule
from operators.rules.table import consult_once, holding, make_table, nearest_rules
from sources.errors import TickwaxError

GOOD = {"when": [{"column": "spread", "op": ">", "value": 0.3}], "action": "veto", "rationale": "wide"}
OPS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def test_a_rule_in_words():
    assert parse_rule(json.dumps(GOOD)).words == "when spread > 0.3: no new position"
    two = [*GOOD["when"], {"column": "volatility", "op": "<=", "value": 1}]
    half = parse_rule({"when": two, "action": "scale", "scale": 0.5, "instrument": "venue:A"})
    assert half.words == "when spread > 0.3 and volatility <= 1: new positions at 0.5 of their size (venue:A alone)"


def test_identity_is_what_it_does():
    two = [{"column": "a", "op": ">", "value": 1}, {"column": "b", "op": "<", "value": 2}]
    rule = parse_rule({"when": two, "action": "veto"})
    assert rule.identity == parse_rule({"when": two[::-1], "action": "veto", "rationale": "other"}).identity
    assert rule.identity != parse_rule({"when": two[:1], "action": "veto"}).identity


def bad(**changes):
    return {**GOOD, **changes}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("{", "not JSON"),
        ("[" * 10_000, "not JSON"),
        ("x" * 20_000, "20,000 bytes"),
        ("[]", "dictionary"),
        (bad(when=[]), "when"),
        (bad(when=GOOD["when"] * 4), "when"),
        (bad(when=[{"column": "__import__('os')", "op": ">", "value": 1}]), "when.0.column"),
        (bad(when=[{"column": "no_such", "op": ">", "value": 1}]), "when.0.column: 'no_such' is no column"),
        (bad(when=[{"column": "spread", "op": "==", "value": 1}]), "when.0.op"),
        (bad(when=[{"column": "spread", "op": ">", "value": float("nan")}]), "nan is not a finite number"),
        (bad(when=[{"column": "spread", "op": ">", "value": True}]), "True is not a finite number"),
        (bad(when=[{"column": "spread", "op": ">", "value": "1"}]), "'1' is not a finite number"),
        (bad(when=[{"column": "spread", "op": o, "value": v} for o, v in ((">", 2), ("<", 2))]), "no spread is above"),
        (bad(action="buy"), "action"),
        (bad(action="scale"), "scale: 0 is not between 0 and 1"),
        (bad(scale=0.5), "does not go with a veto"),
        (bad(action="scale", scale=1.5), "scale"),
        (bad(code="print(1)"), "code: unknown key"),
        (bad(rationale="x" * 401), "rationale"),
        (bad(instrument="a b:c"), "instrument"),
        ({"action": "veto"}, "when: is missing"),
    ],
)
def test_bad_rules_are_refused_in_a_line(said, line):
    with pytest.raises(TickwaxError) as e:
        parse_rule(said, ["spread"], "rules.0")
    assert str(e.value).startswith("rules.0")
    assert line in str(e.value)
    assert "\n" not in str(e.value)
    assert len(str(e.value)) <= 240


def test_a_rationale_cannot_write_on_the_terminal():
    assert parse_rule(bad(rationale="\x1b[2Jgone\nthere")).rationale == "[2Jgone there"


numbers = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0])
comparisons = st.fixed_dictionaries(
    {"column": st.sampled_from("abc"), "op": st.sampled_from(list(OPS)), "value": numbers}
)
contexts = st.lists(st.tuples(*[numbers | st.just(float("nan"))] * 3), min_size=1, max_size=6)


def rules_of(drawn):
    out = []
    for n, when in enumerate(drawn):
        try:
            action = {"action": "veto"} if n % 2 else {"action": "scale", "scale": 0.5}
            out.append(parse_rule({"when": when, **action}))
        except TickwaxError:
            continue
    return out


def really_holds(rule: Rule, row: dict[str, float]) -> bool:
    return all(OPS[c.op](row[c.column], c.value) for c in rule.when)


@given(st.lists(st.lists(comparisons, min_size=1, max_size=3), max_size=5), contexts)
@settings(max_examples=60, deadline=None)
def test_the_kernel_holds_what_the_words_say(drawn, rows):
    rules = rules_of(drawn)
    found = holding(rules, {name: np.array([row[i] for row in rows]) for i, name in enumerate("abc")})
    wanted = [[really_holds(rule, dict(zip("abc", row, strict=True))) for row in rows] for rule in rules]
    assert found.tolist() == wanted


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_search_is_exact(seed, nearest, rules):
    random = np.random.default_rng(seed)
    vectors = random.integers(-2, 3, (rules, 4)).astype(float)  # whole numbers: ties are frequent
    vectors[random.random(vectors.shape) < 0.1] = np.nan
    rule = parse_rule({"when": [{"column": "c0", "op": ">", "value": 0}], "action": "veto"})
    names = [f"c{i}" for i in range(4)]
    mean, spread = random.normal(size=4), random.uniform(0.5, 2, 4)
    table = make_table(
        [rule] * rules, range(rules), {name: 3 - i for i, name in enumerate(names)},
        names=names, mean=mean, spread=spread, vectors=vectors, nearest=nearest,
    )  # fmt: skip
    context = random.integers(-2, 3, 4).astype(float)
    n = nearest_rules(table, context)
    z, x = np.nan_to_num((vectors - mean) / spread), (context[::-1] - mean) / spread
    distance = [sum(((x - v) ** 2).tolist()) for v in z]
    wanted = sorted(range(rules), key=lambda r: (distance[r], r))[:nearest]
    assert table.chosen[:n].tolist() == wanted
    np.testing.assert_allclose(table.distance[wanted], np.sqrt([distance[r] for r in wanted]), rtol=1e-12)


def test_the_strictest_of_the_near_rules_decides():
    def rule(value, **action):
        return parse_rule({"when": [{"column": "a", "op": ">", "value": value}], **action})

    half, veto, far = rule(0, action="scale", scale=0.5), rule(1, action="veto"), rule(0, action="veto")
    table = make_table(
        [half, veto, far], [4, 5, 6], {"a": 0}, names=["a"], mean=[0], spread=[1], vectors=np.array([[0.0], [1], [9]]),
        nearest=2,
    )  # fmt: skip
    assert consult_once(table, np.array([0.5])) == 0  # the veto does not hold, and that of rule 6 is too far away
    assert consult_once(table, np.array([1.5])) == 1
    assert consult_once(table, np.array([-1.0])) == -1
    assert consult_once(table, np.array([np.nan])) == -1


def test_a_table_refuses_columns_that_there_are_not():
    rule = parse_rule(GOOD)
    with pytest.raises(ValueError, match="rule 7 compares 'spread'"):
        make_table([rule], [7], {"other": 0})
    with pytest.raises(ValueError, match="'mid'"):
        make_table([rule], [7], {"spread": 0}, names=["mid"], mean=[0], spread=[1])
