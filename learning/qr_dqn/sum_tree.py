"""Draws leaves in proportion to their priority: a binary tree of sums in one array (Schaul et al. 2016, B.2.1).

Node 1 is the root, those below node i are 2i and 2i + 1, and the leaves are the last half. A node is always the sum of
the two below it, so that no rounding adds up.
"""

import numpy as np

from learning.jit import entry_kernel
from sources.tape.batch import Float64s, Int64s


def sum_tree(leaves: int) -> Float64s:
    """A tree with at least so many leaves, all of priority 0."""
    return np.zeros(2 << (leaves - 1).bit_length())


@entry_kernel
def set_priorities(tree: Float64s, leaves: Int64s, priorities: Float64s) -> None:
    """Give leaves a priority; of one that is named twice, the last counts.

    Args:
        leaves, priorities: shape ``(n,)``; priorities are not negative.
    """
    first = len(tree) // 2
    for k in range(len(leaves)):
        node = first + leaves[k]
        tree[node] = priorities[k]
        while node > 1:
            node //= 2
            tree[node] = tree[2 * node] + tree[2 * node + 1]


@entry_kernel
def draw(tree: Float64s, places: Float64s, leaves: Int64s, probabilities: Float64s) -> None:
    """Find the leaves at given places of the whole, and their probabilities. The tree's sum must be above 0.

    Args:
        places: from 0 to 1 (excluded), shape ``(n,)``.
        leaves, probabilities: room for the answer, shape ``(n,)``.
    """
    first = len(tree) // 2
    for k in range(len(places)):
        mass, node = places[k] * tree[1], 1
        while node < first:
            node *= 2
            if mass >= tree[node] and tree[node + 1] > 0.0:  # rounding may lead beyond the last leaf that has any
                mass -= tree[node]
                node += 1
        leaves[k] = node - first
        probabilities[k] = tree[node] / tree[1]
