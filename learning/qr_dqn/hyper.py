"""Parameters of the agent, and what they may be."""

from dataclasses import dataclass, fields
from typing import Any

from operators.arguments import as_count, as_number

_MOST = 1 << 40


@dataclass(frozen=True)
class Hyper:
    """How the agent learns.

    Attributes:
        hidden: widths of the layers between observation and quantiles.
        n_quantiles: of each action's return, at the midpoints ``(i + ½)/N`` (Dabney et al. 2018, lemma 2).
        kappa: where the Huber loss turns linear, in units of the value's scale.
        discount: of a step.
        n_step: rewards that are summed before a value is asked for.
        double: the action of the next observation is chosen by the network that learns, and valued by the target's
            (van Hasselt, Guez & Silver 2016).
        popart: values are scaled by moving statistics of the targets; ``popart_rate``: weight of the newest batch.
        prioritised: transitions are drawn by ``loss ** priority_exponent`` (Schaul et al. 2016), and weighted by
            their probability to the power ``-importance_exponent``; else uniformly.
        buffer: transitions that are kept.
        batch: transitions of a gradient step.
        learning_starts: steps before the first gradient step.
        train_every, gradient_steps: every so many steps so many gradient steps follow.
        target_every: gradient steps after which the target network is renewed.
        learning_rate, learning_rate_end, learning_rate_steps: of Adam; it falls linearly over so many gradient steps.
        adam_epsilon: of Adam.
        max_gradient_norm: gradients beyond it are shortened to it.
        epsilon_start, epsilon_end, epsilon_steps: share of random actions; it falls linearly over so many steps.

    Raises:
        ValueError: one is out of range; the text begins with its name.
    """

    hidden: tuple[int, ...] = (128, 128)
    n_quantiles: int = 200
    kappa: float = 1.0
    discount: float = 0.99
    n_step: int = 1
    double: bool = True
    popart: bool = True
    popart_rate: float = 3e-3
    prioritised: bool = False
    priority_exponent: float = 0.6
    importance_exponent: float = 0.4
    buffer: int = 100_000
    batch: int = 64
    learning_starts: int = 1_000
    train_every: int = 64
    gradient_steps: int = 32
    target_every: int = 200
    learning_rate: float = 1e-3
    learning_rate_end: float = 1e-4
    learning_rate_steps: int = 20_000
    adam_epsilon: float = 1e-5
    max_gradient_norm: float = 10.0
    epsilon_start: float = 1.0
    epsilon_end: float = 0.02
    epsilon_steps: int = 10_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(as_count("hidden", width, 1, 4096) for width in self.hidden))
        for name in ("double", "popart", "prioritised"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}: {getattr(self, name)!r} is not True or False")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                least = 0 if field.name in ("learning_starts", "epsilon_steps", "learning_rate_steps") else 1
                object.__setattr__(self, field.name, as_count(field.name, value, least, _MOST))
            elif field.type is float:
                object.__setattr__(self, field.name, _in_range(field.name, value))

    def epsilon(self, steps: int) -> float:
        """Share of random actions after so many steps."""
        return _linear(self.epsilon_start, self.epsilon_end, self.epsilon_steps, steps)


# Lowest and highest value, and whether the lowest is allowed.
_RANGES: dict[str, tuple[float, float, bool]] = {
    "kappa": (0, 1e9, False),
    "discount": (0, 1, True),
    "popart_rate": (0, 1, False),
    "priority_exponent": (0, 1, True),
    "importance_exponent": (0, 1, True),
    "learning_rate": (0, 10, False),
    "learning_rate_end": (0, 10, True),
    "adam_epsilon": (0, 1, False),
    "max_gradient_norm": (0, 1e9, False),
    "epsilon_start": (0, 1, True),
    "epsilon_end": (0, 1, True),
}


def _in_range(name: str, value: Any) -> float:
    low, high, included = _RANGES[name]
    number = as_number(name, value)
    if not (low <= number if included else low < number) or number > high:
        raise ValueError(f"{name}: {value} is outside {low:g}{'' if included else ' (excluded)'} to {high:g}")
    return number


def _linear(start: float, end: float, over: int, at: int) -> float:
    """From ``start`` to ``end`` over so many steps, and then on."""
    return end if at >= over else start + (end - start) * at / over
