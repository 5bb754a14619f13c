"""The group of settings `agent`, in the form of `dataflows.settings.groups`."""

from typing import Annotated, Literal

from pydantic import Field

from dataflows.settings.groups import Group
from dataflows.settings.types import Integer, Length, Number, OptionalNumber, Words
from sources.durations import Duration

_SHARE = Words("", "above 0, up to 1")


class AgentSettings(Group):
    """What an agent is asked to do, and how `tickwax train qrdqn` teaches it (docs/acting.md, 4)."""

    step: Length = Duration.parse("1s")
    """Time between two decisions."""
    size: Annotated[OptionalNumber, Field(gt=0)] = None
    """Base currency, of a whole position. Empty: what is worth about 1000 of the quote currency, in whole lots."""
    reward: Literal["pnl", "sharpe"] = "pnl"
    """What is learned: net profit in basis points, or what it adds to the Sharpe ratio."""
    eta: Annotated[Number, Field(gt=0, le=1), _SHARE] = 0.01
    """Weight of the newest step in the Sharpe ratio."""
    episode: Annotated[Integer, Field(ge=1), Words("", "1 or more")] = 300
    """Steps of an episode, at most."""
    members: Annotated[Integer, Field(ge=1, le=100), Words("", "1 to 100")] = 3
    """Networks that are trained, each with a seed of its own; they decide together."""
    steps: Annotated[Integer, Field(ge=100), Words("", "100 or more")] = 20_000
    """Steps that each network learns from."""
    cvar: Annotated[Number, Field(gt=0, le=1), _SHARE] = 0.25
    """Share of returns that it acts by, the lowest. 1: all, the mean."""
    doubt: str = ""
    """Column of a forecast that tells the doubt, such as `forecast_epistemic_5s`; `predict.model` has it. Empty: the
    networks' own."""
    max_epistemic: Annotated[Number, Field(gt=0, le=1), _SHARE] = 0.95
    """Quantile of the doubt in training beyond which no position is opened. 1: whatever the doubt."""
    discount: Annotated[Number, Field(ge=0, lt=1), Words("", "0 or more, below 1")] = 0.9
    """Of the reward of a step later."""
    hidden: tuple[Annotated[Integer, Field(ge=1, le=4096)], ...] = (64, 64)
    """Widths of the layers of a network."""
    quantiles: Annotated[Integer, Field(ge=1, le=1000), Words("", "1 to 1000")] = 32
    """Of the return of each action."""
    kappa: Annotated[Number, Field(gt=0), Words("", "above 0")] = 0.1
    """Where the Huber loss turns linear, in units of the returns' deviation."""
    n_step: Annotated[Integer, Field(ge=1, le=1000), Words("", "1 to 1000")] = 1
    """Rewards that are summed before a network is asked for the rest."""
    prioritised: bool = False
    """Whether what was foretold badly is looked at more often."""
    batch: Annotated[Integer, Field(ge=1, le=65_536), Words("", "1 to 65536")] = 64
    """Steps in a gradient."""
    learning_rate: Annotated[Number, Field(gt=0, le=1), Words("", "above 0, up to 1")] = 0.001
    """Of its optimiser, Adam, at first."""
