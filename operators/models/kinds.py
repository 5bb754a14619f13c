"""The kinds of model that a run can serve, and how each is made of its folder."""

from collections.abc import Callable

import numpy as np

from operators.models.drift import BINS, EDGES
from operators.models.linear import LinearModel
from operators.models.served import QUANTILES, ModelHead, ServedModel
from operators.models.tft.serve import make as temporal_fusion
from operators.models.trees import TreeModel
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.model_folder import ModelFolder

Maker = Callable[[ModelFolder, ModelHead], ServedModel]

KINDS: dict[str, Maker] = {"ridge": LinearModel, "gbm": TreeModel, "tft": temporal_fusion}
"""By ``kind`` of the card. What makes a model raises a ValueError if the folder's numbers are not those of its kind."""

BARRIER = "barrier"  # of a card's parameters: settings of the barrier whose chances the model tells
CALIBRATION = "calibration"  # the array of the folder that `ModelHead.calibration` is
REFERENCE = "reference"  # likewise


def served(folder: ModelFolder, key: str = "model") -> ServedModel:
    """The model of a folder, ready to serve.

    Args:
        key: what the folder was given as; an error begins with it.

    Raises:
        TickwaxError: it is of a kind that cannot be served, or its numbers do not fit together.
    """
    card = folder.card
    make = KINDS.get(card.kind)
    if make is None:
        raise TickwaxError(f"{key}: {folder.path}: of kind {card.kind!r}; served are {', '.join(sorted(KINDS))}")
    try:
        return make(folder, head_of(folder))
    except ValueError as e:
        raise TickwaxError(f"{key}: {folder.path}: {e}") from None


def head_of(folder: ModelFolder) -> ModelHead:
    """What a folder says of its model, whatever the kind.

    Raises:
        ValueError: a horizon is no duration, the quantiles are others, or the calibration has another shape.
    """
    card = folder.card
    if card.quantiles != QUANTILES:
        raise ValueError(f"quantiles: {list(card.quantiles)}; served are {list(QUANTILES)}")
    calibration = np.ascontiguousarray(folder.arrays.get(CALIBRATION, np.empty((0, 0))), np.float64)
    if calibration.ndim != 2 or len(calibration) != len(card.horizons) or not calibration.size:
        raise ValueError(f"{CALIBRATION}: shape {calibration.shape}; a row of scores for each of {len(card.horizons)}")
    if (np.diff(calibration) < 0).any():
        raise ValueError(f"{CALIBRATION}: scores do not rise")
    reference = np.ascontiguousarray(folder.arrays.get(REFERENCE, np.empty((0, 0))), np.float64)
    if reference.size and reference.shape != (len(card.columns), EDGES + BINS + 1):
        raise ValueError(f"{REFERENCE}: shape {reference.shape}; {EDGES + BINS + 1} numbers for each column")
    return ModelHead(
        identity=card.identity,
        kind=card.kind,
        columns=card.columns,
        horizons=tuple((text, Duration.parse(text).ns) for text in card.horizons),
        latency_ns=Duration.parse_or_zero(card.latency).ns,
        trained_until=card.trained_until,
        calibration=calibration,
        classes=BARRIER in card.parameters,
        reference=reference,
    )
