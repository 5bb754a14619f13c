"""The settings of the page in a browser."""

from typing import Annotated

from pydantic import Field

from dataflows.settings.groups import Group
from dataflows.settings.types import Integer, Number, Words


class UiSettings(Group):
    """The page that shows a run (docs/window.md)."""

    on: bool = False
    """Whether a live run, paper trading or a replay serves it."""
    host: str = "127.0.0.1"
    """Address to listen on. One that others reach makes the page ask for a token, which the run prints."""
    port: Annotated[Integer, Field(ge=0, le=65535)] = 8700
    """Port to listen on. 0: any free one."""
    speed: Annotated[Number, Words("", "above 0"), Field(gt=0)] = 1.0
    """A replay with the page: so many times as fast as the market was."""
