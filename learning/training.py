"""Trains a model and finds out what it is worth, without leaks (docs/forecasts.md, 4)."""

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from learning.boosted import fit_boosted
from learning.foretelling import foretold, outside
from learning.holes import hole_words
from learning.model_writer import write_model
from learning.ridge import fit_ridge
from learning.rows import Rows, TrainingRows
from learning.scores import chances_measured, conformal_scores, measured
from learning.splits import CombinatorialPurgedCV
from learning.work import QUIET, Work
from operators.models.conformal import COVERAGE, offset
from operators.models.drift import reference
from operators.models.kinds import BARRIER, CALIBRATION, REFERENCE, served
from operators.models.served import CLASSES, QUANTILES, Forecasts, ServedModel
from sources.errors import TickwaxError
from sources.model_folder import VERSION, Card, ModelFolder, settings_hash
from sources.tape.batch import Float64s

MOST_REFERENCE = 1 << 17  # rows that a model's reference of inputs is made of
LEAST = {"training": 100, "calibration": 50, "test": 20}  # rows of a block
_EDGE, _NULL = "synthetic.edge", "0.0"  # setting of a synthetic market, and its value without an edge


@dataclass(frozen=True)
class Plan:
    """How a model is trained.

    Attributes:
        kind: of the model.
        validate: ``holdout``: the last share of the rows is kept for the report; ``walk-forward``: each of ``blocks``
            but the first is foretold by a model of the rows before it; ``cpcv``: `CombinatorialPurgedCV`.
        holdout: share of the rows, by time.
        calibration: share of the rows that train, the newest of them, by which intervals are calibrated instead.
        embargo: text of a duration.
        blocks, test_blocks: of ``walk-forward`` and ``cpcv``.
        seed: of whatever is drawn.
        threads: of LightGBM; a part of what its result depends on.
        parameters: of the kind.
    """

    kind: str = "ridge"
    validate: Literal["holdout", "walk-forward", "cpcv"] = "holdout"
    holdout: float = 0.2
    calibration: float = 0.2
    embargo: str = "0s"
    blocks: int = 6
    test_blocks: int = 2
    seed: int = 0
    threads: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Fitted(NamedTuple):
    """What a kind of model has learned."""

    arrays: Mapping[str, npt.NDArray[Any]]
    trees: str = ""
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    packages: tuple[str, ...] = ()  # whose versions decide the result, beside NumPy
    report: Mapping[str, Any] = {}  # what there is to say of the training


class Fit(Protocol):
    """How a kind of model learns from the rows of some numbers, and from no others."""

    def __call__(self, rows: TrainingRows, train: Rows, plan: Plan, work: Work = QUIET) -> Fitted:
        """What it learned."""


def _ridge(rows: TrainingRows, train: Rows, plan: Plan, work: Work = QUIET) -> Fitted:
    found = fit_ridge(rows, train, float(plan.parameters["penalty"]))
    return Fitted(found.arrays, "", tuple(found.scaling.mean.tolist()), tuple(found.scaling.scale.tolist()))


def _boosted(rows: TrainingRows, train: Rows, plan: Plan, work: Work = QUIET) -> Fitted:
    from operators.models.lightgbm_text import joined

    if plan.parameters.get("classes") and len(there := np.unique(rows.barrier[train])) < 2:
        raise TickwaxError(
            f"dataset.path: barrier is {there[0]} in all {len(train):,} rows that train, so there are no classes to "
            "tell apart: another barrier.width or barrier.horizon, or train.classes = false"
        )
    texts = fit_boosted(rows, train, dict(plan.parameters), plan.seed, plan.threads)
    return Fitted({}, joined(texts), packages=("lightgbm",))


def _temporal_fusion(rows: TrainingRows, train: Rows, plan: Plan, work: Work = QUIET) -> Fitted:
    from learning.tft.training import fit_network, hyper_of

    found = fit_network(rows, train, hyper_of(plan.parameters), plan.seed, work)
    return Fitted(found.arrays, "", found.mean, found.scale, ("jax", "equinox", "optax"), found.report)


