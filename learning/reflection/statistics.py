"""The embedded reflector: shallow regression trees of the outcome, whose losing leaves are proposals.

Deterministic: the same episodes give the same proposals. Trees are scikit-learn's (Breiman et al. 1984, CART).
"""

from collections.abc import Iterator

import numpy as np

from learning.reflection.adoption import held_in
from learning.reflection.table import EpisodeTable
from learning.reflection.testing import examine
from operators.rules.rule import MOST_COMPARISONS, Comparison, Rule
from operators.rules.schemas import PRICE_LEVELS
from sources.tape.batch import Float64s

_ALIKE = 0.8  # rules that hold in the same episodes, by Jaccard's index, are one proposal
_WORTH_A_TEST = 0.05  # every proposal makes adoption harder for all: those that do not even fit are not made


def propose(seen: EpisodeTable, most: int, least: int) -> list[Rule]:
    """Propose rules, the best first.

    Args:
        seen: the episodes to learn from.
        most: how many are proposed.
        least: episodes in which one must hold.
    """
    columns = {name: column for name, column in seen.entry.items() if _usable(name, column)}
    if len(seen) < 2 * least or not columns:
        return []
    names = list(columns)
    x = np.column_stack([np.where(np.isnan(column), np.nanmedian(column), column) for column in columns.values()])
    leaves = (_pruned(rule, seen) for rule in _leaves(x, names, seen.net_bp, least))
    found = {rule.identity: rule for rule in leaves}
    rules = list(found.values())
    ranked = []
    for rule, held in zip(rules, held_in(rules, seen), strict=True):
        evidence = examine(seen.net_bp, seen.opened, held)
        if evidence.episodes >= least and evidence.p <= _WORTH_A_TEST:
            ranked.append((evidence.p, len(rule.when), rule.identity, rule, held))
    chosen: list[tuple[Rule, np.ndarray]] = []
    for _, _, _, rule, held in sorted(ranked, key=lambda each: each[:3]):
        if all((held & other).sum() <= _ALIKE * (held | other).sum() for _, other in chosen):
            chosen.append((rule, held))
        if len(chosen) == most:
            break
    return [rule for rule, _ in chosen]


def _pruned(rule: Rule, seen: EpisodeTable) -> Rule:
    """The rule without comparisons that tell no good episodes from bad ones: what one lets through loses as well."""
    for n in range(len(rule.when)):
        if len(rule.when) > 1:
            wider = rule.model_copy(update={"when": rule.when[:n] + rule.when[n + 1 :]})
            held, all_of = held_in([rule, wider], seen)
            spared = seen.net_bp[all_of & ~held]
            if len(spared) == 0 or float(spared.mean()) < 0.0:
                return _pruned(wider, seen)
    return rule


def _usable(name: str, column: Float64s) -> bool:
    known = column[~np.isnan(column)]
    return name not in PRICE_LEVELS and 2 * len(known) >= len(column) > 0 and float(known.min()) < float(known.max())


def _leaves(x: Float64s, names: list[str], net: Float64s, least: int) -> Iterator[Rule]:
    """Losing leaves of a stump on each column, and of trees of two and three comparisons on all of them."""
    from sklearn.tree import DecisionTreeRegressor

    tries = [(1, [n]) for n in range(len(names))] + [
        (depth, list(range(len(names)))) for depth in (2, MOST_COMPARISONS)
    ]
    for depth, chosen in tries:
        tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=least, random_state=0)
        fitted = tree.fit(x[:, chosen], net).tree_
        for when in _paths(fitted, [names[n] for n in chosen], 0, ()):
            yield Rule(when=when, action="veto", rationale="a leaf of a regression tree, whose episodes lose")


def _paths(tree: object, names: list[str], node: int, path: tuple[Comparison, ...]) -> Iterator[tuple[Comparison, ...]]:
    left, right = tree.children_left[node], tree.children_right[node]  # type: ignore[attr-defined]
    if left < 0:
        if path and float(tree.value[node].ravel()[0]) < 0:  # type: ignore[attr-defined]
            yield path
        return
    name = names[tree.feature[node]]  # type: ignore[attr-defined]
    threshold = float(tree.threshold[node])  # type: ignore[attr-defined]
    yield from _paths(tree, names, left, (*path, Comparison(column=name, op="<=", value=threshold)))
    yield from _paths(tree, names, right, (*path, Comparison(column=name, op=">", value=threshold)))
