"""Ridge regression, weighted and in closed form: Hoerl & Kennard 1970, "Ridge Regression"."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from learning.rows import Rows, TrainingRows
from learning.stored_inputs import Inputs
from operators.models.linear import LIMIT
from operators.models.served import QUANTILES
from sources.tape.batch import Float64s

AT_ONCE = 1 << 15  # rows


class Scaling(NamedTuple):
    """Mean and standard deviation of each input, shape ``(columns,)``; 0 and 1 where there is nothing to tell."""

    mean: Float64s
    scale: Float64s


def scaling_of(inputs: Inputs, train: Rows | None = None) -> Scaling:
    """Mean and deviation of the numbers that are known in each column.

    Sums are of 32,768 rows at a time, wherever the rows are kept.

    Args:
        inputs: shape ``(rows, columns)``.
        train: numbers of the training rows, rising; None: there are no others.
    """
    columns = inputs.shape[1]
    known, total, square = np.zeros(columns, np.int64), np.zeros(columns), np.zeros(columns)
    for x in _raw(inputs, train):
        known += np.count_nonzero(~np.isnan(x), axis=1)
        total += np.nansum(x, axis=1)
    mean = total / np.maximum(known, 1)
    for x in _raw(inputs, train):
        square += np.nansum((x - mean[:, None]) ** 2, axis=1)
    deviation = np.sqrt(square / np.maximum(known, 1))
    tells = np.isfinite(deviation) & (deviation > 1e-12 * np.abs(mean)) & (known > 0)
    return Scaling(mean, np.where(tells, deviation, 1.0))


def scaled(inputs: Float64s, scaling: Scaling) -> Float64s:
    """Inputs as the served model sees them: scaled, 0 where unknown, and no further than `LIMIT` from 0."""
    z = (inputs - scaling.mean) / scaling.scale
    z[np.isnan(z)] = 0.0
    return np.clip(z, -LIMIT, LIMIT)


class Ridge(NamedTuple):
    """What was learned."""

    scaling: Scaling
    coefficients: Float64s  # (horizons, columns), of scaled inputs
    intercept: Float64s  # (horizons,)
    offsets: Float64s  # (horizons, 5): quantiles of what is left

    @property
    def arrays(self) -> dict[str, npt.NDArray[np.float64]]:
        """For the model's folder."""
        return {"coefficients": self.coefficients, "intercept": self.intercept, "offsets": self.offsets}


def fit_ridge(rows: TrainingRows, train: Rows, penalty: float) -> Ridge:
    """The coefficients that minimise ``Σ w·(y − b − β·z)² + penalty · Σw · |β|²``, a set for each horizon.

    The same rows give the same bits: sums are in the order of the rows, on one thread.

    Args:
        train: numbers of the rows to learn from, rising.
        penalty: above 0, in units of the mean square of a scaled input.
    """
    scaling = scaling_of(rows.inputs, train)
    columns, horizons = rows.inputs.shape[1], rows.returns.shape[1]
    weight = rows.weight[train]
    total = float(weight.sum())
    with threadpool_limits(1):
        centre, target = np.zeros(columns), np.zeros(horizons)
        gram, moment = np.zeros((columns, columns)), np.zeros((columns, horizons))
        for part, w, z in _blocks(rows, train, weight, scaling):
            y = rows.returns[part]
            centre += w @ z
            target += w @ y
            gram += (z * w[:, None]).T @ z
            moment += (z * w[:, None]).T @ y
        centre, target = centre / total, target / total
        gram = gram / total - np.outer(centre, centre)
        moment = moment / total - np.outer(centre, target)
        coefficients = np.linalg.solve(gram + penalty * np.eye(columns), moment).T
        intercept = target - coefficients @ centre
        left, at = np.empty((horizons, len(train))), 0
        for part, _, z in _blocks(rows, train, weight, scaling):
            left[:, at : at + len(part)] = (rows.returns[part] - intercept - z @ coefficients.T).T
            at += len(part)
    offsets = np.stack([np.quantile(each, QUANTILES, overwrite_input=True) for each in left])
    return Ridge(scaling, np.ascontiguousarray(coefficients), intercept, np.ascontiguousarray(offsets))


def _blocks(
    rows: TrainingRows, train: Rows, weight: Float64s, scaling: Scaling
) -> Iterator[tuple[Rows, Float64s, Float64s]]:
    """A bounded number of rows at a time: their numbers, weights and scaled inputs."""
    for start in range(0, len(train), AT_ONCE):
        part = train[start : start + AT_ONCE]
        yield part, weight[start : start + AT_ONCE], scaled(rows.inputs[part], scaling)


def _raw(inputs: Inputs, train: Rows | None) -> Iterator[Float64s]:
    """A column a line, with NaN where a number is not known."""
    for start in range(0, inputs.shape[0] if train is None else len(train), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        x = np.array(inputs[part if train is None else train[part]].T, order="C")
        x[~np.isfinite(x)] = np.nan
        yield x
