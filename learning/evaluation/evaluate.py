"""Judges a model's recipe beside simple ones, over the paths of combinatorial purged cross-validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from learning.evaluation.chances import ChancesJudged, class_baselines, judged_chances
from learning.evaluation.drift import ErrorDrift, InputDrift, error_drift, input_drift
from learning.evaluation.errors import Measured, average, effective_rows, stretches
from learning.evaluation.forecasters import NO_CHANGE, Forecaster, Foretold, forecasters
from learning.evaluation.leakage import Leak, leakage
from learning.evaluation.luck import Luck, luck, side_returns
from learning.evaluation.metrics import Worth, better_by, worth
from learning.evaluation.verdicts import verdict
from learning.holes import hole_words
from learning.rows import TrainingRows
from learning.splits import CombinatorialPurgedCV
from learning.training import Plan
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.tape.batch import Float64s, Int64s

ALL = "all"
_FIGURES = ("pinball", "skill", "r2", "rank", "hits", "coverage", "sharpness")


@dataclass(frozen=True)
class Judged:
    """One forecaster on the rows of an instrument, or of all, at one horizon; figures are means over the paths.

    Attributes:
        effective: how many labels there would be without overlap.
        figures: of `Worth`, by name.
        r2_paths: lowest and highest R² of a path.
        below: share of returns below each quantile.
        better: how much of the pinball loss of the best baseline it saves; of a baseline None.
        baseline: that one's name.
    """

    horizon: str
    instrument: str
    name: str
    rows: int
    effective: float
    figures: Mapping[str, Measured]
    r2_paths: tuple[float, float]
    below: tuple[float, ...]
    better: Measured | None = None
    baseline: str = ""

    @property
    def verdict(self) -> str:
        """In words, whether it beats the best baseline; empty of a baseline."""
        return "" if self.better is None else verdict(self.better, self.baseline, self.effective)


@dataclass(frozen=True)
class Evaluation:
    """All that was found out."""

    kind: str
    judged: Sequence[Judged]
    leaks: Sequence[Leak]
    luck: Sequence[Luck]
    splits: int
    paths: int
    edges: Mapping[str, str] = field(default_factory=dict)  # of synthetic markets, by instrument
    medians: Mapping[str, Float64s] = field(default_factory=dict)  # (n, horizons) of the first path, by forecaster
    holes: Sequence[str] = ()  # as of `hole_words`
    inputs: Sequence[InputDrift] = ()
    errors: Sequence[ErrorDrift] = ()
    chances: Sequence[ChancesJudged] = ()  # of the barrier's classes, where the model tells them


def evaluate(
    rows: TrainingRows,
    plan: Plan,
    progress: Callable[[int, int], None] = lambda done, of: None,
    edges: Mapping[str, str] | None = None,
) -> Evaluation:
    """Train the plan's model and the baselines on every split, and judge what they foretell of the rest.

    What is judged is the recipe: kind, columns and parameters. Weights that have seen these rows are not used.

    Args:
        plan: ``blocks``, ``test_blocks`` and ``embargo`` make the splits.
        progress: told how many trainings are done, of how many.
        edges: of synthetic markets, by instrument.

    Raises:
        TickwaxError: there are too few rows.
    """
    horizons = tuple(Duration.parse(text).ns for text in rows.horizons)
    try:
        cv = CombinatorialPurgedCV(plan.blocks, plan.test_blocks, rows.ts, rows.end, plan.embargo)
    except ValueError as e:
        raise TickwaxError(f"dataset.path: {e}") from None
    wanted = forecasters(rows, plan)
    if classes := bool(plan.parameters.get("classes")):
        wanted |= class_baselines(rows.columns)
    found, chances = _paths(rows, cv, wanted, progress)
    judged: list[Judged] = []
    own = [(str(i), np.flatnonzero(rows.instrument == n)) for n, i in enumerate(rows.instruments)]
    every = [(ALL, np.arange(len(rows))), *own] if len(own) > 1 else own
    places = [(instrument, chosen) for instrument, chosen in every if len(chosen)]
    for h, (name, ns) in enumerate(zip(rows.horizons, horizons, strict=True)):
        for instrument, chosen in places:
            judged += _judged(rows, plan.kind, found, h, name, ns, instrument, chosen)
    tried = {
        name: side_returns(rows, {key: paths[0, :, h, 2] for key, paths in found.items() if key != NO_CHANGE}, h, ns)
        for h, (name, ns) in enumerate(zip(rows.horizons, horizons, strict=True))
    }
    return Evaluation(
        plan.kind,
        judged,
        leakage(rows, horizons, embargo=plan.embargo, seed=plan.seed),
        [luck(name, plan.kind, returns) for name, returns in tried.items()],
        cv.get_n_splits(),
        cv.n_paths,
        edges or {},
        {name: paths[0, :, :, 2] for name, paths in found.items() if name != NO_CHANGE},
        hole_words(rows, plan.blocks),
        input_drift(rows, plan.blocks),
        [
            error_drift(name, ns, rows.ts, rows.returns[:, h], found[plan.kind][0, :, h])
            for h, (name, ns) in enumerate(zip(rows.horizons, horizons, strict=True))
        ],
        [one for where in places for one in judged_chances(rows, plan.kind, chances, *where)] if classes else [],
    )


def _paths(
    rows: TrainingRows,
    cv: CombinatorialPurgedCV,
    wanted: Mapping[str, Forecaster],
    progress: Callable[[int, int], None],
) -> tuple[dict[str, Float64s], dict[str, Float64s]]:
    """Whole paths of each forecaster: quantiles, shape ``(paths, n, horizons, 5)``, and chances, ``(paths, n, 3)``."""
    of, done = cv.get_n_splits() * len(wanted), 0
    tested: dict[str, list[Foretold]] = {name: [] for name in wanted}
    for train, test in cv.split(rows.ts):
        for name, forecaster in wanted.items():
            tested[name].append(forecaster(rows, train, test))
            done += 1
            progress(done, of)
    quantiles = {name: [q for q, _ in each if q is not None] for name, each in tested.items()}
    chances = {name: [p for _, p in each if p is not None] for name, each in tested.items()}
    return (
        {name: cv.paths(each) for name, each in quantiles.items() if each},
        {name: cv.paths(each) for name, each in chances.items() if each},
    )


def _judged(
    rows: TrainingRows,
    kind: str,
    found: Mapping[str, Float64s],
    h: int,
    horizon: str,
    horizon_ns: int,
    instrument: str,
    chosen: Any,
) -> list[Judged]:
    y, stretch = rows.returns[chosen, h], stretches(rows.ts[chosen], horizon_ns)
    effective = effective_rows(rows.instrument[chosen], rows.ts[chosen], horizon_ns)
    nothing = found[NO_CHANGE][:, chosen, h]
    each = {name: _of_paths(y, paths[:, chosen, h], nothing, stretch) for name, paths in found.items()}
    baselines = {name: worths for name, worths in each.items() if name != kind}
    best = min(baselines, key=lambda name: _mean(baselines[name], "pinball").value)
    out = []
    for name, worths in each.items():
        better = None
        if name == kind:
            pairs = [better_by(y, found[name][p, chosen, h], found[best][p, chosen, h], stretch)
                     for p in range(len(worths))]  # fmt: skip
            better = average(pairs)
        r2 = [one.r2.value for one in worths]
        below = tuple(np.mean([one.below for one in worths], axis=0).tolist())
        figures = {figure: _mean(worths, figure) for figure in _FIGURES}
        out.append(
            Judged(horizon, instrument, name, len(y), effective, figures, (min(r2), max(r2)), below, better,
                   best if name == kind else "")
        )  # fmt: skip
    return out


def _of_paths(y: Float64s, q: Float64s, nothing: Float64s, stretch: Int64s) -> list[Worth]:
    return [worth(y, q[p], nothing[p], stretch) for p in range(len(q))]


def _mean(worths: Sequence[Worth], figure: str) -> Measured:
    return average([getattr(one, figure) for one in worths])
