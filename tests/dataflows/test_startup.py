"""What a start imports: by name, for a clock would tell more of the machine than of the start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Without pydantic, which Typer itself imports to read parameters.
LIBRARIES = {
    "aiohttp", "bytewax", "duckdb", "kafka", "llvmlite", "matplotlib", "msgspec", "numba", "numpy", "pandas", "plotly",
    "prometheus_client", "pyarrow", "scipy.linalg", "statsmodels", "structlog", "websockets",
}  # fmt: skip
OF_A_REPLAY = {"bytewax", "llvmlite", "msgspec", "numba", "numpy", "pyarrow"}

TOLD = """
import atexit, sys
atexit.register(lambda: print("imported", *sys.modules))
"""


def imported(code: str, **environment: str) -> set[str]:
    """Libraries that a fresh interpreter has imported when it ends."""
    around = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", TOLD + code], capture_output=True, text=True, env=around)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "imported"
    return LIBRARIES.intersection(last)


def test_the_command_line_needs_no_library() -> None:
    assert imported("import dataflows.cli") == set()


@pytest.mark.parametrize("words", ["--help", "replay --help", "live --help", "import tardis --help", "topics --help"])
def test_nor_does_help(words: str) -> None:
    assert imported(f"from dataflows.cli import main; sys.argv = ['tickwax', *{words.split()}]; main()") == set()


@pytest.mark.parametrize(
    "start",
    [
        "from dataflows.cli import main; sys.argv = ['tickwax', 'replay']; main()",
        "import runpy; sys.argv = ['run', 'dataflows.replay']; runpy.run_module('bytewax.run', run_name='__main__')",
    ],
    ids=["tickwax replay", "bytewax.run"],
)
def test_a_replay_imports_what_it_uses(start: str, synthetic_tape_root: Path, tmp_path: Path) -> None:
    paths = {"TICKWAX_TAPE__PATH": synthetic_tape_root, "TICKWAX_FEATURES__PATH": tmp_path / "features"}
    assert imported(start, **{name: str(path) for name, path in paths.items()}) == OF_A_REPLAY
    assert list((tmp_path / "features").rglob("*.parquet"))
