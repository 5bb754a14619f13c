"""What an agent has learned, served: some QR-DQN networks that are asked together, and the doubt between them
(docs/acting.md, 4).

Sources: Dabney, Rowland, Bellemare & Munos 2018 (quantiles of returns); Lakshminarayanan, Pritzel & Blundell 2017,
"Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles" (networks that differ in their seed).
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of

from operators.arguments import as_array, as_count, as_number
from operators.models.jit import entry_kernel
from operators.models.qr_dqn import QuantilePolicy, best, tail_mean
from sources.model_folder import CARD, Card, read_model
from sources.tape.batch import Float64s

KIND = "qrdqn"
TARGETS = (-1, 0, 1)  # of the actions 0, 1, 2, times the size
OWN = 4  # numbers that an observation has behind the columns: position, unrealised return, time in position, spread
_FLAT = 1
_MEMBER = "member.{}."
_SAVED, _WEIGHTS = "agent.json", "weights.safetensors"


class Choice(NamedTuple):
    """What networks say of an observation."""

    action: int
    doubt: float  # units of the reward


@entry_kernel
def _agreed(quantiles: Float64s, share: float, flat: int, out: Float64s) -> tuple[int, float]:
    """Fill ``out``, shape ``(actions, N)``, with the mean of the members' quantiles; the best action, and the doubt.

    Args:
        quantiles: rising, shape ``(members, actions, N)``.
        flat: the action that an advantage is over.
    """
    members, actions, n = quantiles.shape
    for a in range(actions):
        for k in range(n):
            total = 0.0
            for m in range(members):
                total += quantiles[m, a, k]
            out[a, k] = total / members
    doubt = 0.0
    for a in range(actions):
        mean = square = 0.0
        for m in range(members):
            advantage = tail_mean(quantiles[m], a, 1.0) - tail_mean(quantiles[m], flat, 1.0)
            off = advantage - mean  # Welford 1962
            mean += off / (m + 1)
            square += off * (advantage - mean)
        doubt = max(doubt, math.sqrt(square / members))
    return best(out, share), doubt


@dataclass(frozen=True)
class AgentModel:
    """Networks that decide together.

    Attributes:
        columns: of the features, as the networks see them.
        mean, scale: what is seen of a column is ``(x − mean)/scale``.
        size: base currency, of a whole position.
        step_ns: from one decision to the next.
        cvar: share of returns that count, the lowest; 1: all, the mean.
        most_doubt: beyond it no position is opened; infinite: whatever the doubt.
        members: the networks.
        card: of the folder; None: of an agent that `learning.qr_dqn.QRDQN.save` wrote.
        doubt: column of a forecast that tells the doubt; empty: that between the members.

    Raises:
        ValueError: they do not fit together; the text begins with what does not.
    """

    columns: tuple[str, ...]
    mean: Float64s
    scale: Float64s
    size: float
    step_ns: int
    cvar: float
    most_doubt: float
    members: tuple[QuantilePolicy, ...]
    card: Card | None = None
    doubt: str = ""

    def __post_init__(self) -> None:
        shapes = {(net.inputs, net.actions, net.n_quantiles) for net in self.members}
        if len(shapes) != 1:
            raise ValueError(f"members: {len(self.members)} networks of {len(shapes)} shapes; one shape is needed")
        inputs, actions, _ = shapes.pop()
        if not len(self.mean) == len(self.scale) == len(self.columns) == inputs - OWN or actions != len(TARGETS):
            raise ValueError(f"members: see {inputs} numbers, of {len(self.columns)} columns; take {actions} actions")

    def choose(self, observation: npt.ArrayLike, cvar: float | None = None) -> Choice:
        """The action with the best mean of its lowest returns, and the doubt.

        The doubt is the largest standard deviation, over the members, of what an action's mean return is above that of
        being flat; 0 of one member.

        Args:
            observation: shape ``(columns + 4,)``.
            cvar: None: the model's own.

        Raises:
            ValueError: another shape, or not finite numbers.
        """
        said = np.stack([net.quantiles(observation) for net in self.members])
        action, doubt = _agreed(said, self.cvar if cvar is None else cvar, _FLAT, np.empty(said.shape[1:]))
        return Choice(int(action), float(doubt))

    def target(
        self, observation: npt.ArrayLike, held: int, cvar: float | None = None, foretold: float = math.nan
    ) -> int:
        """The position to have: −1, 0 or 1 times the size. In doubt none is opened, and none turned.

        Args:
            held: sign of the present position.
            foretold: the doubt of the forecast, where that closes the gate; one that is not known (NaN) closes it.

        Raises:
            ValueError: as of `choose`.
        """
        action, doubt = self.choose(observation, cvar)
        wanted = TARGETS[action]
        sure = (foretold if self.doubt else doubt) <= self.most_doubt
        return wanted if sure or wanted == held or self.most_doubt == math.inf else 0


def arrays_of_members(members: Sequence[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of networks by the names that `read_agent` looks for.

    Args:
        members: of each, what `QuantilePolicy` takes.
    """
    return {_MEMBER.format(m) + name: array for m, arrays in enumerate(members) for name, array in arrays.items()}