FITS: dict[str, Fit] = {"ridge": _ridge, "gbm": _boosted, "tft": _temporal_fusion}
"""By kind."""


class Blocks(NamedTuple):
    """Numbers of the rows, rising, that a model learns from, that its intervals are calibrated on, and is tested on."""

    training: Rows
    calibration: Rows
    test: Rows


def train(
    rows: TrainingRows,
    plan: Plan,
    out: Path,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
    on_fold: Callable[[Rows, Float64s], None] = lambda test, quantiles: None,
) -> dict[str, Any]:
    """Train a model, write its folder, and return the report of it.

    A training that takes a while keeps checkpoints beside ``out``, and goes on from them after it was killed.

    Args:
        say: is called with lines that tell how far it is.
        on_fold: told of each fold of the validation: its test rows, and what was foretold of them.

    Raises:
        TickwaxError: there are too few rows, or the folder cannot be written.
    """
    for line in hole_words(rows, round(1 / plan.holdout) if plan.validate == "holdout" else plan.blocks):
        say(line)
    checkpoints = out.with_name(f".{out.name}.checkpoints")
    fit = partial(FITS[plan.kind], work=Work(checkpoints, say))
    folds = [_tested(rows, blocks, fit, plan, on_fold) for blocks in _validation(rows, plan)]
    blocks = _last(rows, plan)
    folder, _, about = _model(rows, blocks, fit, plan)
    report: dict[str, Any] = {
        "validate": plan.validate,
        "rows": {name: len(numbers) for name, numbers in blocks._asdict().items()},
        "folds": folds,
        **({"training": about} if about else {}),
    }
    card = folder.card
    report["identity"] = write_model(out, card, folder.arrays, folder.trees, report, overwrite=overwrite)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return report


def _tested(
    rows: TrainingRows, blocks: Blocks, fit: Fit, plan: Plan, on_fold: Callable[[Rows, Float64s], None]
) -> dict[str, Any]:
    """What a model of the blocks is worth on their test rows."""
    _, model, _ = _model(rows, blocks, fit, plan)
    found = foretold(model, rows, blocks.test)
    on_fold(blocks.test, found.quantiles)
    more = {}
    if model.head.classes:
        shares = np.bincount(rows.barrier[blocks.training] + 1, minlength=len(CLASSES)) / len(blocks.training)
        more[BARRIER] = chances_measured(rows.barrier[blocks.test], found.classes, shares)
    return more | measured(
        rows.horizons,
        rows.returns[blocks.test],
        found.quantiles,
        np.quantile(rows.returns[blocks.training], QUANTILES, axis=0).T,
        rows.returns[blocks.training].mean(axis=0),
        model.head.calibration,
        (int(rows.ts[blocks.test[0]]), int(rows.ts[blocks.test[-1]])),
    )


def forecast_from(rows: TrainingRows, training: Rows, test: Rows, fit: Fit, plan: Plan) -> Forecasts:
    """What a model of the training rows says of the test rows, its quantiles calibrated and rising.

    Raises:
        TickwaxError: there are too few rows.
    """
    _, model, _ = _model(rows, Blocks(*_calibrated(rows, training, plan), test), fit, plan)
    found = foretold(model, rows, test)
    q = found.quantiles
    for h, scores in enumerate(model.head.calibration):
        wider = offset(scores, 1 - COVERAGE)
        q[:, h, 0] = np.minimum(q[:, h, 0] - wider, q[:, h, 1])
        q[:, h, -1] = np.maximum(q[:, h, -1] + wider, q[:, h, -2])
    return found


