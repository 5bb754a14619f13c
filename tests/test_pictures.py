"""The pictures of the pages are what their scripts draw, and show what is there."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT

DOCS = ROOT / "docs"


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("drawings")


@pytest.mark.parametrize("name", ["frame", "folders"])
def test_drawings_are_current(drawings, name: str) -> None:
    assert getattr(drawings, name)() == (DOCS / f"{name}.svg").read_text(), "run python docs/drawings.py"


def test_the_files_of_a_frames_way_are_there(drawings) -> None:
    named = re.findall(r"((?:sources|operators|sinks)/[\w/;&<>.]*)", drawings.frame())
    files = [name.replace("&lt;venue&gt;", "bybit_linear").rstrip(",") for name in named]
    assert len(files) > 10
    assert [file for file in files if not (ROOT / file.partition("<")[0]).exists()] == []


@pytest.mark.slow
def test_the_picture_of_the_front_page_can_be_drawn(tmp_path: Path) -> None:
    out = tmp_path / "market.png"
    subprocess.run([sys.executable, DOCS / "picture.py", "--out", out], check=True, cwd=ROOT, timeout=300)
    with Image.open(out) as drawn, Image.open(DOCS / "market.png") as kept:
        assert drawn.size == kept.size
        assert len(drawn.getcolors() or ()) > 10
    assert (DOCS / "market.png").stat().st_size < 60_000


@pytest.mark.slow
def test_the_moving_picture_of_the_front_page_can_be_drawn(tmp_path: Path) -> None:
    out = tmp_path / "market.gif"
    command = [sys.executable, DOCS / "animation.py", "--out", out, "--frames", "3"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=300)
    with Image.open(out) as drawn, Image.open(DOCS / "market.gif") as kept:
        assert drawn.size == kept.size
        assert (drawn.n_frames, kept.n_frames) == (3, 40)
        first = drawn.convert("RGB")
        drawn.seek(2)
        assert first.tobytes() != drawn.convert("RGB").tobytes()  # it moves
    assert (DOCS / "market.gif").stat().st_size < 1_000_000
