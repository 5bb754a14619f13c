"""Evaluation: a model's recipe beside simple ones on a data set. `learning` is imported here, when it is asked for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflows.assembly.learn_extra import learn_extra
from dataflows.assembly.training import load_network, remember
from dataflows.reports.evaluation import EvaluationReport
from operators.models.kinds import BARRIER
from operators.models.served import CLASSES
from sinks.evaluation import RELIABILITY
from sinks.trials import FOLDER, read_trials
from sources.errors import TickwaxError
from sources.model_folder import read_model
from sources.tape.schema import EDGE

if TYPE_CHECKING:
    from learning.evaluation.chances import ChancesJudged
    from learning.evaluation.errors import Measured
    from learning.evaluation.evaluate import Evaluation, Judged


def evaluate_model(
    model: Path,
    dataset: Path,
    blocks: int | None = None,
    test_blocks: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> EvaluationReport:
    """Judge how a model is made, not its folder: a new one is trained on every split of the data set.

    Args:
        blocks, test_blocks: of the splits; None: those that the model was trained with.

    Raises:
        TickwaxError: the libraries for it are not installed; the model or the data set cannot be read, they have other
            features or horizons, or there are too few rows.
    """
    with learn_extra("MODEL:"):
        from learning.evaluation.evaluate import evaluate
        from learning.evaluation.forecasters import parameters_of
        from learning.evaluation.luck import luck
        from learning.rows import read_rows
        from learning.training import FITS, Plan
    card = read_model(model, "MODEL").card
    if card.kind not in FITS:
        raise TickwaxError(f"MODEL: {model} is of kind {card.kind!r}; judged can be {', '.join(FITS)}")
    load_network(card.kind, "MODEL: of kind")
    rows = read_rows(dataset, card.columns, key=f"MODEL: {model}")
    if odd := sorted(set(rows.features.items()) ^ set(card.features.items())):
        raise TickwaxError(f"MODEL: {model} and {dataset} are of other features: {odd[0][0]} differs")
    if (rows.horizons, rows.latency) != (card.horizons, card.latency):
        raise TickwaxError(
            f"MODEL: {model} foretells {', '.join(card.horizons)} from {card.latency} on, {dataset} has labels of "
            f"{', '.join(rows.horizons)} from {rows.latency} on"
        )
    barrier = card.parameters.get(BARRIER)
    if barrier is not None and (odd := sorted(set(rows.labels.items()) ^ set(barrier.items()))):
        name = odd[0][0]
        raise TickwaxError(
            f"MODEL: {model} tells the chances of another barrier: {name} was {barrier.get(name)}, and of {dataset} it "
            f"is {rows.labels.get(name)}"
        )
    told = {name: value for name, value in card.parameters.items() if name in Plan.__dataclass_fields__}
    given = {"blocks": blocks, "test_blocks": test_blocks}
    plan = Plan(**{**told, "kind": card.kind, **{name: n for name, n in given.items() if n is not None}})
    edges = {name: own[EDGE] for name, own in rows.own.items() if EDGE in own}
    found = evaluate(rows, plan, progress, edges)
    recipe = {**asdict(plan), "columns": rows.columns, "features": rows.features}
    tried = {
        name: ({**recipe, "kind": name, "parameters": dict(parameters_of(name, rows, plan))}, medians)
        for name, medians in found.medians.items()
    }
    root = model.parent / FOLDER
    subjects = remember("evaluate", rows, tried, root)
    own = json.dumps(recipe, sort_keys=True, default=str)
    sets = {
        one.subject: one
        for one in read_trials(root)
        if one.source == "evaluate" and own in one.configurations and one.first_ts == rows.ts[0]
    }
    deflated = []
    for name, subject in zip(rows.horizons, subjects, strict=True):
        every = dict(zip(sets[subject].configurations, sets[subject].returns.T, strict=True))
        deflated.append(luck(name, own, every))
    return report_of(replace(found, luck=deflated), model, dataset)


def report_of(found: "Evaluation", model: Path, dataset: Path) -> EvaluationReport:
    """The same as plain records."""
    return EvaluationReport(
        str(model),
        str(dataset),
        found.kind,
        found.splits,
        found.paths,
        [_record(one) for one in found.judged],
        [
            {
                "horizon": one.horizon,
                **_pair("shuffled", one.shuffled),
                **_pair("purged", one.purged),
                "shuffled_sign": one.shuffled_sign,
                "purged_sign": one.purged_sign,
            }
            for one in found.leaks
        ],
        [one._asdict() for one in found.luck],
        found.edges,
        found.holes,
        [one._asdict() for one in found.inputs],
        [one._asdict() for one in found.errors],
        [_chances_record(one) for one in found.chances],
    )


def _record(one: "Judged") -> dict[str, Any]:
    pairs: Mapping[str, Measured] = one.figures
    out: dict[str, Any] = {
        "horizon": one.horizon,
        "instrument": one.instrument,
        "model": one.name,
        "rows": one.rows,
        "effective_rows": one.effective,
    }
    for name, each in pairs.items():
        out |= _pair(name, each)
    out |= {"r2_lowest": one.r2_paths[0], "r2_highest": one.r2_paths[1]}
    out |= {f"below_{level}": share for level, share in zip(("05", "25", "50", "75", "95"), one.below, strict=True)}
    return out | _standing(one)


def _chances_record(one: "ChancesJudged") -> dict[str, Any]:
    """In the place of a horizon stands the barrier."""
    out: dict[str, Any] = {
        "horizon": BARRIER,
        "instrument": one.instrument,
        "model": one.name,
        "rows": one.rows,
        "effective_rows": one.effective,
    }
    for name, each in one.figures.items():
        out |= _pair(name, each)
    for k, of_class in enumerate(CLASSES):
        for at, what in enumerate(("rows", "chance", "share")):
            out[f"{RELIABILITY}{of_class}_{what}"] = [_known(value) for value in one.reliability[k, :, at].tolist()]
    return out | _standing(one)


def _standing(one: "Judged | ChancesJudged") -> dict[str, Any]:
    better = {"better": None, "better_error": None} if one.better is None else _pair("better", one.better)
    return {**better, "baseline": one.baseline or None, "verdict": one.verdict or None}


def _pair(name: str, each: "Measured") -> dict[str, float | None]:
    return {name: _known(each.value), f"{name}_error": _known(each.error)}


def _known(value: float) -> float | None:
    return None if value != value else value
