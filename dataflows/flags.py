"""Which settings were given as flags, and what those are called: so that a message names what the user wrote.

One command line a process, so this is the process's own.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

FLAGS_VARIABLE = "_TICKWAX_FLAGS"  # tells the processes of a cluster; without the prefix of settings


@dataclass
class _Given:
    """The command line."""

    names: dict[str, str]  # of flags, by the dotted key that they set
    config: str | None = None  # the file of settings that `CONFIG_FLAG` names; None: not given


CONFIG_FLAG = "--config"
GIVEN = _Given(json.loads(os.environ.get(FLAGS_VARIABLE) or "{}"))


def settings_of(flags: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Settings by dotted key, from flags and what each sets; None is one that was not given.

    >>> settings_of({"--tape": ("tape.path", "t"), "--books": ("books.path", None)})
    {'tape.path': 't', 'books.path': None}
    >>> as_written("tape.path: t holds no tape")
    '--tape: t holds no tape'
    """
    GIVEN.names = {key: flag for flag, (key, value) in flags.items() if value is not None}
    return dict(flags.values())


def flag_of(key: str) -> str | None:
    """The flag that gave a setting; None if none did."""
    return GIVEN.names.get(key)


def flags_as_text() -> str:
    """For `FLAGS_VARIABLE`."""
    return json.dumps(GIVEN.names)


def as_written(message: str) -> str:
    """The message, which may begin with the key of a setting, with the flag in its place if there was one."""
    key, colon, rest = message.partition(": ")
    flag = flag_of(key)
    return f"{flag}{colon}{rest}" if flag else message


def listed(text: str | None) -> list[str] | None:
    """The parts of a flag that takes several, separated by commas; None if it was not given."""
    return None if text is None else [part.strip() for part in text.split(",")]
