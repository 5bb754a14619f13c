"""Trees as bits: for each tree, which of its leaves a row may still reach.

QuickScorer (Lucchese et al. 2015, SIGIR, §3): a node that sends a row to the right rules out the leaves on its left. If
all such nodes of a tree have spoken, the first leaf that is left is the one that a walk would reach. The nodes that ask
for one column are sorted by threshold, so those that send a row to the right are the first ones. Beyond the paper: what
each 32 of them rule out together is written down beforehand.

Which leaf is reached does not depend on how it is found, so the sums are the same.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.models.jit import kernel
from operators.models.lightgbm_text import MISSING_ZERO, Forest, Int32s
from operators.models.lowest_bit import lowest_bit
from sources.tape.batch import Float64s, Int64s

MOST_LEAVES = 64  # of a tree
TOGETHER = 32  # nodes of a column
MOST_BYTES = 1 << 22  # of what is written down; more would not stay near the processor
_ABREAST = 4  # columns whose rows of `Vectors.known` are put together at a time
Bits = npt.NDArray[Any]  # uint16 where no tree has more than 16 leaves, else uint64


class Vectors(NamedTuple):
    """Nodes by column and threshold, and the leaves of each tree from left to right.

    Attributes:
        threshold: of the nodes of each column, rising, shape ``(columns, a power of 2)``; infinite behind them.
        tree: of each node, shape ``(nodes,)``.
        mask: likewise: a 0 for each leaf on its left.
        first: of each column, its first node, and the first of its rows in ``known``; shape ``(columns or more, 2)``,
            a multiple of 4 whose last ones have no nodes.
        known: what the first 0, 32, 64, … nodes of a column rule out of each tree, shape ``(rows, trees)``.
        leaf: value of each leaf, shape ``(leaves,)``; ``begin``: of each tree, its first leaf, shape ``(trees,)``.
    """

    threshold: Float64s
    tree: Int32s
    mask: Bits
    first: Int64s
    known: Bits
    leaf: Float64s
    begin: Int64s


def make_vectors(forest: Forest, columns: int) -> Vectors | None:
    """The trees of a forest as bits; None where there are none, they are too many, one has too many leaves, or to one 0
    is missing."""
    trees, nodes = len(forest.root), len(forest.feature)
    left, right = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)  # first leaf of either side
    tree = np.zeros(nodes, np.int32)
    leaves: list[int] = []
    begin = []
    for number, root in enumerate(forest.root.tolist()):
        begin.append(len(leaves))
        ahead = [(root, -1)]
        while ahead:
            node, parent = ahead.pop()
            if parent >= 0:
                right[parent] = len(leaves) - begin[-1]
            if node < 0:
                leaves.append(~node)
                continue
            tree[node], left[node] = number, len(leaves) - begin[-1]
            below = forest.child[node].tolist()
            ahead += [(below[1], node), (below[0], -1)]
    most = max(np.diff([*begin, len(leaves)]), default=0)
    if not 0 < most <= MOST_LEAVES or (forest.decision >> 2 == MISSING_ZERO).any():
        return None
    one, every = np.uint64(1), ~np.uint64(0)
    below_right = (one << right.astype(np.uint64)) - one  # a right side is never behind the 64th leaf
    ruled_out = below_right & ~((one << left.astype(np.uint64)) - one)
    mask = (every ^ ruled_out).astype(np.uint16 if most <= 16 else np.uint64)
    order = np.lexsort((np.arange(nodes), forest.threshold, forest.feature))
    bounds = np.searchsorted(forest.feature[order], np.arange(columns + 1))
    longest = 1 << int(np.diff(bounds).max()).bit_length()
    if max(columns * longest * 8, (nodes // TOGETHER + columns) * trees * mask.itemsize) > MOST_BYTES:
        return None
    threshold = np.full((columns, longest), np.inf)
    known: list[Bits] = []
    first = np.zeros((-(-columns // _ABREAST) * _ABREAST, 2), np.int64)
    for c in range(columns):
        mine = order[bounds[c] : bounds[c + 1]]
        threshold[c, : len(mine)] = forest.threshold[mine]
        first[c] = bounds[c], len(known)
        vector = np.full(trees, every).astype(mask.dtype)
        known.append(vector.copy())
        for n, node in enumerate(mine.tolist(), 1):
            vector[tree[node]] &= mask[node]
            if n % TOGETHER == 0:
                known.append(vector.copy())
    return Vectors(
        threshold, tree[order], mask[order], first, np.array(known), forest.leaf[np.array(leaves)],
        np.array(begin, np.int64),
    )  # fmt: skip


@kernel
def reach_by_bits(x: Float64s, vectors: Vectors, room: Bits, at: Int64s, out: Float64s) -> None:
    """Fill ``out``, shape ``(trees,)``, with the leaf of each tree for a row without NaN.

    Args:
        room: shape ``(trees,)``, of the type of ``vectors.mask``; ``at``: shape ``(len(vectors.first),)``.
    """
    columns, half = vectors.threshold.shape
    at[:] = 0
    while half > 1:  # of each column, how many thresholds are less: all searches abreast
        half >>= 1
        for c in range(columns):
            at[c] += half if vectors.threshold[c, at[c] + half - 1] < x[c] else 0
    for c in range(0, len(at), _ABREAST):
        k = vectors.known[vectors.first[c, 1] + at[c] // TOGETHER]
        j = vectors.known[vectors.first[c + 1, 1] + at[c + 1] // TOGETHER]
        m = vectors.known[vectors.first[c + 2, 1] + at[c + 2] // TOGETHER]
        n = vectors.known[vectors.first[c + 3, 1] + at[c + 3] // TOGETHER]
        if c == 0:
            for t in range(len(room)):
                room[t] = k[t] & j[t] & m[t] & n[t]
        else:
            for t in range(len(room)):
                room[t] &= k[t] & j[t] & m[t] & n[t]
    for c in range(columns):
        start = vectors.first[c, 0]
        for node in range(start + at[c] // TOGETHER * TOGETHER, start + at[c]):
            room[vectors.tree[node]] &= vectors.mask[node]
    for t in range(len(room)):
        out[t] = vectors.leaf[vectors.begin[t] + np.int64(lowest_bit(room[t]))]
