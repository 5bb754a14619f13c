"""Which files have been imported into a tape, so that the same content is never appended twice.

An import of some files is named after their content. It writes its rows as ``<name>-*.parquet`` and then, last of all,
a marker ``_<name>.json`` into the folder of every instrument it has touched; rows of an import that lacks a marker are
what a killed process left behind.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import instrument_dir

_PREFIX = "import-"
_DIGITS = 16  # of the fingerprint, in names


class SourceFile(NamedTuple):
    """A file and its fingerprint."""

    path: Path
    bytes: int
    sha256: str


def import_name(files: Sequence[SourceFile]) -> str:
    """Name of the import of these files, in this order."""
    digest = files[0].sha256
    if len(files) > 1:
        digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    return f"{_PREFIX}{digest[:_DIGITS]}"


def imported(root: Path, instrument: Instrument | None) -> set[str]:
    """Fingerprints of the files that are in the tape of ``instrument``, or of any one, by complete imports."""
    folders = root.glob("exchange=*/symbol=*") if instrument is None else [instrument_dir(root, instrument)]
    return {
        file["sha256"]
        for folder in folders
        for name, marker in _markers(folder)
        if _is_complete(root, name, marker)
        for file in marker["files"]
    }


def remove_leftovers(root: Path, instrument: Instrument) -> None:
    """Remove the rows of imports that were killed before they were complete."""
    folder = instrument_dir(root, instrument)
    complete = {name for name, marker in _markers(folder) if _is_complete(root, name, marker)}
    for path in folder.glob(f"date=*/{_PREFIX}*.parquet"):
        if path.name.rpartition("-")[0] not in complete:
            path.unlink()
    for name, _ in list(_markers(folder)):
        if name not in complete:
            _marker_path(folder, name).unlink()


def mark_imported(root: Path, name: str, files: Sequence[SourceFile], rows: dict[Instrument, int]) -> None:
    """Declare an import complete; ``rows``: how many each of its instruments got."""
    marker = {
        "files": [{"name": file.path.name, "bytes": file.bytes, "sha256": file.sha256} for file in files],
        "instruments": sorted(str(instrument) for instrument in rows),
    }
    for instrument, count in rows.items():
        folder = instrument_dir(root, instrument)
        folder.mkdir(parents=True, exist_ok=True)
        path = _marker_path(folder, name)
        staged = path.with_suffix(".tmp")
        staged.write_text(json.dumps({**marker, "rows": count}, indent=1) + "\n")
        os.replace(staged, path)


def _marker_path(folder: Path, name: str) -> Path:
    return folder / f"_{name}.json"


def _markers(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob(f"_{_PREFIX}*.json")):
        try:
            marker = json.loads(path.read_text())
            if not {"files", "instruments"} <= marker.keys():
                raise ValueError("keys are missing")
        except (OSError, ValueError, AttributeError) as e:
            raise TickwaxError(f"{path}: is no marker of an import: {e}") from e
        yield path.stem.removeprefix("_"), marker


def _is_complete(root: Path, name: str, marker: dict[str, Any]) -> bool:
    """Every instrument of the import has its marker: they are written after all rows, one after the other."""
    folders = (instrument_dir(root, Instrument.parse(key)) for key in marker["instruments"])
    return all(_marker_path(folder, name).exists() for folder in folders)
