"""`docs/settings.md` tells every setting as the code has it."""

import importlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from dataflows.assembly.optimal_d import fractional_order_config
from dataflows.settings.layers import leaves
from dataflows.settings.model import Settings, load_settings
from operators.config import RANGES
from sources.errors import TickwaxError
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "settings.md"
ROW = re.compile(
    r"^\| `([a-z0-9_.]+)`<br>`(TICKWAX_\w+)`(?:<br>`(--[\w-]+)`)?(?:<br>`--[\w-]+`)*"
    r" \| (.+) \| `(.*)` \| (.+) \| (.+) \|$",
    re.MULTILINE,
)


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def refused(key: str, value: Any) -> bool:
    try:
        fractional_order_config(load_settings({key: value}))
    except TickwaxError as e:
        if not str(e).startswith(f"{key}: "):
            raise
        return True
    return False


def test_it_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    page = tmp_path / "settings.md"
    shutil.copy(PAGE, page)
    importlib.import_module("fill").fill(page, importlib.import_module("settings").page_blocks())
    assert page.read_text() == PAGE.read_text(), "run python docs/settings.py"


def test_every_setting_has_a_row() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert [row[0] for row in rows] == [key for key, _ in leaves(Settings)]
    for key, variable, _, _, _, allowed, meaning in rows:
        assert variable == "TICKWAX_" + key.upper().replace(".", "__")
        assert allowed, key
        assert meaning.endswith("."), key


def test_flags_are_those_of_the_command_line() -> None:
    flags = {row[0]: row[2] for row in ROW.findall(PAGE.read_text())}
    assert flags["features.windows"] == "--windows"
    assert flags["kafka.bootstrap"] == "--bootstrap"
    assert flags["tape.compression"] == "--compression"
    assert flags["journal.sync_after"] == ""


def test_a_variable_of_the_page_sets_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {row[0]: row[1] for row in ROW.findall(PAGE.read_text())}
    monkeypatch.setenv(variables["kafka.security.username"], "someone")
    assert load_settings().kafka.security.username == "someone"


@pytest.mark.parametrize("name", RANGES)
def test_the_ends_of_a_range_are_allowed_and_nothing_beyond(name: str) -> None:
    lowest, highest = RANGES[name]
    assert not refused(f"features.{name}", lowest)
    assert refused(f"features.{name}", lowest - 1)
    assert refused(f"features.{name}", highest + 1)


@pytest.mark.parametrize(
    ("key", "allowed", "good", "bad"),
    [
        ("features.depths", "each 1 to 1000, rising", ([1], [1, 1000]), ([0], [1001], [5, 1])),
        ("features.ffd_threshold", "above 0, up to 1", (1e-9, 1), (0, 1.1)),
        ("features.fdi_interval", "a multiple of the sampling step", ("100ms", "300ms"), ("150ms",)),
        ("optimal_d.pvalue", "above 0, below 1", (1e-9, 0.99), (0, 1)),
        ("optimal_d.step", "0.0001 to 1", (0.0001, 1), (0.00009, 1.1)),
        ("optimal_d.tolerance", "above 0, up to 1", (1e-9, 1), (0, 1.1)),
        ("journal.rotate_mb", "1 or more", (1,), (0,)),
        ("venues.bybit_linear.depth", "`1`, `50`, `200`, `1000`", (1, 50, 200, 1000), (2,)),
    ],
)
def test_what_is_allowed_in_words(key: str, allowed: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    said = {row[0]: row[5] for row in ROW.findall(PAGE.read_text())}
    assert said[key] == allowed
    assert [value for value in good if refused(key, value)] == []
    assert [value for value in bad if not refused(key, value)] == []
