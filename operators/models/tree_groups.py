"""Trees side by side: sixteen are walked at a time, so that the processor need not wait for one node to ask the next.

Each tree of a group takes as many steps as the deepest: a leaf leads to itself. Which leaf is reached does not depend
on the order, and the leaves are summed in the order of the trees, so the sums are the same.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.models.jit import kernel
from operators.models.lightgbm_text import MISSING_ZERO, Forest
from sources.tape.batch import Float64s, Int64s

Bits = npt.NDArray[np.uint64]

SIDE_BY_SIDE = 16
MOST_COLUMNS = 1 << 16
_FEATURE = np.uint64(MOST_COLUMNS - 1)
_SHIFT = np.uint64(16)


class Groups(NamedTuple):
    """Nodes and leaves of all trees, those of equal depth together.

    Attributes:
        node: shape ``(nodes, 2)``: threshold, of a leaf infinite; the other half is seen in ``bits``.
        bits: the same memory: column, and from bit 16 on the number of the left child, behind which the right one lies;
            of a leaf its own.
        leaf: value of each leaf, shape ``(nodes,)``.
        root: of each place of a group, shape ``(groups · 16,)``.
        tree: likewise, its number in the forest; of a place that is left over one behind the last.
        depth: of each group, shape ``(groups,)``.
        usable: whether a row without NaN may be walked so, shape ``(1,)``.
    """

    node: Float64s
    bits: Bits
    leaf: Float64s
    root: Bits
    tree: Int64s
    depth: Int64s
    usable: Int64s


def make_groups(forest: Forest, columns: int) -> Groups:
    """Put the trees of a forest side by side."""
    nodes, trees = len(forest.feature), len(forest.root)
    every = nodes + len(forest.leaf)
    child = np.where(forest.child >= 0, forest.child, nodes + ~forest.child)
    roots = np.where(forest.root >= 0, forest.root, nodes + ~forest.root)
    depth = np.zeros(every, np.int64)
    for n in range(nodes - 1, -1, -1):  # a child comes after its parent
        depth[n] = 1 + depth[child[n]].max()
    order = np.argsort(depth[roots], kind="stable")
    number = np.zeros(every, np.int64)
    old: list[int] = []  # by new number
    for tree in order.tolist():
        first = len(old)
        old.append(int(roots[tree]))
        while first < len(old):  # children side by side, behind all that came before
            n = old[first]
            number[n] = first
            if n < nodes:
                old += child[n].tolist()
            first += 1
    at = np.array(old, np.int64)
    is_node = at < nodes
    inner = at[is_node]
    left, feature = np.arange(every), np.zeros(every, np.int64)
    left[is_node], feature[is_node] = number[child[inner, 0]], forest.feature[inner]
    node = np.full((every, 2), np.inf)
    node[is_node, 0] = forest.threshold[inner]
    bits = node.view(np.uint64)
    bits[:, 1] = left.astype(np.uint64) << _SHIFT | feature.astype(np.uint64)
    leaf = np.zeros(every)
    leaf[~is_node] = forest.leaf[at[~is_node] - nodes]
    left_over = -trees % SIDE_BY_SIDE
    places = np.concatenate([order, np.repeat(order[-1:], left_over)])
    plain = not (forest.decision >> 2 == MISSING_ZERO).any()
    return Groups(
        node,
        bits,
        leaf,
        number[roots[places]].astype(np.uint64),
        np.concatenate([order, np.full(left_over, trees)]),
        depth[roots[places]].reshape(-1, SIDE_BY_SIDE).max(axis=1),
        np.array([plain and columns <= MOST_COLUMNS and trees > 0], np.int64),
    )


@kernel
def reach(x: Float64s, groups: Groups, room: Any, out: Float64s) -> None:
    """Fill ``out``, shape ``(trees + 1,)``, with the leaf of each tree for a row without NaN.

    Args:
        room: shape ``(16,)``, of uint64: numbers that cannot be negative are not looked at for it.
    """
    one = np.uint64(1)
    for g in range(len(groups.depth)):
        first = g * SIDE_BY_SIDE
        for k in range(SIDE_BY_SIDE):
            room[k] = groups.root[first + k]
        for _ in range(groups.depth[g]):
            for k in range(SIDE_BY_SIDE):
                n = room[k]
                bits = groups.bits[n, one]
                room[k] = (bits >> _SHIFT) + np.uint64(not x[bits & _FEATURE] <= groups.node[n, np.uint64(0)])
        for k in range(SIDE_BY_SIDE):
            out[groups.tree[first + k]] = groups.leaf[room[k]]
