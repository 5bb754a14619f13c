"""One line for what is wrong with the settings: the key in dotted form, the value, what is allowed."""

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from dataflows.settings_layers import group_of

_EXPECTED = {
    "bool": "true or false",
    "dict": "a table of keys",
    "float": "a number",
    "int": "a whole number",
    "literal": "one of",
    "model": "a table of keys",
    "string": "a text",
    "tuple": "a list",
}


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, unknown keys before all else: they are often what made the rest wrong."""
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key; {_known(model, [str(part) for part in first['loc']])}"
    return f"{key}: {_what(first)}" if key else _what(first)  # what ties several keys together names them itself


def _what(error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])  # our own validators name the value and what is allowed
    value = _short(error["input"])
    expected = _EXPECTED.get(error["type"].partition("_")[0])
    if expected is None:
        return f"{value}: {error['msg']}"
    if error["type"] == "literal_error":
        expected += " " + error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
    return f"{value} is not {expected}"


def _known(model: type[BaseModel], path: list[str]) -> str:
    at: type[BaseModel] | None = model
    for part in path[:-1]:
        at = at and group_of(at, part)
    if at is None:
        return "the key above it holds a single value"
    known = list(at.model_fields)
    close = get_close_matches(path[-1], known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
