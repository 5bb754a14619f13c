"""The data quality of a tape, told and written."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataflows.assembly.inspecting import exit_code_of, inspect_tape
from dataflows.reports.inspection import json_lines, show_days
from dataflows.reports.inspection_page import inspection_page
from dataflows.reports.progress import progress_bar
from dataflows.runtime.exit_codes import must_be_shown
from dataflows.runtime.kernels import ready_inspection
from dataflows.settings.local_paths import local_path
from dataflows.settings.model import load_settings
from operators.inspection_engine import InspectionConfig
from operators.inspection_verdict import Limits
from sources.durations import Duration
from sources.errors import DiskFailure, TickwaxError

_FLAGS = {"far": "--far-prints"}  # of limits, where the flag has another name


def inspect(
    flags: dict[str, Any],
    durations: Mapping[str, str],
    percents: Mapping[str, float],
    limits: Mapping[str, str],
    as_json: bool,
    html: str | None,
) -> None:
    """Inspect and tell; ``flags`` are settings, the others as of the verb.

    Raises:
        TickwaxError: a value is out of its range, or the page cannot be written; else as `inspect_tape`.
        SystemExit: a day is not good, with the code that says so.
    """
    settings = load_settings(flags)
    config = _config(durations, percents)
    chosen = _limits(limits)
    page = _page_path(html)
    ready_inspection()
    with progress_bar("inspect", "{task.percentage:>3.0f} %") as bar:
        task = bar.add_task("inspect", total=None)
        days = inspect_tape(
            settings, config, chosen, lambda rows, total: bar.update(task, completed=rows, total=total)
        )  # fmt: skip
    if page is not None:
        try:
            page.write_text(inspection_page(days), encoding="utf-8")
        except OSError as e:
            raise DiskFailure(f"{page}: {e.strerror}") from None
    if as_json:
        for line in json_lines(days):
            print(line)
        must_be_shown()
    else:
        show_days(days)
    if code := exit_code_of(days):
        sys.exit(code)


def _config(durations: Mapping[str, str], percents: Mapping[str, float]) -> InspectionConfig:
    ns = {}
    for name, text in durations.items():
        try:
            ns[name] = Duration.parse(text).ns
        except ValueError as e:
            raise TickwaxError(f"--{name}: {e}") from None
    for name, value in (*ns.items(), *percents.items()):
        if not 0 < value < float("inf"):
            raise TickwaxError(f"--{name}: {value} is not a positive number")
    return InspectionConfig(ns["silence"], ns["still"], percents["jump"] / 100, percents["far"] / 100)


def _limits(texts: Mapping[str, str]) -> Limits:
    pairs = {}
    for name, text in texts.items():
        try:
            first, second = map(float, text.split(","))
        except ValueError:
            raise TickwaxError(f"{_flag(name)}: {text!r} are not two numbers such as 0.1,1") from None
        pairs[name] = (first, second)
    try:
        return Limits(**pairs)
    except ValueError as e:
        name, _, rest = str(e).partition(": ")
        raise TickwaxError(f"{_flag(name)}: {rest}") from None


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name}")


def _page_path(text: str | None) -> Path | None:
    if text is None:
        return None
    try:
        path = local_path(text)
    except ValueError as e:
        raise TickwaxError(f"--html: {e}") from None
    if not text or path.is_dir() or not path.parent.is_dir():
        raise TickwaxError(f"--html: {text!r} is not the path of a file in a folder that exists")
    return path
