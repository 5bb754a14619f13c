"""What the chances of the barrier's classes were worth: proper scores and calibration, beside baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from learning.evaluation.errors import Measured, average, mean_of, ratio_of, stretches
from learning.evaluation.forecasters import IMBALANCE, Forecaster, Foretold, imbalance_column
from learning.evaluation.verdicts import verdict
from learning.ridge import scaled, scaling_of
from learning.rows import Integers, Rows, TrainingRows
from learning.scores import LEAST_CHANCE
from operators.models.served import CLASSES
from sources.durations import Duration
from sources.tape.batch import Float64s, Int64s

SHARES, LOGISTIC = "class shares", "logistic"
BINS = 10  # of a chance, equally wide
_OF_IMBALANCE = f"{LOGISTIC}, {IMBALANCE}"
_PENALTY = 0.01  # of the logistic regressions, as that of the ridge beside a model of returns
_MOST_STEPS = 500


class Scores(NamedTuple):
    """Of one forecaster of chances and set of rows.

    Attributes:
        log_loss: mean of ``−ln p`` of the class that came (Good 1952); no chance counts as less than `LEAST_CHANCE`.
        log_loss_skill: ``1 − log loss/log loss of the shares of the classes in training``.
        brier: mean of ``Σ (p_k − [k came])²`` over the classes, 0 to 2 (Brier 1950).
        accuracy: share of rows whose likeliest class came. Of the shares it is how often the class that was the
            commonest in training came.
        miscalibration: mean over the classes of ``Σ_b rows_b/rows · |mean p_k − share of k|`` over ten equally wide
            bins of p_k: the classwise calibration error (Kull et al. 2019, eq. 2). It has no standard error, and
            noise makes it greater than 0 even of the true chances.
    """

    log_loss: Measured
    log_loss_skill: Measured
    brier: Measured
    accuracy: Measured
    miscalibration: Measured


@dataclass(frozen=True)
class ChancesJudged:
    """One forecaster of chances on the rows of an instrument, or of all; figures are means over the paths.

    Attributes:
        effective: how many labels there would be without overlap: the sum of the rows' weights of uniqueness.
        figures: of `Scores`, by name.
        reliability: shape ``(3, 10, 3)``: of each class and bin of its chance, rows (a mean over the paths), mean
            chance, and how often the class came; NaN of an empty bin.
        better: how much of the log loss of the best baseline it saves; of a baseline None.
        baseline: that one's name.
    """

    instrument: str
    name: str
    rows: int
    effective: float
    figures: Mapping[str, Measured]
    reliability: Float64s
    better: Measured | None = None
    baseline: str = ""

    @property
    def verdict(self) -> str:
        """In words, whether it beats the best baseline; empty of a baseline."""
        return "" if self.better is None else verdict(self.better, self.baseline, self.effective, "labels")


def class_baselines(columns: tuple[str, ...]) -> dict[str, Forecaster]:
    """What chances are held against: a logistic regression of all inputs, one of the last imbalance, and the shares of
    the classes among the training rows."""
    out: dict[str, Forecaster] = {LOGISTIC: lambda rows, train, test: Foretold(None, logistic(rows, train, test))}
    column = imbalance_column(columns)
    if column is not None:
        out[_OF_IMBALANCE] = lambda rows, train, test: Foretold(None, logistic(rows, train, test, [column]))
    out[SHARES] = lambda rows, train, test: Foretold(None, class_shares(rows, train, test))
    return out


def class_shares(rows: TrainingRows, train: Rows, test: Rows) -> Float64s:
    """Shares of the classes among the training rows, whatever the inputs are; shape ``(test, 3)``."""
    shares = np.bincount(rows.barrier[train] + 1, minlength=len(CLASSES)) / len(train)
    return np.broadcast_to(shares, (len(test), len(CLASSES)))


def logistic(rows: TrainingRows, train: Rows, test: Rows, columns: Sequence[int] | None = None) -> Float64s:
    """Chances by a multinomial logistic regression of scaled inputs, shape ``(test, 3)``; a class that training has
    not seen has none.

    ``Σ w·loss + 0.01/2 · Σw · |β|²`` is least, w the weights of uniqueness.

    Args:
        columns: inputs; None: all.
    """
    inputs = rows.inputs if columns is None else rows.inputs[:, columns]
    scaling = scaling_of(inputs[train])
    weight = rows.weight[train]
    out = np.zeros((len(test), len(CLASSES)))
    there = np.unique(rows.barrier[train])
    if len(there) == 1:
        out[:, there[0] + 1] = 1.0
        return out
    with threadpool_limits(1):
        model = LogisticRegression(C=1.0 / (_PENALTY * float(weight.sum())), max_iter=_MOST_STEPS)
        model.fit(scaled(inputs[train], scaling), rows.barrier[train], sample_weight=weight)
        out[:, model.classes_ + 1] = model.predict_proba(scaled(inputs[test], scaling))
    return out


def log_losses(barrier: Integers, chances: Float64s) -> Float64s:
    """``−ln p`` of the class that came, of each row.

    Args:
        barrier: −1, 0, +1, shape ``(n,)``; chances: shape ``(n, 3)``.
    """
    out: Float64s = -np.log(np.maximum(chances[np.arange(len(barrier)), barrier + 1], LEAST_CHANCE))
    return out


def scores(barrier: Integers, chances: Float64s, shares: Float64s, stretch: Int64s) -> Scores:
    """Judge chances.

    Args:
        barrier: shape ``(n,)``, one at least; chances: shape ``(n, 3)``.
        shares: those of `class_shares`, of the same shape.
        stretch: as of `errors.stretches`.
    """
    came = np.eye(len(CLASSES))[barrier + 1]
    mine, theirs = log_losses(barrier, chances), log_losses(barrier, shares)
    relative = ratio_of(mine, theirs, stretch)
    rows, said, share = np.moveaxis(reliability(barrier, chances), -1, 0)
    apart = np.nansum(rows * np.abs(said - share)) / (len(CLASSES) * len(barrier))
    return Scores(
        mean_of(mine, stretch),
        Measured(1.0 - relative.value, relative.error),
        mean_of(((chances - came) ** 2).sum(axis=1), stretch),
        mean_of((chances.argmax(axis=1) == barrier + 1).astype(np.float64), stretch),
        Measured(float(apart)),
    )


def reliability(barrier: Integers, chances: Float64s) -> Float64s:
    """Of each class and bin of its chance: rows, mean chance, and how often it came; shape ``(3, 10, 3)``."""
    out = np.full((len(CLASSES), BINS, 3), np.nan)
    for k in range(len(CLASSES)):
        p = chances[:, k]
        at = np.minimum((p * BINS).astype(np.intp), BINS - 1)
        rows = np.bincount(at, minlength=BINS)
        there = rows > 0
        out[k, :, 0] = rows
        for place, values in ((1, p), (2, (barrier == k - 1).astype(np.float64))):
            out[k, there, place] = np.bincount(at, weights=values, minlength=BINS)[there] / rows[there]
    return out


def judged_chances(
    rows: TrainingRows, kind: str, found: Mapping[str, Float64s], instrument: str, chosen: Rows
) -> list[ChancesJudged]:
    """Each forecaster on some rows, that of the kind with its verdict.

    Args:
        found: by name, shape ``(paths, n, 3)``; one of them `SHARES`.
    """
    y = rows.barrier[chosen]
    stretch = stretches(rows.ts[chosen], Duration.parse(rows.labels["barrier.horizon"]).ns)
    effective = float(rows.weight[chosen].sum())
    mine = {name: paths[:, chosen] for name, paths in found.items()}
    figures = {name: _figures(y, paths, mine[SHARES], stretch) for name, paths in mine.items()}
    best = min((name for name in mine if name != kind), key=lambda name: figures[name]["log_loss"].value)
    out = []
    for name, paths in mine.items():
        whole = reliability(np.tile(y, len(paths)), paths.reshape(-1, len(CLASSES)))
        whole[:, :, 0] /= len(paths)
        better, baseline = None, ""
        if name == kind:
            pairs = [(log_losses(y, theirs), log_losses(y, own)) for own, theirs in zip(paths, mine[best], strict=True)]
            better, baseline = average([ratio_of(a - b, a, stretch) for a, b in pairs]), best
        out.append(ChancesJudged(instrument, name, len(y), effective, figures[name], whole, better, baseline))
    return out


def _figures(y: Integers, paths: Float64s, shares: Float64s, stretch: Int64s) -> dict[str, Measured]:
    each = [scores(y, one, nothing, stretch) for one, nothing in zip(paths, shares, strict=True)]
    return {name: average([getattr(one, name) for one in each]) for name in Scores._fields}
