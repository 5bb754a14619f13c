"""What the user set, layer by layer: the TOML file, the environment, dotted keys. Only the form is checked here."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from dataflows.settings.flags import CONFIG_FLAG, FLAGS_VARIABLE, GIVEN, flags_as_text
from dataflows.settings.local_paths import local_path
from dataflows.settings.service_links import is_service_link
from sources.errors import TickwaxError

PREFIX = "TICKWAX_"
CONFIG_VARIABLE = "TICKWAX_CONFIG"
FOUND = Path("tickwax.toml")  # is read where it lies in the working directory, unless another is named

Layer = dict[str, Any]  # nested as the settings are

_SHOWN = 80  # characters of a value in a message


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


def holds_secret(model: type[BaseModel], dotted: str) -> bool:
    """Whether a key is a secret, a group that has one, or stands where a secret's own keys would."""
    secrets = [key for key, default in leaves(model) if isinstance(default, SecretStr)]
    return any(f"{secret}.".startswith(f"{dotted}.") or dotted.startswith(f"{secret}.") for secret in secrets)


def look_up(layer: Layer, dotted: str) -> tuple[bool, Any]:
    """Whether a layer holds a key, and its value."""
    at: Any = layer
    for part in dotted.split("."):
        if not isinstance(at, dict) or part not in at:
            return False, None
        at = at[part]
    return True, at


def merged(*layers: Layer, above: str = "") -> Layer:
    """One layer of all, in which the later ones win, key by key.

    Raises:
        TickwaxError: a key is a group in one of them and a single value in another.
    """
    result: Layer = {}
    for layer in layers:
        for name, value in layer.items():
            before = result.get(name)
            if isinstance(before, dict) and isinstance(value, dict):
                result[name] = merged(before, value, above=f"{above}{name}.")
            elif name in result and isinstance(before, dict) != isinstance(value, dict):
                raise TickwaxError(f"{above}{name}: set to a single value in one place, to a table of keys in another")
            else:
                result[name] = value
    return result


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
                raise TickwaxError(f"{dotted}: unknown key, for {group!r} is set to a single value")
        at[name] = values[dotted]
    return layer


@dataclass(frozen=True)
class ConfigFile:
    """The TOML file of settings, and who named it: a flag, a variable, or nobody if it was found."""

    path: Path
    named_by: str | None

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path) if self.named_by else f"./{self.path}"


def config_file() -> ConfigFile | None:
    """The file to read: that of ``--config``, else of ``TICKWAX_CONFIG``, else ``./tickwax.toml``; an empty name is
    that of none.

    Raises:
        TickwaxError: the name is an address, not a path.
    """
    for named_by, name in ((CONFIG_FLAG, GIVEN.config), (CONFIG_VARIABLE, os.environ.get(CONFIG_VARIABLE))):
        if name is not None:
            try:
                return ConfigFile(local_path(name), named_by) if name else None
            except ValueError as e:
                raise TickwaxError(f"{named_by}: {e}") from None
    return ConfigFile(FOUND, None) if FOUND.is_file() else None


def file_layer() -> Layer:
    """What the file of settings holds; empty when there is none.

    Raises:
        TickwaxError: the file cannot be read or is not TOML; the text names the file, and the line where it is known.
    """
    file = config_file()
    if file is None:
        return {}
    prefix = f"{file.named_by}: " if file.named_by else ""
    try:
        return tomllib.loads(file.path.read_text("utf-8-sig"))
    except OSError as e:
        raise TickwaxError(f"{prefix}cannot read {file.name}: {e.strerror}") from None
    except UnicodeDecodeError:
        raise TickwaxError(f"{prefix}{file.name} is not UTF-8 text") from None
    except RecursionError:
        raise TickwaxError(f"{prefix}{file.name} is not TOML: nested too deeply") from None
    except ValueError as e:  # a number of more digits than Python reads is none of TOML's own errors
        raise TickwaxError(f"{prefix}{file.name} is not TOML: {e}") from None


def variables() -> dict[str, str]:
    """Environment variables that set something, by dotted key, known or not.

    Raises:
        TickwaxError: two of them set one key.
    """
    found: dict[str, str] = {}
    for variable, text in sorted(os.environ.items()):
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE and not is_service_link(variable, text):
            dotted = ".".join(variable.removeprefix(PREFIX).lower().split("__"))
            if dotted in found:
                raise TickwaxError(f"{dotted}: set by {found[dotted]} and by {variable}; remove one of them")
            found[dotted] = variable
    return found


def environment_layer(model: type[BaseModel]) -> Layer:
    """Every variable that begins with ``TICKWAX_``, known or not; lists, tables and whole groups are JSON.

    Raises:
        TickwaxError: a list or a group is not JSON.
    """
    return dotted_layer({dotted: _decoded(model, dotted, variable) for dotted, variable in variables().items()})


def as_environment(values: Mapping[str, Any]) -> dict[str, str]:
    """The variables that set, in another process, what flags by dotted key set here; None means that the flag was not
    given."""
    return {
        PREFIX + dotted.upper().replace(".", "__"): value if isinstance(value, str) else json.dumps(value)
        for dotted, value in values.items()
        if value is not None
    }


def for_children(values: Mapping[str, Any]) -> dict[str, str]:
    """`as_environment`, with the file of settings, and what the flags are called in messages."""
    file = config_file()
    return {**as_environment(values), CONFIG_VARIABLE: str(file.path) if file else "", FLAGS_VARIABLE: flags_as_text()}


def shortened(text: str) -> str:
    """The beginning of what a message shows of a value."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _decoded(model: type[BaseModel], dotted: str, variable: str) -> Any:
    text = os.environ[variable]
    at: type[BaseModel] | None = model
    *groups, name = dotted.split(".")
    for group in groups:
        at = at and group_of(at, group)
    if at is None or name not in at.model_fields:
        return text
    is_group = group_of(at, name) is not None
    is_object = is_group or isinstance(at.model_fields[name].default, dict)
    if not is_object and not isinstance(at.model_fields[name].default, tuple):
        return text
    wanted = "object" if is_object else "list"
    try:
        value = json.loads(text, object_pairs_hook=_without_twins)
    except _Twins as e:
        raise TickwaxError(f"{dotted}: {e} stands twice ({variable})") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict if is_object else list):
        whole = is_group and (not text.isalnum() or holds_secret(model, dotted))  # may hold secrets and addresses
        shown = "the text" if whole else repr(text)
        raise TickwaxError(f"{dotted}: {shortened(shown)} is not a JSON {wanted} ({variable})")
    return value


class _Twins(Exception):
    """A JSON object has one key twice."""


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twin = next((name for name in names if names.count(name) > 1), None)
    if twin is not None:
        raise _Twins(repr(twin))
    return dict(pairs)
