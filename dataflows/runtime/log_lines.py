"""Log lines on a terminal: in short where they would be wider than it is, and broken between words."""

import re
import shutil
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from dataflows.reports.terminal import cells

Event = MutableMapping[str, Any]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TIME_OF_DAY = len("23:59:59")
_INDENT = " " * (_TIME_OF_DAY + 1)


def log_to(to: Any, first: Callable[..., Any], *, plain: bool) -> Any:
    """A logger of structlog's.

    Args:
        to: where lines are written.
        first: a processor that comes before those that are configured.
        plain: without colours, unless ``to`` is a terminal.
    """
    *processors, renderer = structlog.get_config()["processors"]
    if to.isatty():
        renderer = Fitted(renderer, lambda: shutil.get_terminal_size().columns)
    elif plain:
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    return structlog.wrap_logger(structlog.PrintLogger(to), [first, *processors, renderer])


class Fitted:
    """Renders as structlog's renderer does, if there is room for it; else with the time of day alone and no padding."""

    def __init__(self, usual: Any, columns: Callable[[], int]) -> None:
        """Args:
        usual: the renderer of structlog.
        columns: of the terminal, now.
        """
        self._usual = usual
        self._columns = columns
        self._short = {c: structlog.dev.ConsoleRenderer(0, colors=c, pad_level=False) for c in (False, True)}

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        """One event as text, without a line feed at its end."""
        columns = self._columns()
        usual = str(self._usual(logger, method, dict(event)))  # it takes from what it is given
        if _width(usual.partition("\n")[0]) <= columns:
            return usual
        short = self._short[_COLOUR.search(usual) is not None]
        time = str(event.get("timestamp", ""))[-_TIME_OF_DAY:]
        line, feed, trace = str(short(logger, method, {**event, "timestamp": time})).partition("\n")
        return folded(line, columns) + feed + trace


def folded(text: str, columns: int) -> str:
    """A line as several, of which all but the first are indented; a word that is wider than a line stays whole."""
    lines, line = [], ""
    for word in text.split(" "):
        if line.strip() and _width(line) + 1 + _width(word) > columns:
            lines.append(line)
            line = _INDENT + word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def _width(text: str) -> int:
    return cells(_COLOUR.sub("", text))
