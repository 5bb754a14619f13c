"""What a strategy that was trained may be run on: its instrument, the features of its training, and a later time."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dataflows.assembly.tapes import time_text
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.identity import feature_settings
from operators.strategies.agent import Agent
from sinks.identity import difference
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.reader import TapeReader


def check_features(strategy: Any, settings: Settings, tell: Callable[[str], None] = say) -> None:
    """Refuse a trained agent whose features had other settings; tell of one that was trained on a planted market.

    Raises:
        TickwaxError: that is so; tells the first difference.
    """
    card = strategy.model.card if isinstance(strategy, Agent) else None
    if card is None:
        return
    if other := difference(card.features, feature_settings(settings.feature_config()), frozenset()):
        raise TickwaxError(
            f"strategy.path: was trained on other features: {other.setting} was {other.there}, and is {other.here}"
        )
    if card.planted:
        tell("strategy.path: PLANTED: it was trained on a synthetic market, whose edge somebody put there")


def check_forecasts(strategy: Any, identity: str | None) -> None:
    """Refuse a trained agent the forecasts of another model than it was trained with.

    Args:
        identity: of the model that foretells; None: none does.

    Raises:
        TickwaxError: that is so.
    """
    card = strategy.model.card if isinstance(strategy, Agent) else None
    wanted = None if card is None else card.parameters.get("predict.model")
    if wanted is not None and identity is not None and identity != wanted:
        raise TickwaxError(f"predict.model: {identity[:16]}; the agent was trained with the forecasts of {wanted[:16]}")


def check_instruments(strategy: Any, wanted: Iterable[Instrument]) -> None:
    """Refuse a trained agent another instrument: its size is in the base currency of the one that it was trained on.

    Args:
        wanted: that it is to trade.

    Raises:
        TickwaxError: that is so.
    """
    card = strategy.model.card if isinstance(strategy, Agent) else None
    if card is not None and (other := next((i for i in wanted if str(i) not in card.instruments), None)):
        there = ", ".join(card.instruments)
        raise TickwaxError(f"strategy.path: was trained on {there}, and not on {other}; choose with symbols")


def check_unseen(strategy: Any, settings: Settings, readers: Sequence[TapeReader]) -> None:
    """Refuse a backtest of a trained agent on the time that it was trained on, unless the settings ask for that.

    Raises:
        TickwaxError: that is so; tells when the training ends.
    """
    card = strategy.model.card if isinstance(strategy, Agent) and not strategy.in_sample else None
    if card is None or all(reader.empty for reader in readers):
        return
    start = settings.replay.start
    begin = min(max(reader.span[0], start.ns if start else 0) for reader in readers if not reader.empty)
    first = min(max(reader.span[0], card.trained_from) for reader in readers if not reader.empty)
    last = max(reader.span[1] for reader in readers if not reader.empty)
    if begin < card.trained_until and first < card.trained_until and last >= card.trained_from:
        raise TickwaxError(
            f"strategy.path: was trained on the time until {time_text(card.trained_until)}; begin with --start then, "
            "or set strategy.in_sample = 1 to see what it remembers"
        )
