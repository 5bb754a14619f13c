"""Boosted trees, served with the bits of LightGBM's own predict (docs/forecasts.md, 3)."""

from typing import Any

import numpy as np

from operators.models.jit import entry_kernel, kernel
from operators.models.lightgbm_text import DEFAULT_LEFT, MISSING_NAN, MISSING_ZERO, Forest, read_forest, separated
from operators.models.served import CLASSES, QUANTILES, Forecasts, ModelHead, ModelRows, State
from operators.models.tft.exponential import exponential
from operators.models.tree_bits import Vectors, make_vectors, sum_by_bits
from operators.models.tree_groups import SIDE_BY_SIDE, Groups, make_groups, reach
from operators.packed_arguments import Packed, unpacker
from sources.instrument import Instrument
from sources.model_folder import ModelFolder
from sources.tape.batch import Float64s


def _unpacker(bits: Any) -> Any:
    """Of vectors whose masks are of the type of ``bits``."""
    integers, words, floats = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0)
    rows, three = bits.reshape(0, 0), integers.reshape(0, 3)
    return unpacker(Vectors(floats.reshape(0, 0), words, bits, three, rows, floats, integers))


_few, _many = _unpacker(np.empty(0, np.uint16)), _unpacker(np.empty(0, np.uint64))
NOTHING = float(np.float32(1e-35))  # LightGBM's `kZeroThreshold`: an input no further from 0 is 0


@kernel
def goes_left(x: float, threshold: float, decision: int) -> bool:
    """LightGBM's decision of a node; an input that is no further than `NOTHING` from 0 is 0."""
    missing = decision >> 2
    if np.isnan(x) and missing != MISSING_NAN:
        x = 0.0
    if (missing == MISSING_ZERO and x == 0.0) or (missing == MISSING_NAN and np.isnan(x)):
        return (decision & DEFAULT_LEFT) != 0
    return x <= threshold


@kernel
def read(row: Float64s, values: Float64s) -> bool:
    """Fill ``values`` with the inputs as LightGBM sees them; whether all of them are known."""
    known = True
    for c in range(len(row)):
        x = row[c]
        values[c] = 0.0 if abs(x) <= NOTHING else x
        known &= not np.isnan(x)
    return known


@kernel
def walk(values: Float64s, forest: Forest, leaves: Float64s) -> None:
    """Fill ``leaves`` with the leaf of each tree: missing values go where the node says, others left if they are at
    most the threshold."""
    for t in range(len(forest.root)):
        node = forest.root[t]
        while node >= 0:
            left = goes_left(values[forest.feature[node]], forest.threshold[node], forest.decision[node])
            node = forest.child[node, 0 if left else 1]
        leaves[t] = forest.leaf[~node]


@kernel
def add(leaves: Float64s, forest: Forest, out: Float64s) -> None:
    """The sum of each model's leaves, in the order of its trees."""
    for m in range(len(forest.first) - 1):
        total = 0.0
        for t in range(forest.first[m], forest.first[m + 1]):
            total += leaves[t]
        out[m] = total


@entry_kernel
def boosted(inputs: Float64s, forest: Forest, groups: Groups, values: Float64s, room: Any, out: Float64s) -> None:
    """The sum of each model's leaves for each row, ``out`` of shape ``(rows, models)``.

    Args:
        values: room for a row and for a leaf of each tree, and one more; ``room``: as of `reach`.
    """
    leaves = values[inputs.shape[1] :]
    for r in range(len(inputs)):
        if read(inputs[r], values) and groups.usable[0] != 0:
            reach(values, groups, room, leaves)
        else:
            walk(values, forest, leaves)
        add(leaves, forest, out[r])


