"""The settings that decide a feature's value, by their names in the settings and as text."""

from dataclasses import fields
from typing import Any

from operators.config import FeatureConfig

_UNITS = (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000))


def duration_text(ns: int) -> str:
    """A duration in its largest whole unit; ``update`` for none.

    >>> duration_text(100_000_000), duration_text(1_500_000_000), duration_text(0)
    ('100ms', '1500ms', 'update')
    """
    if ns == 0:
        return "update"
    return next((f"{ns // unit}{name}" for name, unit in _UNITS if ns % unit == 0), f"{ns}ns")


def feature_settings(config: FeatureConfig) -> dict[str, str]:
    """Every setting that decides a value of the features data set.

    One that is off by default, and is off, decides none: files that were written before there was one do not name it.
    """
    values = ((field.name, getattr(config, field.name), field.default) for field in fields(config))
    told = {name: _text(name, value) for name, value, default in values if value or default}
    return {f"features.{name.removesuffix('_ns')}": text for name, text in told.items()}


def _text(name: str, value: Any) -> str:
    if name == "windows":
        return ", ".join(text for text, _ in value)
    if name.endswith("_ns"):
        return duration_text(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def book_settings(config: FeatureConfig) -> dict[str, str]:
    """Every setting that decides a value of the books data set."""
    names = ("features.sampling", "features.max_hold")
    return {name: value for name, value in feature_settings(config).items() if name in names}
