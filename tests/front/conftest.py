import os
from pathlib import Path

import pytest

from tests.dataflows.conftest import processes, start, synthetic_tape_root  # noqa: F401

COMMAND = ("-c", "from dataflows.cli import main; main()")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("TICKWAX_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def commanded(synthetic_tape_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """Folder with what ``tickwax replay`` wrote of the tape: `features` and `books`."""
    out = tmp_path_factory.mktemp("commanded")
    flags = ("--tape", synthetic_tape_root, "--features", out / "features", "--books", out / "books")
    with processes() as run:
        process = run({}, *COMMAND, "replay", *flags)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return out
