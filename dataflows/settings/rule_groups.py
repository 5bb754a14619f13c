"""The group of settings `rules`, in the form of `dataflows.settings.groups`."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from dataflows.settings.groups import Group
from dataflows.settings.types import Integer, Length, Number, OptionalPath, Words
from sources.durations import Duration


class EndpointSettings(Group):
    """The endpoint that the reflector `llm` asks (docs/reflecting.md, 6)."""

    base_url: Annotated[str, Words("", "an address, such as `https://host/v1`")] = ""
    """Of an API like OpenAI's. Empty: there is none."""
    model: str = ""
    """Name of the model."""
    key: SecretStr = SecretStr("")
    """Key of the API. It is sent over https alone, and shown nowhere."""
    timeout: Length = Duration.parse("60s")
    """Longest time of an attempt."""
    attempts: Annotated[Integer, Field(ge=1, le=10)] = 3
    """How often a question is sent if the endpoint does not answer, or is busy."""
    most_tokens: Annotated[Integer, Field(ge=1)] = 4096
    """Tokens of a reply."""
    budget_tokens: Annotated[Integer, Field(ge=0)] = 200_000
    """Tokens that all exchanges of a store may cost. 0: as many as it takes."""
    budget_money: Annotated[Number, Field(ge=0)] = 0.0
    """Money that all exchanges of a store may cost, in the currency of the prices. 0: as much as it takes."""
    price_in: Annotated[Number, Field(ge=0)] = 0.0
    """Price of a million tokens that are sent."""
    price_out: Annotated[Number, Field(ge=0)] = 0.0
    """Price of a million tokens that come back."""


class RulesSettings(Group):
    """Rules that keep a strategy from losing entries (docs/reflecting.md)."""

    store: OptionalPath = None
    """Folder of the rules that a backtest or paper trading consults. Empty: none."""
    version: Annotated[str, Words("", "the hash of a version, or its beginning")] = ""
    """Version of the store that a run consults. Empty: the newest at its start."""
    nearest: Annotated[Integer, Field(ge=1, le=1000)] = 8
    """How many of the rules nearest to the present features are consulted."""
    server: str = ""
    """Qdrant server in which `tickwax rules why` looks for neighbours, or `:memory:`. Empty: exact search here."""
    reflector: Literal["statistics", "llm"] = "statistics"
    """Who proposes rules: trees on the episodes, or a language model."""
    proposals: Annotated[Integer, Field(ge=1, le=100)] = 10
    """Most rules that are proposed at once."""
    holdout: Annotated[Number, Field(gt=0, lt=1), Words("", "above 0, below 1")] = 0.5
    """Share of the episodes, the latest ones, that proposals are tested on."""
    embargo: Length = Duration.parse("60s")
    """Time between the episodes that are learned from and those that are tested on."""
    level: Annotated[Number, Field(gt=0, lt=1), Words("", "above 0, below 1")] = 0.05
    """False-discovery rate of adopted rules, over everything that was ever tested."""
    min_episodes: Annotated[Integer, Field(ge=2)] = 30
    """Episodes in which a rule must hold to be judged."""
    llm: EndpointSettings = EndpointSettings()
