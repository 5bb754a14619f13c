"""Fills `docs/settings.md` from the code: ``python docs/settings.py``, a second."""

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
from fill import fill
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from dataflows.settings.groups import Group, RunSettings
from dataflows.settings.layers import PREFIX, group_of
from dataflows.settings.model import Settings
from dataflows.settings.types import Words
from operators.config import RANGES

FOLDER = Path(__file__).parent
VERBS = FOLDER.parent / "dataflows" / "command_line"
HEAD = "| key, variable, flag | type | default | allowed | meaning |\n|---|---|---|---|---|"


def groups(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every group that has keys of its own, by its dotted name, in the order of declaration."""
    if any(group_of(model, name) is None for name in model.model_fields):
        yield above, model
    for name in model.model_fields:
        if inner := group_of(model, name):
            yield from groups(inner, f"{above}.{name}" if above else name)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """The text below each key, in the class that declares it."""
    found = {}
    for owner in model.__mro__:
        if owner is Group or not issubclass(owner, Group):
            continue
        body = ast.parse(inspect.getsource(owner)).body[0]
        assert isinstance(body, ast.ClassDef)
        for at, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(at, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                assert isinstance(at.target, ast.Name)
                found[at.target.id] = inspect.cleandoc(str(text.value.value)).replace("\n", " ")
    return found


def flags() -> dict[str, set[str]]:
    """The command line's flags by the dotted key that they set: entries ``"--flag": ("key", value)`` in its modules."""
    found: dict[str, set[str]] = {}
    for file in sorted(VERBS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Dict):
                for flag, value in zip(node.keys, node.values, strict=True):
                    if isinstance(flag, ast.Constant) and str(flag.value).startswith("--"):
                        assert isinstance(value, ast.Tuple)
                        key = value.elts[0]
                        assert isinstance(key, ast.Constant)
                        found.setdefault(str(key.value), set()).add(str(flag.value))
    return found


def words(name: str, field: FieldInfo) -> Words:
    """What a key takes."""
    said = [m for m in field.metadata if isinstance(m, Words)]
    kinds = [w.kind for w in said if w.kind]
    allowed = [w.allowed for w in said if w.allowed]
    annotation = field.annotation
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        (of,) = [m for m in item.__metadata__ if isinstance(m, Words)]
        kinds.append(f"list of {of.kind}s")
        allowed = allowed or [f"each {of.allowed}"]
    elif get_origin(annotation) is Literal:
        kinds.append("text")
        allowed.append(", ".join(f"`{value}`" if value else "empty" for value in get_args(annotation)))
    elif get_origin(annotation) is dict:
        kinds.append("table")
        allowed.append("as the default is written")
    elif annotation is bool:
        kinds.append("boolean")
        allowed.append("`true`, `false`")
    elif annotation is SecretStr and not kinds:
        kinds.append("secret text")
    elif annotation is str and not kinds:
        kinds.append("text")
    for lowest in (m.ge for m in field.metadata if isinstance(m, annotated_types.Ge)):
        allowed.append(f"{lowest} or more")
    if name in RANGES:
        allowed.append("{} to {}".format(*RANGES[name]))
    return Words(kinds[-1], allowed[-1] if allowed else "any")


def default(value: Any) -> str:
    """A default as a file of settings writes it."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(default, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, BaseModel | dict):
        return "{" + ", ".join(f"{key} = {default(v)}" for key, v in dict(value).items()) + "}"
    text = value.get_secret_value() if isinstance(value, SecretStr) else "" if value is None else str(value)
    return json.dumps(text)


def row(key: str, field: FieldInfo, meaning: str, flag: set[str]) -> str:
    """A row of a table."""
    variable = PREFIX + key.upper().replace(".", "__")
    names = "<br>".join(f"`{name}`" for name in (key, variable, *sorted(flag)))
    of = words(key.rpartition(".")[2], field)
    cells = (names, of.kind, f"`{default(field.default)}`", of.allowed, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tables() -> str:
    """Every group: heading, what it is about, its keys."""
    by_key, parts = flags(), []
    for above, group in groups(Settings):
        said = meanings(group)
        own = [name for name in group.model_fields if group_of(group, name) is None]
        keys = {name: f"{above}.{name}" if above else name for name in own}
        about = inspect.cleandoc((group if above else RunSettings).__doc__ or "")
        rows = [row(key, group.model_fields[n], said[n], by_key.get(key, set())) for n, key in keys.items()]
        heading = f"`[{above}]`" if above else "The run"
        parts.append("\n".join([f"### {heading}\n", f"{about}\n", HEAD, *rows]))
    return "\n\n".join(parts)


def page_blocks() -> dict[str, str]:
    """Every block of the page."""
    return {"settings": tables()}


if __name__ == "__main__":
    fill(FOLDER / "settings.md", page_blocks())
