"""The settings in force as TOML, and where each comes from."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from dataflows.settings.layers import environment_layer, file_layer, leaves, look_up
from dataflows.settings.model import Settings
from sources.redaction import redacted


def effective(settings: Settings) -> Iterator[str]:
    """Lines of a TOML file that gives the same settings again; defaults are comments, as setting one asks for it. So is
    what must not be shown."""
    layers = {"environment": environment_layer(Settings), "file": file_layer()}
    table = ""
    for key, _ in leaves(Settings):
        group, _, name = key.rpartition(".")
        if group != table:
            table = group
            yield ""
            yield f"[{table}]"
        value: Any = settings
        for part in key.split("."):
            value = getattr(value, part)
        source = next((layer for layer, values in layers.items() if look_up(values, key)[0]), "default")
        text = redacted(_toml(value), address=key.startswith(("venues.", "kafka.bootstrap")))
        hidden = text != _toml(value) or (isinstance(value, SecretStr) and value.get_secret_value() != "")
        comment = "# " if source == "default" or hidden else ""
        yield f"{comment}{name} = {text}  # {source}{'; not shown' if hidden else ''}"
        if key == "strategy.name":  # its parameters are of its own
            for parameter, given in (settings.strategy.model_extra or {}).items():
                source = next(layer for layer, values in layers.items() if look_up(values, f"strategy.{parameter}")[0])
                yield f"{parameter} = {_toml(given)}  # {source}"


def _toml(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(v) for v in value)}]"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, BaseModel):
        return _toml(dict(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(v)}" for key, v in value.items()) + "}"
    return json.dumps(str(value), ensure_ascii=False)
