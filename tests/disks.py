"""A disk that fails, or hangs, for a process of its own: calls of the C library are intercepted (`shim.c`)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("shim.c")
HANGS = 0  # in place of an error's number


@dataclass
class Shim:
    """What a process is started with, and the file that makes its calls fail while it is there."""

    library: Path
    when: Path

    def environment(self, call: str, part: str, number: int) -> dict[str, str]:
        """``call``: open, write, fsync or rename, of files whose path has the ``part``; ``number``: of the error."""
        variables = {"CALL": call, "PATH": part, "ERRNO": str(number), "WHEN": str(self.when)}
        return {"LD_PRELOAD": str(self.library), **{f"SHIM_{name}": text for name, text in variables.items()}}

    def begin(self) -> None:
        """From now on."""
        self.when.touch()

    def end(self) -> None:
        """The disk is sound again."""
        self.when.unlink()


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or os.uname().sysname != "Linux":
        pytest.skip("needs a C compiler and Linux")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


@pytest.fixture
def shim(shim_library: Path, tmp_path: Path) -> Iterator[Shim]:
    made = Shim(shim_library, tmp_path / "shim-fails")
    yield made
    made.when.unlink(missing_ok=True)
