"""The strategies that are shipped, each a file with its source (docs/strategies.md).

A strategy is a dataclass whose fields are its parameters, and what `execution.strategy.CompiledStrategy` asks for.
"""

from typing import Any

from operators.strategies.agent import Agent
from operators.strategies.glft import Glft
from operators.strategies.hold import Hold
from operators.strategies.momentum import Momentum
from operators.strategies.peg import Peg
from operators.strategies.twap import Twap

STRATEGIES: dict[str, type[Any]] = {
    "hold": Hold,
    "momentum": Momentum,
    "glft": Glft,
    "twap": Twap,
    "peg": Peg,
}

LEARNED: dict[str, type[Any]] = {"agent": Agent}
"""Those that a folder decides; they are written in Python."""
