"""Training: from a data set of labels, or a tape, to a model's folder.

`learning` is imported here, and when it is asked for.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataflows.assembly.learn_extra import learn_extra
from dataflows.assembly.training_agents import AGENT, train_agent
from dataflows.settings.model import Settings
from operators.placement.model import KIND as PLACEMENT
from sinks.trials import FOLDER, Trial, write_trials
from sources.errors import TickwaxError
from sources.tape.batch import Float64s

if TYPE_CHECKING:
    from learning.rows import TrainingRows


def train_model(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """Train the model that the settings name, write it, and return its report.

    Args:
        say: is called with lines that tell how far a long training is.

    Raises:
        TickwaxError: the libraries for it are not installed; the data set cannot be read, or has too few rows; the
            model is there already, or cannot be written.
    """
    s = settings.train
    os.environ.setdefault("PJRT_NPROC", str(s.threads))  # JAX reads it once, as it is imported
    with learn_extra(f"train.model: {s.model!r}"):
        from learning.model_writer import check_model_path
        from learning.rows import read_rows
        from learning.training import FITS, Plan, train
    if s.model == AGENT:
        return train_agent(settings, say)
    if s.model not in FITS:
        raise TickwaxError(f"train.model: {s.model!r} is not one of {', '.join([*FITS, AGENT, PLACEMENT])}")
    load_network(s.model, "train.model:")
    check_model_path(s.path, s.overwrite)
    plan = Plan(
        kind=s.model,
        validate=s.validate_by,
        holdout=s.holdout,
        calibration=s.calibration,
        embargo=str(s.embargo),
        blocks=s.blocks,
        test_blocks=s.test_blocks,
        seed=s.seed,
        threads=s.threads,
        parameters=_PARAMETERS[s.model](settings) if s.model in _PARAMETERS else {},
    )
    rows = read_rows(settings.dataset.path, s.columns, s.path.parent)
    centres = np.full(rows.returns.shape, np.nan)

    def on_fold(test: Any, quantiles: Any) -> None:
        first = np.isnan(centres[test, 0])  # of CPCV, the first path
        centres[test[first]] = quantiles[first, :, 2]

    report = train(rows, plan, s.path, overwrite=s.overwrite, on_fold=on_fold, say=say)
    recipe = {**asdict(plan), "columns": rows.columns, "features": rows.features}
    remember("train", rows, {s.model: (recipe, centres)}, s.path.parent / FOLDER)
    return report


def load_network(kind: str, what: str) -> None:
    """Import what trains a network, if the model is of a kind that is one; others need no JAX.

    Raises:
        TickwaxError: as of `learn_extra`.
    """
    if kind == "tft":
        with learn_extra(f"{what} {kind!r}"):
            import learning.tft.training  # noqa: F401


def remember(
    source: str, rows: "TrainingRows", tried: "Mapping[str, tuple[Mapping[str, Any], Float64s]]", root: Path
) -> list[str]:
    """Keep what was tried, horizon by horizon: the return of the side of each forecast. Returns the subjects.

    Args:
        tried: by name a recipe, and medians of shape ``(n, horizons)``, NaN where nothing was foretold.
        root: folder of the trials.

    Raises:
        DiskFailure: it cannot be written.
    """
    from learning.evaluation.luck import side_returns
    from sources.durations import Duration

    trials, subjects = [], []
    for h, name in enumerate(rows.horizons):
        subjects.append(f"{', '.join(map(str, rows.instruments))}: {name}")
        returns = side_returns(rows, {key: each[:, h] for key, (_, each) in tried.items()}, h, Duration.parse(name).ns)
        for key, values in returns.items():
            recipe, medians = tried[key]
            known = np.flatnonzero(~np.isnan(medians[:, h]))
            first, last = int(rows.ts[known[0]]), int(rows.end[known[-1]])
            trials.append(Trial(source, subjects[-1], recipe, first, last, values[~np.isnan(values)]))
    write_trials(root, trials, time.time_ns())
    return subjects


def _of_ridge(settings: Settings) -> dict[str, Any]:
    return {"penalty": settings.train.penalty}


def _of_trees(settings: Settings) -> dict[str, Any]:
    s = settings.train
    return {
        "rounds": s.rounds,
        "num_leaves": s.leaves,
        "learning_rate": s.learning_rate,
        "min_data_in_leaf": s.least_in_leaf,
        **({"classes": True} if s.classes else {}),
    }


def _of_network(settings: Settings) -> dict[str, Any]:
    return {"rate": settings.train.step_size} | {name: getattr(settings.train, name) for name in _OF_NETWORK}


_OF_NETWORK = (
    "width", "heads", "window", "stretch", "batch", "epochs", "patience", "decay", "dropout", "mc_samples", "held",
)  # fmt: skip
_PARAMETERS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "ridge": _of_ridge,
    "gbm": _of_trees,
    "tft": _of_network,
}
