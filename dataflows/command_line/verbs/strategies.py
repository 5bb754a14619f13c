"""The flags that name a strategy and an exchange, of several verbs."""

from typing import Annotated, Any

import typer

from sources.errors import TickwaxError

StrategyName = Annotated[
    str | None,
    typer.Option(
        "--strategy", help="`hold`, `momentum`, `glft`, `twap`, `peg`, `agent`, or `module:Class` of your own."
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", help="A parameter of the strategy, `name=value`; as often as need be."),
]
Model = Annotated[
    str | None, typer.Option(help="Folder of a model whose forecasts the strategy may ask for; as in `predict.model`.")
]
Queue = Annotated[str | None, typer.Option(help="`power`, `risk_averse` or `optimistic`.")]
DecisionTimes = Annotated[str | None, typer.Option(help="When the strategy decides: `100ms`, or `update`.")]


def parameters(given: list[str] | None) -> dict[str, Any]:
    """Settings of the strategy's parameters.

    Raises:
        TickwaxError: one is not ``name=value``.
    """
    flags = {}
    for text in given or []:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise TickwaxError(f"--param: '{text}' is not name=value")
        flags[f"strategy.{name}"] = value
    return flags
