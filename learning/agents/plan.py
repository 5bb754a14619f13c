"""How an agent is trained, and the parts of a recording that it learns from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from learning.environment.recording import Recording
from learning.environment.trading import Task
from learning.qr_dqn.hyper import Hyper
from learning.splits import CombinatorialPurgedCV
from sources.errors import TickwaxError
from sources.tape.batch import Float64s

Rows = npt.NDArray[np.intp]
LEAST = {"training": 100, "test": 20}  # decisions of a block
_EPSILON_END = 0.05
_REPLAYED = 100_000  # transitions that are kept, at most


@dataclass(frozen=True)
class AgentPlan:
    """What an agent is asked to do, and how it learns it.

    Attributes:
        size: base currency, of a whole position.
        reward, eta, episode: as of `learning.environment.trading.Task`.
        members: networks that are trained, each with a seed of its own.
        steps: that each takes in the environment.
        cvar: share of returns that the agent acts by, the lowest; 1: all.
        doubt: column of a forecast that tells the doubt; empty: the networks' own.
        max_epistemic: quantile of the doubt at decisions of the training, beyond which no position is opened; 1: none.
        seed: of whatever is drawn.
        hidden, n_quantiles, kappa, discount, n_step, prioritised, batch, learning_rate: as of
            `learning.qr_dqn.hyper.Hyper`.

    Raises:
        ValueError: one is out of range; the text begins with its name.
    """

    size: float
    reward: str = "pnl"
    eta: float = 0.01
    episode: int = 300
    members: int = 3
    steps: int = 20_000
    cvar: float = 0.25
    doubt: str = ""
    max_epistemic: float = 0.95
    seed: int = 0
    hidden: tuple[int, ...] = (64, 64)
    n_quantiles: int = 32
    kappa: float = 0.1
    discount: float = 0.9
    n_step: int = 1
    prioritised: bool = False
    batch: int = 64
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        self.hyper()
        self.task()

    def hyper(self) -> Hyper:
        """Parameters of each network's learning: randomness falls over half of the steps, and so does the rate."""
        own = {name: value for name, value in asdict(self).items() if name in Hyper.__dataclass_fields__}
        return Hyper(
            **own,
            learning_starts=min(1_000, self.steps // 4),
            buffer=min(self.steps, _REPLAYED),
            epsilon_end=_EPSILON_END,
            epsilon_steps=self.steps // 2,
            learning_rate_steps=self.steps // 2,
        )

    def task(self, scaling: "Scaling | None" = None) -> Task:
        """What the environment is asked for."""
        own = {name: getattr(self, name) for name in ("size", "reward", "eta", "episode")}
        return Task(**own, **({} if scaling is None else scaling._asdict()))


class Scaling(NamedTuple):
    """Of the columns, from the decisions that are trained on; shape ``(columns,)``."""

    mean: Float64s
    scale: Float64s


def scaling(recording: Recording, rows: Rows) -> Scaling:
    """Mean and standard deviation of each column over some decisions; 0 and 1 where they tell nothing."""
    x = recording.features[rows]
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, x, 0.0).sum(axis=0) / count
    variance = np.where(known, (x - mean) ** 2, 0.0).sum(axis=0) / count
    scale = np.sqrt(variance)
    return Scaling(mean, np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1e-300), scale, 1.0))


def restricted(recording: Recording, rows: Rows) -> Recording:
    """A recording in which no step begins or ends outside of some decisions.

    Args:
        rows: numbers of the decisions, rising.
    """
    inside = np.zeros(len(recording), np.bool_)
    inside[rows] = True
    joined = np.zeros(len(recording), np.bool_)  # with the decision before
    joined[1:] = inside[1:] & inside[:-1] & (np.diff(recording.segment) == 0)
    segment = np.cumsum(~joined).astype(np.int64)
    segment.flags.writeable = False
    return replace(recording, segment=segment)


class Blocks(NamedTuple):
    """Numbers of the decisions, rising, that an agent learns from, and is tested on."""

    training: Rows
    test: Rows


def ends(recording: Recording) -> npt.NDArray[np.int64]:
    """The time at which what a decision led to is known: that of the next, or its own at the end of a segment."""
    after = np.minimum(np.arange(len(recording)) + 1, recording.last)
    return recording.ts[after]


def splitter(recording: Recording, blocks: int, test_blocks: int, embargo: str) -> CombinatorialPurgedCV:
    """Combinatorial purged cross-validation over the decisions.

    Raises:
        TickwaxError: there are too few decisions.
    """
    try:
        return CombinatorialPurgedCV(blocks, test_blocks, recording.ts, ends(recording), embargo)
    except ValueError as e:
        text = str(e).replace("n_test_blocks", "test_blocks").replace("n_blocks", "blocks")
        raise TickwaxError(f"train.{text}") from None


def need(blocks: Blocks) -> None:
    """Refuse blocks of too few decisions.

    Raises:
        TickwaxError: that is so.
    """
    for name, least in LEAST.items():
        there = len(getattr(blocks, name))
        if there < least and not (name == "test" and not there):
            raise TickwaxError(
                f"tape.path: {there} decisions are left for {name}, after purging; at least {least} are needed: "
                "a longer tape, a shorter agent.step, or fewer train.blocks"
            )


def split_paths(cv: CombinatorialPurgedCV, tests: Sequence[Rows]) -> Rows:
    """Of each path, the number of the split whose test set a decision is in; shape ``(paths, n)``.

    Args:
        tests: numbers of the decisions that each split tests.
    """
    numbers = cv.paths([np.full(len(test), number) for number, test in enumerate(tests)])
    return numbers.astype(np.intp)
