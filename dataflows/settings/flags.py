"""Which settings were given as flags, and what those are called: so that a message names what the user wrote.

One command line a process, so this is the process's own.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FLAGS_VARIABLE = "_TICKWAX_FLAGS"  # tells the processes of a cluster; without the prefix of settings


@dataclass
class _Given:
    """The command line."""

    names: dict[str, str]  # of flags, by the dotted key that they set
    offered: dict[str, str] = field(default_factory=dict)  # the same of all that the verb has, given or not
    config: str | None = None  # the file of settings that `CONFIG_FLAG` names; None: not given


CONFIG_FLAG = "--config"
GIVEN = _Given(*json.loads(os.environ.get(FLAGS_VARIABLE) or "[{}]"))
_ADVICE = re.compile(r"(?<![\w./-])([a-z_]+(?:\.[a-z_]+)+)=([\w.]+)")  # `features.overwrite=true`
_KEY = re.compile(r"(?<![\w./-])[a-z_]+(?:\.[a-z_]+)+(?![\w/=-]|\.\w)")


def settings_of(flags: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Settings by dotted key, from flags and what each sets; None is one that was not given.

    >>> settings_of({"--tape": ("tape.path", "t"), "--books": ("books.path", None)})
    {'tape.path': 't', 'books.path': None}
    >>> as_written("tape.path: t holds no tape")
    '--tape: t holds no tape'
    """
    GIVEN.names = {key: flag for flag, (key, value) in flags.items() if value is not None}
    GIVEN.offered = {key: flag for flag, (key, _) in flags.items()}
    return dict(flags.values())


def flag_of(key: str) -> str | None:
    """The flag that gave a setting; None if none did."""
    return GIVEN.names.get(key)


def flags_as_text() -> str:
    """For `FLAGS_VARIABLE`."""
    return json.dumps([GIVEN.names, GIVEN.offered])


def as_written(message: str) -> str:
    """The message with flags in place of the keys of settings, where the user gave one or is told to give one.

    >>> flags = {"--start": ("replay.start", "B"), "--end": ("replay.end", "A"), "--overwrite": ("x.overwrite", None)}
    >>> _ = settings_of(flags)
    >>> as_written("replay.start: 'B' is not before replay.end, 'A'")
    "--start: 'B' is not before --end, 'A'"
    >>> as_written("x.path: f/x.overwrite holds rows; set x.overwrite=true, or x.overwrite in a file")
    'x.path: f/x.overwrite holds rows; set --overwrite, or x.overwrite in a file'
    """
    return renamed(message, GIVEN.names, GIVEN.offered)


def renamed(message: str, names: Mapping[str, str], offered: Mapping[str, str]) -> str:
    """The message with other names in place of the keys of settings.

    Args:
        names: by dotted key.
        offered: the same of what the user may be told to give: `features.overwrite=true`.

    >>> renamed("tape.path: t is no folder", {"tape.path": "tape"}, {})
    'tape: t is no folder'
    """

    def advised(match: re.Match[str]) -> str:
        name = offered.get(match[1])
        if name is None:
            return match[0]
        return name if match[2] == "true" else f"{name} {match[2]}"

    def inside(text: str) -> str:
        return _KEY.sub(lambda match: names.get(match[0]) or match[0], _ADVICE.sub(advised, text))

    key, colon, rest = message.partition(": ")
    if name := names.get(key):  # also one that is no more than a word, `symbols`
        return f"{name}{colon}{inside(rest)}"
    return inside(message)


def listed(text: str | None) -> list[str] | None:
    """The parts of a flag that takes several, separated by commas; None if it was not given."""
    return None if text is None else [part.strip() for part in text.split(",")]
