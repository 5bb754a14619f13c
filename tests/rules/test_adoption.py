"""Adoption: the test and its error rates, the divide in time, what is covered already, and what expires."""

import numpy as np
import pytest
from scipy import stats

from learning.reflection.adoption import expired, held_in, judge
from learning.reflection.statistics import propose
from learning.reflection.table import split_by_time
from learning.reflection.testing import adjusted, examine
from operators.rules.rule import parse_rule
from tests.rules.synthetic_episodes import SECOND, made

MINUTE = 60 * SECOND


def rule(column, op, value, **more):
    return parse_rule({"when": [{"column": column, "op": op, "value": value}], "action": "veto", **more})


PLANTED = rule("spread", ">", 1.5)


def reflected(seed, planted, before=(), scripted=False):
    table = made(seed, planted)
    seen, unseen = split_by_time(table, 0.5, MINUTE)
    if scripted:
        random = np.random.default_rng(seed)
        wrong = [rule(f"noise_{n}", "<>"[n % 2], float(random.normal())) for n in range(9)]
        proposals = [*wrong[:4], PLANTED, *wrong[4:]]
    else:
        proposals = propose(seen, 10, 30)
    return table, judge(proposals, unseen, before, [], sorted(table.entry), 0.05, 30)


def alike(one, table):
    held, truth = held_in([one, PLANTED], table)
    return (held & truth).sum() / (held | truth).sum()


@pytest.mark.parametrize("scripted", [False, True])
def test_a_planted_habit_is_found_and_it_alone(scripted):
    found = 0
    for seed in range(20):
        table, verdicts = reflected(seed, planted=True, scripted=scripted)
        adopted = [v for v in verdicts if v.adopted]
        found += len(adopted) == 1 and alike(adopted[0].rule, table) > 0.7
        assert all(v.reason for v in verdicts if not v.adopted)
    assert found >= 18


@pytest.mark.parametrize("scripted", [False, True])
def test_where_nothing_is_planted_nothing_is_adopted(scripted):
    assert sum(any(v.adopted for v in reflected(seed, False, scripted=scripted)[1]) for seed in range(20)) <= 1


def test_proposals_are_the_same_every_time():
    seen, _ = split_by_time(made(1, True), 0.5, MINUTE)
    assert propose(seen, 10, 30) == propose(seen, 10, 30)


def test_an_always_losing_strategy_adopts_no_random_rule():
    """Whatever it is kept from, it loses less: a rule must tell bad episodes from others."""
    table = made(4, False)
    table = table.take(slice(None))
    object.__setattr__(table, "net_bp", table.net_bp - 10.0)
    verdicts = judge([rule("noise_0", ">", 0)], table, [], [], ["spread"], 0.05, 30)
    assert not verdicts[0].adopted
    assert verdicts[0].evidence.mean < -5


def test_against_scipy_where_every_block_is_one_episode():
    random = np.random.default_rng(0)
    net = random.normal(-1, 3, 200)
    held = random.random(200) < 0.4
    opened = np.arange(200) * MINUTE
    e = examine(net, opened, held)
    mean = stats.ttest_1samp(net[held], 0, alternative="less")
    assert e.error == pytest.approx(stats.sem(net[held]), rel=1e-12)
    worse = stats.ttest_ind(net[held], net[~held], equal_var=False, alternative="less")
    # The same statistics; Welch's degrees of freedom are more than the smaller group's, which are taken here.
    assert e.p == pytest.approx(max(mean.pvalue, worse.pvalue), abs=0.02)
    assert e.p >= mean.pvalue - 1e-12


def test_episodes_of_one_minute_are_one_observation():
    random = np.random.default_rng(1)
    net, held = random.normal(-1, 3, 120), np.arange(120) % 2 == 0
    alone = examine(net, np.arange(120) * MINUTE, held)
    copies = examine(np.repeat(net, 5), np.repeat(np.arange(120) * MINUTE, 5), np.repeat(held, 5))
    assert copies.error == pytest.approx(alone.error, rel=1e-12)
    assert copies.p == pytest.approx(alone.p, rel=1e-2)


def test_under_the_null_p_is_not_small_too_often():
    random = np.random.default_rng(2)
    p = []
    for _ in range(400):
        net = random.standard_t(4, 150)
        p.append(examine(net, np.cumsum(random.integers(1, 40, 150)) * SECOND, random.random(150) < 0.4).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.075
    assert np.mean(np.array(p) <= 0.2) <= 0.24


def test_false_discoveries_are_held_by_hand():
    # Benjamini & Yekutieli: of m tests the k-th smallest p is multiplied by m/k·(1 + 1/2 + … + 1/m).
    assert adjusted([0.01, 0.04, 0.5]) == pytest.approx([0.01 * 3 * 11 / 6, 0.04 * 3 / 2 * 11 / 6, 0.5 * 11 / 6])
    assert adjusted([]) == []


def test_everything_ever_tested_counts():
    _, verdicts = reflected(2, True, scripted=True)
    q = next(v.q for v in verdicts if v.adopted)
    _, later = reflected(2, True, before=[0.9] * 5000, scripted=True)
    assert next(v.q for v in later if v.rule == PLANTED) > 50 * q


def test_learned_from_and_tested_on_are_apart():
    table = made(5, False)
    seen, unseen = split_by_time(table, 0.3, MINUTE)
    cut = table.opened[int(len(table) * 0.7)]
    assert seen.closed.max() < cut
    assert unseen.opened.min() >= cut + MINUTE
    gone = len(table) - len(seen) - len(unseen)
    straddling = ((table.opened < cut) & (table.closed >= cut)).sum()
    assert gone == straddling + ((table.opened >= cut) & (table.opened < cut + MINUTE)).sum()


def test_what_an_adopted_rule_covers_is_not_adopted_again():
    _, unseen = split_by_time(made(1, True), 0.5, MINUTE)
    wide, wider = rule("spread", ">", 1.5), rule("spread", ">", 1.6)
    first, second = judge([wide, wider], unseen, [], [], ["spread"], 0.05, 30)
    assert first.adopted != second.adopted
    (later,) = judge([wider], unseen, [], [wide], ["spread"], 0.05, 30)
    assert "forbidden already" in later.reason


def test_few_episodes_prove_nothing():
    table = made(1, True)
    (verdict,) = judge([rule("spread", ">", 5.0)], table, [], [], ["spread"], 0.05, 30)
    assert "at least 30 are needed" in verdict.reason
    assert verdict.evidence.p == 1.0


def test_a_rule_expires_where_it_fails():
    good, bad = made(1, True), made(3, True)
    object.__setattr__(bad, "net_bp", -bad.net_bp)
    fails = expired([PLANTED, PLANTED, PLANTED], [good, bad, good.take(slice(0, 20))], 30)
    assert [e is not None for e in fails] == [False, True, False]


def test_a_rule_for_one_instrument_holds_nowhere_else():
    table = made(1, True)
    table.instrument[::2] = "bybit_linear:ETHUSDT"
    everywhere, one = held_in([PLANTED, rule("spread", ">", 1.5, instrument="bybit_linear:ETHUSDT")], table)
    assert (one == everywhere & (table.instrument == "bybit_linear:ETHUSDT")).all()
    assert 0 < one.sum() < everywhere.sum()
