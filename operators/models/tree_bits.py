"""Trees as bits: for each tree, which of its leaves a row may still reach.

QuickScorer (Lucchese et al. 2015, SIGIR, §3): a node that sends a row to the right rules out the leaves on its left. If
all such nodes of a tree have spoken, the first leaf that is left is the one that a walk would reach. The nodes that ask
for one column are sorted by threshold, so those that send a row to the right are the first ones. Beyond the paper: what
each 32 of them rule out together is written down beforehand.

Which leaf is reached does not depend on how it is found. The leaves of a model are summed in the order of its trees,
those of all models side by side. So the sums are the same.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.models.jit import kernel
from operators.models.lightgbm_text import DEFAULT_LEFT, MISSING_NAN, MISSING_ZERO, Forest, Int32s
from operators.models.lowest_bit import lowest_bit
from sources.tape.batch import Float64s, Int64s

MOST_LEAVES = 64  # of a tree
TOGETHER = 32  # nodes of a column
MOST_BYTES = 1 << 22  # of what is written down; more would not stay near the processor
_ABREAST = 4  # columns whose rows of `Vectors.known` are put together at a time
Bits = npt.NDArray[Any]  # uint16 where no tree has more than 16 leaves, else uint64


class Vectors(NamedTuple):
    """Nodes by column and threshold, and the leaves of each tree from left to right.

    The *places* of trees are the first of each model, then the second, …; a model that has fewer trees than another has
    places of one leaf that is 0, which changes no sum.

    Attributes:
        threshold: of the nodes of each column, as binary search asks for them: the middle one, those in the middle of
            its halves, …; shape ``(a power of 2, columns)``, the first row of no use, infinite behind the last.
        place: of the tree of each node, by column and threshold, shape ``(nodes,)``.
        mask: likewise: a 0 for each leaf on its left.
        first: of each column, its first node, the first of its rows in ``known``, and that of a missing value; shape
            ``(columns or more, 3)``, a multiple of 4 whose last ones have no nodes: row 0 rules out nothing.
        known: what the first 0, 32, 64, … nodes of a column rule out of each tree, or all that send a missing value to
            the right; shape ``(rows, places)``.
        leaf: value of each leaf, shape ``(leaves,)``; ``begin``: of each tree, its first leaf, shape ``(places,)``.
    """

    threshold: Float64s
    place: Int32s
    mask: Bits
    first: Int64s
    known: Bits
    leaf: Float64s
    begin: Int64s


def make_vectors(forest: Forest, columns: int) -> Vectors | None:
    """The trees of a forest as bits; None where there are none, they are too many, one has too many leaves, or to one 0
    is missing."""
    models, nodes = len(forest.first) - 1, len(forest.feature)
    rounds = np.diff(forest.first)
    model = np.repeat(np.arange(models), rounds)
    place = (np.arange(len(forest.root)) - forest.first[model]) * models + model
    places = int(rounds.max(initial=0)) * models
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
    if max(columns * longest * 8, (nodes // TOGETHER + 2 * columns) * places * mask.itemsize) > MOST_BYTES:
        return None
    threshold = np.full((longest, columns), np.inf)
    asked = _search_order(longest)
    known: list[Bits] = []
    first = np.zeros((-(-columns // _ABREAST) * _ABREAST, 3), np.int64)
    by_default = (forest.decision & DEFAULT_LEFT) != 0
    to_the_right = ~np.where(forest.decision >> 2 == MISSING_NAN, by_default, forest.threshold >= 0.0)
    at = place[tree].astype(np.int32)
    for c in range(columns):
        mine = order[bounds[c] : bounds[c + 1]]
        threshold[asked[: len(mine)], c] = forest.threshold[mine]
        vector = np.full(places, every).astype(mask.dtype)
        missing = vector.copy()
        first[c, :2] = bounds[c], len(known)
        known.append(vector.copy())
        for n, node in enumerate(mine.tolist(), 1):
            vector[at[node]] &= mask[node]
            if to_the_right[node]:
                missing[at[node]] &= mask[node]
            if n % TOGETHER == 0:
                known.append(vector.copy())
        first[c, 2] = len(known)
        known.append(missing)
    starts = np.full(places, len(leaves))  # of places without a tree: one leaf behind the last, which is 0
    starts[place] = begin
    leaf = np.append(forest.leaf[np.array(leaves)], 0.0)
    return Vectors(threshold, at[order], mask[order], first, np.array(known), leaf, starts)


def _search_order(longest: int) -> Int64s:
    """Where a search among ``longest − 1`` rising numbers asks for each: first in row 1, after n in 2·n or 2·n + 1."""
    rank = np.arange(1, longest)
    step = rank & -rank  # the later a number is asked for, the smaller
    out: Int64s = (longest // step + rank // step) // 2
    return out


@kernel
def sum_by_bits(x: Float64s, vectors: Vectors, room: Bits, at: Int64s, out: Float64s) -> None:
    """Fill ``out``, shape ``(models,)``, with the sum of each model's leaves for a row.

    Args:
        room: shape ``(places,)``, of the type of ``vectors.mask``; ``at``: shape ``(2 · len(vectors.first),)``.
    """
    longest, columns = vectors.threshold.shape
    at, rows = at[: len(vectors.first)], at[len(vectors.first) :]
    at[:columns] = 1
    level = longest
    while level > 1:  # of each column, how many thresholds are less: all searches abreast
        level >>= 1
        for c in range(columns):
            at[c] = 2 * at[c] + (vectors.threshold[at[c], c] < x[c])
    at[columns:] = longest
    for c in range(len(at)):
        at[c] -= longest
        rows[c] = vectors.first[c, 1] + at[c] // TOGETHER
    for c in range(columns):
        if np.isnan(x[c]):  # less than no threshold: so far none of the nodes has spoken
            rows[c] = vectors.first[c, 2]
    for c in range(0, len(at), _ABREAST):
        k, j = vectors.known[rows[c]], vectors.known[rows[c + 1]]
        m, n = vectors.known[rows[c + 2]], vectors.known[rows[c + 3]]
        if c == 0:
            for t in range(len(room)):
                room[t] = k[t] & j[t] & m[t] & n[t]
        else:
            for t in range(len(room)):
                room[t] &= k[t] & j[t] & m[t] & n[t]
    for c in range(columns):
        start = vectors.first[c, 0]
        for node in range(start + at[c] // TOGETHER * TOGETHER, start + at[c]):
            room[vectors.place[node]] &= vectors.mask[node]
    out[:] = 0.0
    for t in range(0, len(room), len(out)):
        for m in range(len(out)):
            out[m] += vectors.leaf[vectors.begin[t + m] + np.int64(lowest_bit(room[t + m]))]
