"""What a start imports: by name, for a clock would tell more of the machine than of the start."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from dataflows.command_line.verbs import app
from tests.conftest import ROOT

# Without pydantic, which Typer itself imports to read parameters.
LIBRARIES = {
    "aiohttp", "bytewax", "duckdb", "kafka", "llvmlite", "matplotlib", "msgspec", "numba", "numpy", "pandas", "plotly",
    "prometheus_client", "pyarrow", "statsmodels", "structlog", "textual", "websockets",
}  # fmt: skip
TICKWAX = (sys.executable, "-c", "from dataflows.cli import main; main()")
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


def test_a_backtest_imports_no_more(synthetic_tape_root: Path, tmp_path: Path) -> None:
    words = ["tickwax", "backtest", "--tape", synthetic_tape_root, "--strategy", "hold", "--out", tmp_path / "run"]
    code = f"from dataflows.cli import main; sys.argv = {[str(word) for word in words]}; main()"
    assert imported(code) == OF_A_REPLAY


AGAIN_AND_AGAIN = """
import resource
import numpy as np
from dataflows.runtime.process_tuning import keep_freed_memory
assert keep_freed_memory()
for turn in range(20):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    some = [np.ones(3 << 20, np.int8) for _ in range(5)]
    del some
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_a_replay_keeps_the_memory_that_it_frees() -> None:
    around = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", AGAIN_AND_AGAIN], capture_output=True, text=True, env=around)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 768  # pages of one of those arrays


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("replay --nope", "No such option: --nope (Possible options: --model, --speed, --tape); see tickwax"),
        ("nope", "No such command 'nope'; see tickwax --help"),
        ("demo s3://b/t", "Got unexpected extra argument(s) (s3://b/t); see tickwax demo --help"),
        ("import cryptofeed", "Missing argument 'FILES...'; see tickwax import cryptofeed --help"),
        ("demo --folder s3://b/t", "Invalid value for '--folder': 's3://b/t' is an address; only local "),
        ("simulate --capture s3://b/t", "Invalid value for '--capture': 's3://b/t' is an address; only local "),
        ("import tardis s3://b/t", "Invalid value for 'FILES...': 's3://b/t' is an address; only local "),
        ("settings --config s3://b/t", "--config: 's3://b/t' is an address; only local "),
    ],
)
def test_a_wrong_command_line_is_one_line(words: str, line: str, tmp_path: Path) -> None:
    done = subprocess.run([*TICKWAX, *words.split()], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tickwax: {line}")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_no_verb_shows_the_help(tmp_path: Path) -> None:
    done = subprocess.run([*TICKWAX, "import"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Usage: tickwax import" in done.stdout + done.stderr
    assert "tickwax: " not in done.stderr


def test_the_command_alone_greets_with_commands_to_try(tmp_path: Path) -> None:
    done = subprocess.run(TICKWAX, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    suggested = [line.split("  ")[1] for line in done.stdout.splitlines() if line.startswith("  tickwax ")]
    assert suggested == ["tickwax demo", "tickwax features", "tickwax import --help"]
    assert not list(tmp_path.iterdir())


def test_every_verb_has_examples() -> None:
    def verbs(group: Any, above: list[str]) -> Iterator[tuple[list[str], Any]]:
        for name, command in group.commands.items():
            yield [*above, name], command
            yield from verbs(command, [*above, name]) if hasattr(command, "commands") else ()

    for words, command in verbs(typer.main.get_command(app), []):
        assert f"tickwax {words[0]}" in f"{command.help}{command.epilog}", words


def test_settings_that_are_saved_are_settings_again(tmp_path: Path) -> None:
    """What the verb prints is a file of settings, on a terminal's own terms too."""
    given = {"TICKWAX_FEATURES__SAMPLING": "1s", "TICKWAX_VENUES__BYBIT_LINEAR__DEPTH": "50"}

    def settings(*words: str, **environment: str) -> list[str]:
        around = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
        done = subprocess.run([*TICKWAX, "settings", *words], capture_output=True, text=True, env=around, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    first = settings(**given)
    (tmp_path / "saved.toml").write_text("\n".join(first))
    again = settings("--config", "saved.toml")
    assert again == [line.replace("# environment", "# file") for line in first]
    assert 'sampling = "1s"  # file' in again


def test_help_in_a_narrow_terminal_cuts_no_name() -> None:
    done = subprocess.run(
        [*TICKWAX, "backtest", "--help"], capture_output=True, text=True, env=os.environ | {"COLUMNS": "80"}
    )
    assert "--snapshot-interval" in done.stdout
    assert "…" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
