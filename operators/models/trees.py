"""Boosted trees, served with the bits of LightGBM's own predict (docs/forecasts.md, 3)."""

import numpy as np

from operators.models.jit import entry_kernel, kernel
from operators.models.lightgbm_text import DEFAULT_LEFT, MISSING_NAN, MISSING_ZERO, Forest, read_forest, separated
from operators.models.served import CLASSES, QUANTILES, Forecasts, ModelHead, ModelRows, State
from operators.models.tft.exponential import exponential
from sources.instrument import Instrument
from sources.model_folder import ModelFolder
from sources.tape.batch import Float64s

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


@entry_kernel
def boosted(inputs: Float64s, forest: Forest, plain: bool, values: Float64s, out: Float64s) -> None:
    """The sum of each model's leaves for each row, ``out`` of shape ``(rows, models)``; ``values`` is room for a row.

    A decision is LightGBM's: missing values go where the node says, others left if they are at most the threshold.

    Args:
        plain: `is_plain` of the forest.
    """
    rows, columns = inputs.shape
    for r in range(rows):
        known = plain
        for c in range(columns):
            x = inputs[r, c]
            values[c] = 0.0 if abs(x) <= NOTHING else x
            known &= not np.isnan(x)
        for m in range(len(forest.first) - 1):
            total = 0.0
            for t in range(forest.first[m], forest.first[m + 1]):
                node = forest.root[t]
                if known:  # nothing can be missing
                    while node >= 0:
                        node = forest.child[node, 0 if values[forest.feature[node]] <= forest.threshold[node] else 1]
                else:
                    while node >= 0:
                        left = goes_left(values[forest.feature[node]], forest.threshold[node], forest.decision[node])
                        node = forest.child[node, 0 if left else 1]
                total += forest.leaf[~node]
            out[r, m] = total


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


def is_plain(forest: Forest) -> bool:
    """Whether no node takes 0 for a missing value, so that a row without NaN needs comparisons alone."""
    return not bool((forest.decision >> 2 == MISSING_ZERO).any())


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
        self._forest = read_forest(texts, len(head.columns))
        if (classes := len(self._forest.first) - 1 - self._quantiles) != len(CLASSES) * head.classes:
            raise ValueError(f"trees: of {classes} classes; served are {len(CLASSES)}")
        self._plain = is_plain(self._forest)

    @property
    def head(self) -> ModelHead:
        """What it is."""
        return self._head

    def start(self, instrument: Instrument) -> State:
        """Nothing."""
        return ()

    def step(self, state: State, rows: ModelRows, out: Forecasts) -> None:
        """Fill ``out`` with the quantiles of each row, and the chances of the classes."""
        n, columns = rows.inputs.shape
        if not self._head.classes:
            boosted(rows.inputs, self._forest, self._plain, np.empty(columns), out.quantiles.reshape(n, -1))
            return
        scores = np.empty((n, self._quantiles + len(CLASSES)))
        boosted(rows.inputs, self._forest, self._plain, np.empty(columns), scores)
        out.quantiles.reshape(n, -1)[:] = scores[:, : self._quantiles]
        softmax(np.ascontiguousarray(scores[:, self._quantiles :]), out.classes)
