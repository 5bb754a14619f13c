"""Rules as arrays, and the kernels that evaluate them (docs/reflecting.md, 1 and 3).

A *context* is one feature row: its columns of float64 in the order of the data set, shape ``(columns,)``.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.rules.jit import entry_kernel, kernel
from operators.rules.rule import MOST_COMPARISONS, OPERATORS, Rule
from sources.tape.batch import Float64s, Int64s

_BELOW, _AT_MOST, _ABOVE, _AT_LEAST = range(4)  # as in `OPERATORS`


class RuleTable(NamedTuple):
    """Rules that a run consults.

    Attributes:
        column: row of the context that a comparison looks at, −1 where there is none, shape ``(3, rules)``.
        op: as in `OPERATORS`, shape ``(3, rules)``.
        value: that it is held against, shape ``(3, rules)``.
        scale: share of a new position that is left, shape ``(rules,)``.
        number: of the rule in its store, shape ``(rules,)``.
        row: of the context, that a column of vectors is, shape ``(dimensions,)``.
        mean, spread: what a column is standardised by, shape ``(dimensions,)``.
        centre: standardised mean context of each rule's episodes, shape ``(dimensions, rules)``.
        nearest: how many of the nearest rules are consulted, shape ``(1,)``.
        distance: room, shape ``(rules,)``.
        chosen: room, shape ``(nearest,)``.
    """

    column: Int64s
    op: Int64s
    value: Float64s
    scale: Float64s
    number: Int64s
    row: Int64s
    mean: Float64s
    spread: Float64s
    centre: Float64s
    nearest: Int64s
    distance: Float64s
    chosen: Int64s


def make_table(
    rules: Sequence[Rule],
    numbers: Sequence[int],
    columns: Mapping[str, int],
    *,
    names: Sequence[str] = (),
    mean: Sequence[float] | Float64s = (),
    spread: Sequence[float] | Float64s = (),
    vectors: Float64s | None = None,
    nearest: int = 8,
) -> RuleTable:
    """Put rules into arrays.

    Args:
        numbers: of the rules in their store; ties of distances go to the rule that stands first.
        columns: row of the context of each column.
        names: columns of the vectors; ``mean``, ``spread`` what they are standardised by.
        vectors: mean context of each rule's episodes, shape ``(rules, dimensions)``; what is not known is NaN.

    Raises:
        ValueError: a rule, or a vector, is of a column that there is not.
    """
    n = len(rules)
    column = np.full((MOST_COMPARISONS, n), -1, np.int64)
    op, value = np.zeros((MOST_COMPARISONS, n), np.int64), np.zeros((MOST_COMPARISONS, n))
    for r, rule in enumerate(rules):
        for c, comparison in enumerate(rule.when):
            if comparison.column not in columns:
                raise ValueError(
                    f"rule {numbers[r]} compares {comparison.column!r}, which is no column of these features"
                )
            column[c, r] = columns[comparison.column]
            op[c, r], value[c, r] = OPERATORS.index(comparison.op), comparison.value
    if lost := next((name for name in names if name not in columns), None):
        raise ValueError(f"the store's vectors have the column {lost!r}, which is none of these features")
    vectors = np.full((n, len(names)), np.nan) if vectors is None else vectors
    return RuleTable(
        column=column,
        op=op,
        value=value,
        scale=np.array([rule.scale for rule in rules], np.float64),
        number=np.array(numbers, np.int64),
        row=np.array([columns[name] for name in names], np.int64),
        mean=np.array(mean, np.float64),
        spread=np.array(spread, np.float64),
        centre=standardised(vectors, np.array(mean, np.float64), np.array(spread, np.float64)),
        nearest=np.array([nearest], np.int64),
        distance=np.zeros(n),
        chosen=np.zeros(max(1, min(nearest, n)), np.int64),
    )


def standardised(vectors: Float64s, mean: Float64s, spread: Float64s) -> Float64s:
    """``(vector − mean)/spread``, 0 where it is not known, shape ``(dimensions, vectors)``."""
    z: Float64s = (vectors - mean) / spread
    return np.ascontiguousarray(np.where(np.isnan(z), 0.0, z).T)


@kernel
def holds(table: RuleTable, r: int, context: Float64s) -> bool:
    """Whether all comparisons of rule ``r`` hold; none holds of NaN."""
    for c in range(table.column.shape[0]):
        row = table.column[c, r]
        if row >= 0:
            x, y, op = context[row], table.value[c, r], table.op[c, r]
            if op == _BELOW:
                good = x < y
            elif op == _AT_MOST:
                good = x <= y
            elif op == _ABOVE:
                good = x > y
            else:
                good = x >= y
            if not good:
                return False
    return True


@kernel
def find_nearest(table: RuleTable, context: Float64s) -> int:
    """Put the rules nearest to a context into ``table.chosen``, the nearest first; tells how many there are.

    The distance is Euclidean, of standardised columns; what is not known counts as the mean. Each sum runs over the
    columns in their order, rules side by side, so that the bits are the same on every machine. Of equals the rule that
    stands first in the table is nearer.
    """
    distance, chosen, rules = table.distance, table.chosen, len(table.scale)
    for r in range(rules):
        distance[r] = 0.0
    for d in range(len(table.row)):
        x = (context[table.row[d]] - table.mean[d]) / table.spread[d]
        if np.isnan(x):
            x = 0.0
        for r in range(rules):
            apart = x - table.centre[d, r]
            distance[r] += apart * apart
    most, n = min(len(chosen), table.nearest[0]), 0
    for r in range(rules):
        if n < most or distance[r] < distance[chosen[n - 1]]:
            at = n if n < most else n - 1
            while at > 0 and distance[r] < distance[chosen[at - 1]]:
                chosen[at] = chosen[at - 1]
                at -= 1
            chosen[at] = r
            n = min(n + 1, most)
    for i in range(n):
        distance[chosen[i]] = np.sqrt(distance[chosen[i]])
    return n


@kernel
def consult(table: RuleTable, context: Float64s) -> int:
    """The rule that decides: of the nearest ones that hold the strictest, of equals the nearest; −1 if none holds."""
    decides = -1
    for i in range(find_nearest(table, context)):
        r = table.chosen[i]
        if holds(table, r, context) and (decides < 0 or table.scale[r] < table.scale[decides]):
            decides = r
    return decides


@entry_kernel
def consult_once(table: RuleTable, context: Float64s) -> int:
    """`consult`, for Python."""
    return consult(table, context)


@entry_kernel
def nearest_rules(table: RuleTable, context: Float64s) -> int:
    """`find_nearest`, for Python."""
    return find_nearest(table, context)


@entry_kernel
def fill_holding(table: RuleTable, contexts: Float64s, out: npt.NDArray[np.bool_]) -> None:
    """Whether each rule holds in each context.

    Args:
        contexts: shape ``(columns, contexts)``; out: to be filled, shape ``(rules, contexts)``.
    """
    for r in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[r, i] = holds(table, r, contexts[:, i])


def holding(rules: Sequence[Rule], columns: Mapping[str, Float64s]) -> npt.NDArray[np.bool_]:
    """Whether each rule holds in each row of columns, shape ``(rules, rows)``.

    Raises:
        ValueError: a rule compares a column that there is not.
    """
    used = sorted({c.column for rule in rules for c in rule.when} & set(columns))
    table = make_table(rules, range(len(rules)), {name: n for n, name in enumerate(used)})
    rows = len(next(iter(columns.values()), ()))
    out = np.zeros((len(rules), rows), np.bool_)
    if used:
        fill_holding(table, np.array([columns[name] for name in used]), out)
    return out
