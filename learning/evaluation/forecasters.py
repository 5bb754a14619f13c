"""Who foretells: a model's recipe, and the simple ones that it is held against."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from learning.rows import Rows, TrainingRows
from learning.training import FITS, Plan, forecast_from
from operators.models.served import QUANTILES
from sources.tape.batch import Float64s


class Foretold(NamedTuple):
    """What a forecaster says of the test rows; None of what it does not foretell."""

    quantiles: Float64s | None  # (test, horizons, 5), rising
    chances: Float64s | None = None  # (test, 3): of the barrier's classes


Forecaster = Callable[[TrainingRows, Rows, Rows], Foretold]  # of training rows and test rows

NO_CHANGE, IMBALANCE = "no change", "last imbalance"
_IMBALANCES = ("imbalance", "ofi")  # what columns begin with that tell which side weighs more, the better first
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "ridge": {"penalty": 0.01},
    "gbm": {"rounds": 40, "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 100},
}


def forecasters(rows: TrainingRows, plan: Plan) -> dict[str, Forecaster]:
    """The model of a plan, first, and the baselines: those of its own kind are left out.

    The kinds `ridge` and `gbm` stand with their default parameters.
    """
    out: dict[str, Forecaster] = {plan.kind: _recipe(plan)}
    for kind, parameters in _DEFAULTS.items():
        if kind != plan.kind:
            out[kind] = _recipe(replace(plan, kind=kind, parameters=parameters))
    column = imbalance_column(rows.columns)
    if column is not None:
        out[IMBALANCE] = lambda all_rows, train, test: Foretold(last_imbalance(all_rows, train, test, column))
    out[NO_CHANGE] = lambda all_rows, train, test: Foretold(no_change(all_rows, train, test))
    return out


def parameters_of(name: str, rows: TrainingRows, plan: Plan) -> Mapping[str, Any]:
    """What one of `forecasters`, but ``no change``, is made with beside what all have in common."""
    if name == plan.kind:
        return plan.parameters
    if name == IMBALANCE:
        column = imbalance_column(rows.columns)
        return {} if column is None else {"column": rows.columns[column]}
    return _DEFAULTS[name]


def _recipe(plan: Plan) -> Forecaster:
    def forecast(rows: TrainingRows, train: Rows, test: Rows) -> Foretold:
        said = forecast_from(rows, train, test, FITS[plan.kind], plan)
        return Foretold(said.quantiles, said.classes if plan.parameters.get("classes") else None)

    return forecast


def imbalance_column(columns: tuple[str, ...]) -> int | None:
    """Which input is the last imbalance: one of the book, else the order flow's over the shortest window."""
    for word in _IMBALANCES:
        found = [number for number, name in enumerate(columns) if word in name]
        if found:
            return found[0]
    return None


def no_change(rows: TrainingRows, train: Rows, test: Rows) -> Float64s:
    """Quantiles of the training returns about 0, whatever the inputs are."""
    spread = np.quantile(rows.returns[train], QUANTILES, axis=0).T
    return np.broadcast_to(spread - spread[:, 2:3], (len(test), *spread.shape))


def last_imbalance(rows: TrainingRows, train: Rows, test: Rows, column: int) -> Float64s:
    """A line through the origin of one input, least squares, with quantiles of what it leaves."""
    x = np.nan_to_num(rows.inputs[:, column], nan=0.0, posinf=0.0, neginf=0.0)
    y = rows.returns[train]
    square = float(x[train] @ x[train])
    slope = x[train] @ y / square if square > 0 else np.zeros(y.shape[1])
    left = np.quantile(y - x[train, None] * slope, QUANTILES, axis=0).T
    out: Float64s = (x[test, None] * slope)[:, :, None] + (left - left[:, 2:3])
    return out