def model_of(card: Card, arrays: Mapping[str, npt.NDArray[Any]]) -> AgentModel:
    """The agent of a card and its arrays.

    Raises:
        ValueError: it is no agent's, or its numbers do not fit together.
    """
    if card.kind != KIND:
        raise ValueError(f"kind: {card.kind!r}; an agent is of kind {KIND!r}")
    told = card.parameters
    members: list[QuantilePolicy] = []
    while any(name.startswith(prefix := _MEMBER.format(len(members))) for name in arrays):
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        members.append(QuantilePolicy(own, len(TARGETS)))
    try:
        doubt = told["most_doubt"]
        return AgentModel(
            card.columns, as_array("mean", card.mean), as_array("scale", card.scale),
            as_number("size", told["size"]), as_count("step_ns", told["step_ns"], 1), as_number("cvar", told["cvar"]),
            math.inf if doubt is None else as_number("most_doubt", doubt), tuple(members), card,
            doubt=str(told.get("doubt", "")),
        )  # fmt: skip
    except KeyError as e:
        raise ValueError(f"parameters: {e.args[0]} is missing") from None


def read_agent(folder: Path, key: str) -> AgentModel:
    """The agent of a folder that `tickwax train qrdqn`, or `learning.qr_dqn.QRDQN.save`, wrote.

    Args:
        key: what the folder was given as; an error begins with it.

    Raises:
        TickwaxError: the model's folder cannot be read.
        ValueError: the folder holds no agent, or is damaged.
    """
    if not (folder / _SAVED).is_file() and (folder / CARD).is_file():
        found = read_model(folder, key)
        try:
            return model_of(found.card, found.arrays)
        except ValueError as e:
            raise ValueError(f"path: {folder}: {e}") from None
    return _saved(folder)


def _saved(folder: Path) -> AgentModel:
    try:
        card = json.loads((folder / _SAVED).read_bytes())
        data = (folder / _WEIGHTS).read_bytes()
    except (OSError, ValueError) as e:
        raise ValueError(f"path: {folder}: holds no agent: {e}") from None
    about = card.get("environment") if isinstance(card, dict) else None
    if not isinstance(about, dict) or not {"columns", "mean", "scale", "size", "step_ns"} <= set(about):
        raise ValueError(f"path: {folder}: is no agent of tickwax/Trading-v0")
    if hashlib.sha256(data).hexdigest() != card.get("files", {}).get(_WEIGHTS):
        raise ValueError(f"path: {folder / _WEIGHTS}: is not what {_SAVED} says was written")
    try:
        net = QuantilePolicy(arrays_of(data), card["actions"], card["first_action"])
        return AgentModel(
            tuple(about["columns"]), as_array("mean", about["mean"]), as_array("scale", about["scale"]),
            as_number("size", about["size"]), as_count("step_ns", about["step_ns"], 1), 1.0, math.inf, (net,),
        )  # fmt: skip
    except (SafetensorError, KeyError, ValueError) as e:
        raise ValueError(f"path: {folder}: holds no network: {e}") from None
