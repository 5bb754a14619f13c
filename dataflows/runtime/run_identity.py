"""What must be the same when a replay or a backtest is resumed."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataflows.settings.model import Settings
from operators.execution.exchange_codec import VERSION as EXCHANGE_VERSION
from operators.execution.grid import Grid
from operators.state_codec import VERSION
from sources.instrument import Instrument
from sources.model_folder import CARD

_ELSEWHERE = ("path", "overwrite", "d_file")  # of the features' settings


def identity(settings: Settings, chosen: Sequence[Instrument]) -> dict[str, str]:
    """By setting, in words that a refusal can show; the file of fractional orders by its content."""
    f, orders = settings.features, settings.features.d_file
    return {
        "version of the state": str(VERSION),
        "tape.path": _path(settings.tape.path),
        "features.path": _path(f.path),
        "books.path": _path(settings.books.path),
        **{f"features.{key}": _text(value) for key, value in f if key not in _ELSEWHERE},
        "features.d_file": f"SHA-256 {hashlib.sha256(orders.read_bytes()).hexdigest()[:16]}" if orders else "none",
        "replay.start": _text(settings.replay.start),
        "replay.end": _text(settings.replay.end),
        "symbols": ", ".join(map(str, chosen)),
        **_forecasts(settings),
    }


def trade_identity(
    settings: Settings, chosen: Sequence[Instrument], decided: Mapping[str, str], grids: Mapping[Instrument, Grid]
) -> dict[str, str]:
    """The same of a backtest.

    Args:
        decided: every setting that decides a value.
    """
    mine = {key: text for key, text in identity(settings, chosen).items() if key not in ("features.path", "books.path")}
    return {
        **mine,
        **decided,
        "version of the exchange's state": str(EXCHANGE_VERSION),
        "backtest.path": _path(settings.backtest.path),
        **{f"execution.grid of {instrument}": str(grid) for instrument, grid in grids.items()},
    }


def _forecasts(settings: Settings) -> dict[str, str]:
    """Of a run that has a model: which, by its hash."""
    p = settings.predict
    if p.model is None:
        return {}
    card = p.model / CARD
    there = hashlib.sha256(card.read_bytes()).hexdigest()[:16] if card.is_file() else "none"
    return {"predict.model": f"SHA-256 {there}", "predict.path": _path(p.path)}


def _path(path: Path | None) -> str:
    return "none" if path is None else str(path.resolve())


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
