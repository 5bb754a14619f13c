"""Which proposed rules are adopted, and which adopted ones expire (docs/reflecting.md, 5)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from learning.reflection.table import EpisodeTable
from learning.reflection.testing import Evidence, adjusted, examine
from operators.rules.rule import Rule
from operators.rules.table import holding
from sources.tape.batch import Float64s

Mask = npt.NDArray[np.bool_]


class Verdict(NamedTuple):
    """What becomes of a rule.

    Attributes:
        adopted: whether it is.
        evidence: of the test.
        q: the adjusted p-value.
        reason: why it is not adopted; empty if it is.
        vector: mean of each column over its test episodes, in the order of ``names``.
    """

    rule: Rule
    adopted: bool
    evidence: Evidence
    q: float
    reason: str
    vector: Float64s


def judge(
    proposals: Sequence[Rule],
    unseen: EpisodeTable,
    before: Sequence[float],
    active: Sequence[Rule],
    names: Sequence[str],
    level: float,
    least: int,
) -> list[Verdict]:
    """Test proposals, best evidence first, and tell which are adopted.

    Args:
        unseen: episodes that their reflector has not seen.
        before: p-values of everything that was tested earlier.
        active: rules that are adopted already.
        names: columns of a rule's vector.
        level: false-discovery rate over everything ever tested.
        least: episodes in which a rule must hold.
    """
    if not proposals:
        return []
    held = held_in(proposals, unseen)
    evidence = [_tested(unseen, mask, least) for mask in held]
    q = adjusted([*before, *(e.p for e in evidence)])[len(before) :]
    covered = np.zeros(len(unseen), np.bool_)
    for mask in held_in(active, unseen):
        covered |= mask
    verdicts: dict[int, Verdict] = {}
    for i in sorted(range(len(proposals)), key=lambda i: (evidence[i].p, len(proposals[i].when), i)):
        reason = _reason(evidence[i], q[i], level, least)
        if not reason and covered.any():
            rest = ~covered
            alone = _tested(unseen.take(rest), held[i][rest], least)
            if alone.p > level:
                reason = f"what it forbids is forbidden already: beyond that, {_told(alone)}"
        if not reason:
            covered |= held[i]
        vector = mean_vector(unseen.take(held[i]), names)
        verdicts[i] = Verdict(proposals[i], not reason, evidence[i], q[i], reason, vector)
    return [verdicts[i] for i in range(len(proposals))]


def expired(rules: Sequence[Rule], newer: Sequence[EpisodeTable], least: int) -> list[Evidence | None]:
    """Of adopted rules: the evidence by which one fails on newer episodes; None where it does not.

    It fails if its episodes no longer lose, or are no worse than the others.

    Args:
        newer: for each rule, episodes after those that it was adopted on.
        least: episodes in which it must hold to be judged.
    """
    out: list[Evidence | None] = []
    for rule, table in zip(rules, newer, strict=True):
        evidence = _tested(table, held_in([rule], table)[0], least)
        fails = evidence.episodes >= least and (evidence.mean >= 0.0 or evidence.mean >= evidence.others)
        out.append(evidence if fails else None)
    return out


def held_in(rules: Sequence[Rule], table: EpisodeTable) -> Mask:
    """Where each rule holds, shape ``(rules, episodes)``."""
    if not rules:
        return np.zeros((0, len(table)), np.bool_)
    held = holding(rules, table.entry)
    for mask, rule in zip(held, rules, strict=True):
        if rule.instrument:
            mask &= table.instrument == rule.instrument
    return held


def mean_vector(table: EpisodeTable, names: Sequence[str]) -> Float64s:
    """Mean of columns, what is not known left out; NaN where nothing is known."""
    out = np.full(len(names), np.nan)
    for n, name in enumerate(names):
        known = table.entry[name][~np.isnan(table.entry[name])]
        if len(known):
            out[n] = known.mean()
    return out


def _tested(table: EpisodeTable, held: Mask, least: int) -> Evidence:
    evidence = examine(table.net_bp, table.opened, held)
    return evidence._replace(p=1.0) if evidence.episodes < least else evidence


def _reason(evidence: Evidence, q: float, level: float, least: int) -> str:
    if evidence.episodes < least:
        return f"holds in {evidence.episodes:,} unseen episodes; at least {least:,} are needed"
    if q > level:
        return f"{_told(evidence)}: q = {q:.3g} is above {level:g}"
    return ""


def _told(e: Evidence) -> str:
    return f"{e.episodes:,} episodes with {e.mean:+.2f} ± {e.error:.2f} bp, others {e.others:+.2f} bp"
