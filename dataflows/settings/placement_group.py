"""The group of settings `placement`, in the form of `dataflows.settings.groups`."""

from typing import Annotated, Literal

from pydantic import Field

from dataflows.settings.groups import Group
from dataflows.settings.types import FilePath, Integer, Length, OptionalNumber, OptionalPath, Words
from sources.durations import Duration


class PlacementSettings(Group):
    """How a strategy's market orders are worked (docs/acting.md, 7)."""

    method: Literal["", "take", "peg", "twap", "dp", "mcts"] = ""
    """`take` sends them as they are. Empty: `dp` where a model is named, else `take`."""
    model: OptionalPath = None
    """Folder of the model of `dp` and `mcts`, as `tickwax train placement` writes it."""
    step: Length = Duration.parse("250ms")
    """Between two decisions on an order. A model holds for one step."""
    deadline: Length = Duration.parse("10s")
    """When an order must be done: what is open then is taken."""
    simulations: Annotated[Integer, Field(ge=1, le=100_000), Words("", "1 to 100000")] = 500
    """Of a decision of `mcts`."""
    tapes: tuple[FilePath, ...] = ()
    """Tapes that a model is estimated from. None: `tape.path`."""
    size: OptionalNumber = None
    """Size of the orders that a model is estimated with, in base currency. Empty: the least order."""

    @property
    def chosen(self) -> str:
        """The method, whatever the setting leaves open."""
        return self.method or ("take" if self.model is None else "dp")
