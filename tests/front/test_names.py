"""What ``import tickwax`` offers, and what it costs."""

import ast
import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tickwax as tw
from dataflows.settings.model import FeatureSettings
from tests.conftest import ROOT
from tickwax._arguments import FeatureArguments

PUBLIC = [getattr(tw, name) for name in tw.__all__ if name not in ("Book", "BookArrays")]


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_nothing_but_documented_names():
    assert dir(tw) == tw.__all__ == sorted(tw.__all__)
    assert set(tw._HOMES) == set(tw.__all__)
    for name, home in tw._HOMES.items():
        assert getattr(importlib.import_module(home), name) is getattr(tw, name)
    with pytest.raises(AttributeError, match=r"^module 'tickwax' has no attribute 'replays'; it has Book, "):
        tw.replays  # noqa: B018


def test_type_checkers_see_the_same_names():
    """They read the imports that are never run."""
    body = ast.parse((ROOT / "tickwax/__init__.py").read_text()).body
    block = next(node for node in body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen == tw._HOMES


@pytest.mark.parametrize("each", [e for e in PUBLIC if not (isinstance(e, type) and issubclass(e, Exception))])
def test_every_name_has_an_example(each):
    assert ">>> " in each.__doc__


def test_it_imports_nothing_until_a_name_is_used():
    code = "import sys, tickwax; print([m for m in ('numba', 'numpy', 'pyarrow', 'bytewax') if m in sys.modules])"
    assert python(code) == "[]\n"
    code = "import time; t = time.perf_counter(); import tickwax; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.3


def test_imports_leave_the_garbage_collector_as_it_was():
    code = "import gc, tickwax; {}; n = gc.get_freeze_count(); tickwax.TickwaxError; "
    code += "print(gc.isenabled(), gc.get_freeze_count() - n)"
    assert python(code.format("0")) == "True 0\n"
    assert python(code.format("gc.disable()")) == "False 0\n"


def test_every_setting_of_the_features_is_an_argument():
    """A new one stands in `FeatureArguments`, too."""
    assert set(FeatureArguments.__annotations__) == set(FeatureSettings.model_fields) - {
        "path",
        "overwrite",
        "sampling",
    }


@pytest.mark.slow
def test_types(tmp_path: Path):
    """As a user's type checker sees them: a form of frame is known by its argument."""
    (tmp_path / "user.py").write_text(
        textwrap.dedent("""
        import pathlib
        from collections.abc import Iterator
        from typing import assert_type

        import polars as pl
        import tickwax as tw

        assert_type(tw.replay("tape", as_="polars", windows=["1s"]), pl.DataFrame)
        assert_type(tw.replay("tape", to="features"), pathlib.Path)
        assert_type(tw.read_features("features", as_="polars"), pl.DataFrame)
        assert_type(tw.read_tape("tape", start="2026-01-05", as_="polars"), pl.DataFrame)
        assert_type(tw.books("tape"), Iterator[tw.Book])
        assert_type(tw.FractionalDifferentiator(0.4).update(1.0), float | None)
        tw.replay("tape", zscore_window="many")
        tw.replay("tape", to="features", as_="polars")
        tw.replays
        """)
    )
    config = ("--strict", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *config, str(tmp_path / "user.py")], capture_output=True, text=True, cwd=ROOT
    )
    lines = [int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error: " in line]
    assert lines == [15, 16, 17], done.stdout
