"""Boosted trees, served with the bits of LightGBM's own predict (docs/forecasts.md, 3)."""

import numpy as np

from operators.models.jit import entry_kernel, kernel
from operators.models.lightgbm_text import DEFAULT_LEFT, MISSING_NAN, MISSING_ZERO, Forest, read_forest, separated
from operators.models.served import QUANTILES, Forecasts, ModelHead, ModelRows, State
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


def is_plain(forest: Forest) -> bool:
    """Whether no node takes 0 for a missing value, so that a row without NaN needs comparisons alone."""
    return not bool((forest.decision >> 2 == MISSING_ZERO).any())


class TreeModel:
    """Serves ``gbm``: a boosted model for each horizon and quantile. It has no state."""

    def __init__(self, folder: ModelFolder, head: ModelHead) -> None:
        """Args, and raises: as of `operators.models.kinds.Maker`."""
        self._head = head
        texts = separated(folder.trees)
        models = len(head.horizons) * len(QUANTILES)
        if len(texts) != models:
            raise ValueError(f"trees: {len(texts)} models; one for each horizon and quantile is {models}")
        self._forest = read_forest(texts, len(head.columns))
        self._plain = is_plain(self._forest)

    @property
    def head(self) -> ModelHead:
        """What it is."""
        return self._head

    def start(self, instrument: Instrument) -> State:
        """Nothing."""
        return ()

    def step(self, state: State, rows: ModelRows, out: Forecasts) -> None:
        """Fill ``out`` with the quantiles of each row."""
        n, columns = rows.inputs.shape
        boosted(rows.inputs, self._forest, self._plain, np.empty(columns), out.quantiles.reshape(n, -1))
