"""The groups of settings of models: how they are trained, and what a run foretells with them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dataflows.settings.groups import Group
from dataflows.settings.types import (
    ColumnName,
    FilePath,
    Integer,
    Latency,
    Number,
    OptionalDataSet,
    OptionalPath,
    OptionalTopic,
    Words,
)
from sources.durations import Duration

_SHARE = Words("", "above 0, below 1")


class PredictSettings(Group):
    """What a run predicts (docs/forecasts.md, 6)."""

    model: OptionalPath = None
    """Folder of a model. Empty: nothing is foretold."""
    path: OptionalDataSet = Path("data/predictions")
    """Folder of the data set `predictions`. Empty: none is written."""
    topic: OptionalTopic = "tickwax.predictions"
    """Kafka topic of the predictions, where `kafka.bootstrap` is set. Empty: none."""
    in_sample: bool = False
    """Let a backtest trade on rows that the model was trained on. It shows nothing of what the model is worth."""


class TrainSettings(Group):
    """How a model is trained from a data set of labels (docs/forecasts.md, 4)."""

    model: str = "ridge"
    """Kind of model: `ridge`, `gbm`, `tft`; or `qrdqn`, an agent, which learns from a tape."""
    path: FilePath = Path("data/model")
    """Folder of the model."""
    overwrite: bool = False
    """Replace a model that is there."""
    columns: tuple[ColumnName, ...] = ()
    """Inputs, among the columns of the data set, or of the features. None: every number but prices."""
    validate_by: Literal["holdout", "walk-forward", "cpcv"] = "holdout"
    """What the report is made of: a block kept back, each block by those before it, or all choices of blocks. An agent
    is judged by `cpcv` alone."""
    holdout: Annotated[Number, Field(gt=0, lt=1), _SHARE] = 0.2
    """Share of the rows, the newest, that `holdout` keeps back."""
    calibration: Annotated[Number, Field(gt=0, lt=1), _SHARE] = 0.2
    """Share of the other rows, the newest, that intervals are calibrated on."""
    embargo: Latency = Duration("0s", 0)
    """After a test block, how long no row trains."""
    blocks: Annotated[Integer, Field(ge=2, le=100), Words("", "2 to 100")] = 6
    """Blocks of `walk-forward` and `cpcv`."""
    test_blocks: Annotated[Integer, Field(ge=1, le=99), Words("", "1 or more, less than `blocks`")] = 2
    """Blocks that `cpcv` tests at a time."""
    seed: Annotated[Integer, Field(ge=0, lt=1 << 31), Words("", "0 or more")] = 0
    """Of whatever is drawn."""
    threads: Annotated[Integer, Field(ge=1, le=1024), Words("", "1 or more")] = 1
    """Of LightGBM and JAX. A model depends on it."""
    penalty: Annotated[Number, Field(gt=0), Words("", "above 0")] = 0.01
    """Of `ridge`, in units of the mean square of an input."""
    rounds: Annotated[Integer, Field(ge=1, le=10_000), Words("", "1 to 10000")] = 40
    """Trees of `gbm`, for each horizon and quantile."""
    leaves: Annotated[Integer, Field(ge=2, le=4096), Words("", "2 to 4096")] = 15
    """Leaves of a tree."""
    learning_rate: Annotated[Number, Field(gt=0, le=1), Words("", "above 0, up to 1")] = 0.1
    """What a tree adds of its answer."""
    least_in_leaf: Annotated[Integer, Field(ge=1), Words("", "1 or more")] = 100
    """Rows that a leaf must have."""
    classes: bool = False
    """Let `gbm` tell the chances of the barrier as well: one more model, of three classes."""
    width: Annotated[Integer, Field(ge=4, le=256, multiple_of=4), Words("", "4 to 256, a multiple of 4")] = 16
    """Of every layer of `tft`; a multiple of `train.heads`."""
    heads: Annotated[Integer, Field(ge=1, le=64), Words("", "1 to 64")] = 4
    """Of its attention."""
    window: Annotated[Integer, Field(ge=1, le=1000), Words("", "1 to 1000")] = 100
    """Rows that its attention reaches."""
    epochs: Annotated[Integer, Field(ge=1, le=10_000), Words("", "1 to 10000")] = 30
    """How often it sees every row, at most."""
    patience: Annotated[Integer, Field(ge=1, le=10_000), Words("", "1 to 10000")] = 5
    """Epochs without a better loss on the rows held back, after which its training ends."""
    stretch: Annotated[Integer, Field(ge=1, le=10_000), Words("", "1 to 10000")] = 200
    """Rows that follow each other in a gradient."""
    batch: Annotated[Integer, Field(ge=1, le=1024), Words("", "1 to 1024")] = 8
    """Stretches in a gradient."""
    step_size: Annotated[Number, Field(gt=0, le=1), Words("", "above 0, up to 1")] = 0.003
    """Of its optimiser, Adam."""
    decay: Annotated[Number, Field(ge=0, le=1), Words("", "0 to 1")] = 0.01
    """Of its weights."""
    dropout: Annotated[Number, Field(ge=0, lt=0.9), Words("", "0 or more, below 0.9")] = 0.1
    """Share of units that a pass leaves out, after attention."""
    mc_samples: Annotated[Integer, Field(ge=0, le=1024), Words("", "0 to 1024")] = 16
    """Passes with dropout that tell its doubt when it is served."""
    held: Annotated[Number, Field(gt=0, lt=1), _SHARE] = 0.15
    """Share of the training rows, the newest, that decide when its training ends."""
