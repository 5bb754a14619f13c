"""Boosted trees of LightGBM (Ke et al. 2017), one model for each horizon and quantile."""

from typing import Any

import lightgbm
import numpy as np

from learning.rows import Rows, TrainingRows
from learning.stored_inputs import Inputs
from operators.models.served import CLASSES, QUANTILES


def fit_boosted(rows: TrainingRows, train: Rows, parameters: dict[str, Any], seed: int, threads: int) -> list[str]:
    """LightGBM's text of each model: horizons, and within each the quantiles; at the end that of the barrier's classes.

    The same rows, parameters and threads give the same text.

    Args:
        train: numbers of the rows to learn from, rising.
        parameters: ``rounds``, and what LightGBM takes: ``num_leaves``, ``learning_rate``, ``min_data_in_leaf``;
            ``classes``: whether there is a model of the barrier.
    """
    given = dict(parameters)
    classes = bool(given.pop("classes", False))
    rounds = int(given.pop("rounds"))
    fixed = {
        "objective": "quantile", "seed": seed, "num_threads": threads, "deterministic": True, "force_row_wise": True,
        "verbosity": -1,
    }  # fmt: skip
    texts = []
    inputs = _Sequence(rows.inputs, train)
    data = lightgbm.Dataset(
        inputs, np.zeros(len(train)), weight=rows.weight[train], params={"verbosity": -1, **given, **fixed},
        free_raw_data=False,
    ).construct()  # fmt: skip
    for horizon in range(rows.returns.shape[1]):
        data.set_label(rows.returns[train, horizon])
        for alpha in QUANTILES:
            booster = lightgbm.train({**given, **fixed, "alpha": alpha}, data, rounds)
            texts.append(_without_parameters(booster.model_to_string()))
    if classes:
        data.set_label(rows.barrier[train] + 1.0)
        several = {**given, **fixed, "objective": "multiclass", "num_class": len(CLASSES)}
        texts.append(_without_parameters(lightgbm.train(several, data, rounds).model_to_string()))
    return texts


class _Sequence(lightgbm.Sequence):
    """Rows that LightGBM puts into its bins, of one byte or two a number, a bounded number at a time."""

    batch_size = 1 << 15

    def __init__(self, inputs: Inputs, train: Rows) -> None:
        self._inputs, self._train = inputs, train

    def __getitem__(self, at: Any) -> Any:
        return self._inputs[self._train[at]]

    def __len__(self) -> int:
        return len(self._train)


def _without_parameters(text: str) -> str:
    """The trees alone: how they were made says the model's card."""
    return text.partition("end of trees\n")[0] + "end of trees\n"