@kernel
def rows_by_bits(inputs: Float64s, vectors: Vectors, room: Float64s, out: Any) -> None:
    """`boosted`, of trees with few leaves; ``out`` of shape ``(rows, …)``, of a row at least.

    Args:
        room: to work in, as long as `Sums` makes it.
    """
    columns, places = inputs.shape[1], len(vectors.begin)
    values, room = room[:columns], room[columns:]
    at, room = room[: 2 * len(vectors.first)].view(np.int64), room[2 * len(vectors.first) :]
    bits = room.view(vectors.mask.dtype)[:places]
    sums = out.reshape(len(out), out.size // len(out))
    for r in range(len(inputs)):
        read(inputs[r], values)
        sum_by_bits(values, vectors, bits, at, sums[r])


@entry_kernel
def boosted_by_few_bits(inputs: Float64s, handle: Any, room: Float64s, out: Any) -> None:
    """`rows_by_bits`, of trees with up to 16 leaves."""
    rows_by_bits(inputs, _few(handle), room, out)


@entry_kernel
def boosted_by_bits(inputs: Float64s, handle: Any, room: Float64s, out: Any) -> None:
    """`rows_by_bits`, of trees with more."""
    rows_by_bits(inputs, _many(handle), room, out)


class Sums:
    """The sum of each model's leaves, however they are found."""

    def __init__(self, forest: Forest, by: Groups | Vectors, columns: int) -> None:
        """``by``: what was made of the forest."""
        self._forest = forest
        self._groups: Groups | None = None
        self._room = len(forest.root) + columns + 1
        if isinstance(by, Vectors):
            self._kernel = boosted_by_few_bits if by.mask.itemsize == 2 else boosted_by_bits
            self._packed = Packed(by)
            self._room = columns + 2 * len(by.first) + len(by.begin) * by.mask.itemsize // 8 + 1
        else:
            self._groups = by

    def fill(self, inputs: Float64s, out: Float64s) -> None:
        """Write the sums of each row to ``out``, of shape ``(rows, …)`` with a number for each model."""
        room = np.empty(self._room)
        if self._groups is not None:
            side_by_side = np.empty(SIDE_BY_SIDE, np.uint64)
            boosted(inputs, self._forest, self._groups, room, side_by_side, out.reshape(len(inputs), -1))
        elif len(inputs):
            self._kernel(inputs, self._packed.handle, room, out)


@entry_kernel
def softmax(scores: Float64s, out: Float64s) -> None:
    """``exp(s)/Σ exp(s)`` of each row, less the largest score before, as LightGBM does it, with our own exponential.

    Args:
        scores: shape ``(rows, classes)``; ``out`` likewise.
    """
    for r in range(scores.shape[0]):
        most, total = scores[r, 0], 0.0
        for k in range(scores.shape[1]):
            most = max(most, scores[r, k])
        for k in range(scores.shape[1]):
            out[r, k] = exponential(scores[r, k] - most)
            total += out[r, k]
        for k in range(scores.shape[1]):
            out[r, k] /= total


class TreeModel:
    """Serves ``gbm``: a boosted model for each horizon and quantile, and if asked one of the barrier's classes. It has
    no state."""

    def __init__(self, folder: ModelFolder, head: ModelHead) -> None:
        """Args, and raises: as of `operators.models.kinds.Maker`."""
        self._head = head
        texts = separated(folder.trees)
        self._quantiles = len(head.horizons) * len(QUANTILES)
        if len(texts) != self._quantiles + head.classes:
            more = " and one of classes" if head.classes else ""
            raise ValueError(f"trees: {len(texts)} models; for horizons and quantiles {self._quantiles}{more}")
        forest = read_forest(texts, len(head.columns))
        if (classes := len(forest.first) - 1 - self._quantiles) != len(CLASSES) * head.classes:
            raise ValueError(f"trees: of {classes} classes; served are {len(CLASSES)}")
        columns = len(head.columns)
        self._sums = Sums(forest, make_vectors(forest, columns) or make_groups(forest, columns), columns)

    @property
    def head(self) -> ModelHead:
        """What it is."""
        return self._head

    def start(self, instrument: Instrument) -> State:
        """Nothing."""
        return ()

    def step(self, state: State, rows: ModelRows, out: Forecasts) -> None:
        """Fill ``out`` with the quantiles of each row, and the chances of the classes."""
        if not self._head.classes:
            self._sums.fill(rows.inputs, out.quantiles)
            return
        n = len(rows.inputs)
        scores = np.empty((n, self._quantiles + len(CLASSES)))
        self._sums.fill(rows.inputs, scores)
        out.quantiles.reshape(n, -1)[:] = scores[:, : self._quantiles]
        softmax(np.ascontiguousarray(scores[:, self._quantiles :]), out.classes)
