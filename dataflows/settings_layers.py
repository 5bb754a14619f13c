"""What the user set, layer by layer: the TOML file, the environment, dotted keys. Only the form is checked here."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sources.errors import TickwaxError

PREFIX = "TICKWAX_"
CONFIG_VARIABLE = "TICKWAX_CONFIG"

Layer = dict[str, Any]  # nested as the settings are


def leaves(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every key in dotted form, with its default, in the order of declaration."""
    for name, field in model.model_fields.items():
        group = group_of(model, name)
        if group is None:
            yield above + name, field.default
        else:
            yield from leaves(group, f"{above}{name}.")


def group_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model of a group of keys; None for a single key and for an unknown one."""
    field = model.model_fields.get(name)
    kind = None if field is None else field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def look_up(layer: Layer, dotted: str) -> tuple[bool, Any]:
    """Whether a layer holds a key, and its value."""
    at: Any = layer
    for part in dotted.split("."):
        if not isinstance(at, dict) or part not in at:
            return False, None
        at = at[part]
    return True, at


def dotted_layer(values: Mapping[str, Any]) -> Layer:
    """Command-line flags by dotted key; None means that the flag was not given.

    Raises:
        TickwaxError: one key is set both as a value and as a group of keys.
    """
    layer: Layer = {}
    # The shorter first, so that a single key wins over the object that holds its group.
    for dotted in sorted((k for k in values if values[k] is not None), key=lambda k: k.count(".")):
        *groups, name = dotted.split(".")
        at = layer
        for group in groups:
            at = at.setdefault(group, {})
            if not isinstance(at, dict):
                raise TickwaxError(f"{dotted}: unknown key, for {group!r} is set to {at!r}")
        at[name] = values[dotted]
    return layer


def file_layer() -> Layer:
    """The TOML file that ``TICKWAX_CONFIG`` names; empty when it names none.

    Raises:
        TickwaxError: the file cannot be read or is not TOML; the text names the file, and the line where it is known.
    """
    name = os.environ.get(CONFIG_VARIABLE, "")
    if not name:
        return {}
    try:
        return tomllib.loads(Path(name).read_text("utf-8"))
    except OSError as e:
        raise TickwaxError(f"{CONFIG_VARIABLE}: cannot read {name}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise TickwaxError(f"{CONFIG_VARIABLE}: {name} is not UTF-8 text") from e
    except tomllib.TOMLDecodeError as e:
        raise TickwaxError(f"{CONFIG_VARIABLE}: {name} is not TOML: {e}") from e


def environment_layer(model: type[BaseModel]) -> Layer:
    """Every variable that begins with ``TICKWAX_``, known or not; lists, and whole groups, are JSON.

    Raises:
        TickwaxError: a list or a group is not JSON.
    """
    values: dict[str, Any] = {}
    for variable, text in sorted(os.environ.items()):
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            dotted = ".".join(variable.removeprefix(PREFIX).lower().split("__"))
            values[dotted] = _decoded(model, dotted, text)
    return dotted_layer(values)


def as_environment(values: Mapping[str, Any]) -> dict[str, str]:
    """The variables that set what flags by dotted key set; None means that the flag was not given."""
    return {
        PREFIX + dotted.upper().replace(".", "__"): value if isinstance(value, str) else json.dumps(value)
        for dotted, value in values.items()
        if value is not None
    }


def _decoded(model: type[BaseModel], dotted: str, text: str) -> Any:
    at: type[BaseModel] | None = model
    *groups, name = dotted.split(".")
    for group in groups:
        at = at and group_of(at, group)
    if at is None or name not in at.model_fields:
        return text
    is_group = group_of(at, name) is not None
    if not is_group and not isinstance(at.model_fields[name].default, tuple):
        return text
    wanted = "object" if is_group else "list"
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict if is_group else list):
        raise TickwaxError(f"{dotted}: {text!r} is not a JSON {wanted}")
    return value
