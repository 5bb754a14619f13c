"""One line for what is wrong with the settings: the key in dotted form, the value, what is allowed, who set it."""

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from dataflows.settings.layers import (
    ConfigFile,
    Layer,
    group_of,
    holds_secret,
    look_up,
    shortened,
)
from sources.redaction import redacted

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
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, unknown keys before all else: they are often what made the rest wrong."""
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key; {_known(model, [str(part) for part in first['loc']])}"
    text = _what(first, holds_secret(model, key))
    return f"{key}: {text}" if key else text  # what ties several keys together names them itself


def origin(line: str, variables: dict[str, str], file: ConfigFile | None, file_layer: Layer) -> str:
    """Who set the key that a line begins with, in brackets; empty if nobody did.

    Args:
        variables: names of the environment's, by dotted key.
    """
    key = line.partition(":")[0]
    parts = key.split(".")
    for end in range(len(parts), 0, -1):  # a variable may hold the whole group
        if variable := variables.get(".".join(parts[:end])):
            return f" ({variable})"
    return f" (in {file.name})" if file and look_up(file_layer, key)[0] else ""


def _what(error: Any, secret: bool) -> str:
    if error["type"] == "value_error":
        return redacted(str(error["ctx"]["error"]))  # our own validators name the value and what is allowed
    value = "the value, which is not shown," if secret else _short(error["input"])
    if bound := _BOUNDS.get(error["type"]):
        words, key = bound
        return f"{value} is not {words} {error['ctx'][key]}"
    expected = _EXPECTED.get(error["type"].partition("_")[0])
    if expected is None:
        return f"{value}: {error['msg']}"
    if error["type"] == "literal_error":
        expected += " " + error["ctx"]["expected"].replace("''", "empty").replace("'", "").replace(" or ", ", ")
    return f"{value} is not {expected}"


def _known(model: type[BaseModel], path: list[str]) -> str:
    at: type[BaseModel] | None = model
    for part in path[:-1]:
        at = at and group_of(at, part)
    if at is None:
        return "the key above it holds a single value"
    known = list(at.model_fields)
    close = get_close_matches(path[-1].lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not write out whole numbers of more than 4300 digits
        text = "a whole number of thousands of digits"
    return shortened(redacted(text, address="@" in text))