def _model(
    rows: TrainingRows, blocks: Blocks, fit: Fit, plan: Plan
) -> tuple[ModelFolder, ServedModel, Mapping[str, Any]]:
    _need(blocks)
    fitted = fit(rows, blocks.training, plan)
    known = np.concatenate([blocks.training, blocks.calibration])
    card = Card(
        version=VERSION,
        kind=plan.kind,
        columns=rows.columns,
        mean=fitted.mean,
        scale=fitted.scale,
        horizons=rows.horizons,
        latency=rows.latency,
        quantiles=QUANTILES,
        features=rows.features,
        features_hash=settings_hash(rows.features),
        own=rows.own,
        instruments=tuple(map(str, rows.instruments)),
        trained_from=int(rows.ts[known].min()),
        trained_until=int(rows.end[known].max()) + 1,
        rows=len(blocks.training),
        seed=plan.seed,
        parameters={**asdict(plan), "parameters": dict(plan.parameters), **_barrier(rows, plan)},
        planted=any(own.get(_EDGE, _NULL) != _NULL for own in rows.own.values()),
        packages={"python": platform.python_version(), **{name: version(name) for name in ("numpy", *fitted.packages)}},
    )
    known_inputs = reference(rows.inputs[_some(blocks.training)])
    arrays = {**fitted.arrays, CALIBRATION: np.zeros((len(rows.horizons), 1)), REFERENCE: known_inputs}
    model = served(ModelFolder(Path(), card, arrays, fitted.trees))
    scores = conformal_scores(outside(model, rows, blocks.calibration))
    folder = ModelFolder(Path(), card, {**arrays, CALIBRATION: scores}, fitted.trees)
    return folder, served(folder), fitted.report


def _some(numbers: Rows) -> Rows:
    """All of them, or as many evenly spaced ones as tell what inputs were."""
    n = len(numbers)
    return numbers if n <= MOST_REFERENCE else numbers[np.arange(MOST_REFERENCE) * n // MOST_REFERENCE]


def _barrier(rows: TrainingRows, plan: Plan) -> dict[str, Any]:
    """What a card says of the barrier; nothing where the model does not tell its chances."""
    return {BARRIER: rows.labels} if plan.parameters.get("classes") else {}


def _last(rows: TrainingRows, plan: Plan) -> Blocks:
    """The blocks of the model that is written."""
    every = np.arange(len(rows))
    if plan.validate != "holdout":
        return Blocks(*_calibrated(rows, every, plan), np.empty(0, np.intp))
    past, test = _cut(rows, every, plan.holdout)
    return Blocks(*_calibrated(rows, past, plan), test)


def _validation(rows: TrainingRows, plan: Plan) -> Iterator[Blocks]:
    """The blocks of each model that is only there to be tested."""
    if plan.validate == "holdout":
        yield _last(rows, plan)
        return
    try:
        cv = CombinatorialPurgedCV(plan.blocks, plan.test_blocks, rows.ts, rows.end, plan.embargo)
    except ValueError as e:
        raise TickwaxError(
            f"train.{str(e).replace('n_test_blocks', 'test_blocks').replace('n_blocks', 'blocks')}"
        ) from None
    if plan.validate == "cpcv":
        for training, test in cv.split(rows.ts):
            yield Blocks(*_calibrated(rows, training, plan), test)
        return
    for test in np.array_split(np.arange(len(rows)), plan.blocks)[1:]:
        past = np.flatnonzero(rows.end < rows.ts[test[0]])
        yield Blocks(*_calibrated(rows, past, plan), test)


def _calibrated(rows: TrainingRows, training: Rows, plan: Plan) -> tuple[Rows, Rows]:
    return _cut(rows, training, plan.calibration)


def _cut(rows: TrainingRows, numbers: Rows, share: float) -> tuple[Rows, Rows]:
    """The newest share of rows, and of those before it the ones whose labels are known before it begins."""
    if not len(numbers):
        return numbers, numbers
    at = min(len(numbers) - 1, round(len(numbers) * (1 - share)))
    begin = rows.ts[numbers[at]]
    return numbers[rows.end[numbers] < begin], numbers[rows.ts[numbers] >= begin]


def _need(blocks: Blocks) -> None:
    for name, least in LEAST.items():
        there = len(getattr(blocks, name))
        if there < least and not (name == "test" and not there):
            raise TickwaxError(
                f"dataset.path: {there} rows are left for {name}, after purging; at least {least} are needed: "
                "a longer tape, shorter horizons, or fewer blocks"
            )
