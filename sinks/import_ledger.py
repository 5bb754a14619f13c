"""Which files have been imported into a tape, so that the same content is never appended twice.

An import of some files is named after their content. Its rows appear as ``<name>-*.parquet``, and beside them, for
every instrument it has touched, a marker ``_<name>.parquet``: a tape file without rows, its text in the metadata,
because readers of a whole folder, such as Polars, accept nothing but Parquet there. While both appear there is a note
beside the tape; a note that is found by a later import tells what a killed one left behind. Nothing else is removed.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from sinks.disk import cannot_write
from sinks.parquet import CHECKSUMS, seal
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import read_schema
from sources.tape.layout import beside, instrument_dir
from sources.tape.schema import TAPE_SCHEMA

_PREFIX = "import-"
_KEY = "tickwax.import"  # of a marker's metadata
_NOTE = "appearing-"
_DIGITS = 16  # of the fingerprint, in names


class SourceFile(NamedTuple):
    """A file and its fingerprint."""

    path: Path
    bytes: int
    sha256: str
    content: str = ""  # of what is packed in it; empty where that is not known


def import_name(files: Sequence[SourceFile]) -> str:
    """Name of the import of these files, in this order."""
    digest = files[0].sha256
    if len(files) > 1:
        digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    return f"{_PREFIX}{digest[:_DIGITS]}"


def imported(root: Path, instrument: Instrument | None) -> dict[str, str]:
    """Fingerprints of the files that are in the tape of ``instrument``, or of any one, and of what is packed in them.

    Each with the kind as which it was read (empty where that was not noted)."""
    folders = root.glob("exchange=*/symbol=*") if instrument is None else [instrument_dir(root, instrument)]
    return {
        fingerprint: marker.get("kind", "")
        for folder in folders
        for marker in _markers(folder)
        for file in marker["files"]
        for fingerprint in (file["sha256"], file.get("content", ""))
        if fingerprint
    }


def remove_leftovers(root: Path) -> None:
    """Remove the rows and markers of imports that were killed while they appeared."""
    pattern = beside(root, f"{_NOTE}*.json")
    for note in pattern.parent.glob(pattern.name):
        left = json.loads(note.read_text())
        for key in left["instruments"]:
            folder = instrument_dir(root, Instrument.parse(key))
            for path in (
                *folder.glob(f"date=*/{left['name']}-*.parquet"),
                *folder.glob(f"date=*/_{left['name']}.parquet"),
            ):
                path.unlink()
        note.unlink()


@contextmanager
def appearing(
    root: Path, name: str, files: Sequence[SourceFile], rows: dict[Instrument, int], kind: str
) -> Iterator[None]:
    """Inside, the rows of an import appear; afterwards its markers do. After an error nothing is there.

    Args:
        rows: how many each instrument got.
        kind: as what the files were read.

    Raises:
        TickwaxError: the disk is full, or the folder cannot be written to.
    """
    note = beside(root, f"{_NOTE}{name}.json")
    staged = note.with_suffix(".part")
    try:
        staged.write_text(json.dumps({"name": name, "instruments": [str(instrument) for instrument in rows]}))
        os.replace(staged, note)
        yield
        _mark(root, name, files, rows, kind)
        note.unlink()
    except OSError as e:
        _undo(root, staged)
        raise cannot_write(root, e) from e
    except BaseException:
        _undo(root, staged)
        raise


def _undo(root: Path, staged: Path) -> None:
    with contextlib.suppress(OSError):  # then the next import does it
        staged.unlink(missing_ok=True)
        remove_leftovers(root)


def _mark(root: Path, name: str, files: Sequence[SourceFile], rows: dict[Instrument, int], kind: str) -> None:
    sources = [
        {"name": file.path.name, "bytes": file.bytes, "sha256": file.sha256, "content": file.content} for file in files
    ]
    for instrument, count in rows.items():
        first = min(instrument_dir(root, instrument).glob(f"date=*/{name}-*.parquet"))
        path = first.with_name(f"_{name}.parquet")
        staged = path.with_suffix(".part")
        text = json.dumps({"files": sources, "rows": count, "kind": kind})
        pq.write_table(TAPE_SCHEMA.empty_table().replace_schema_metadata({_KEY: text}), staged, **CHECKSUMS)
        seal(staged)
        os.replace(staged, path)


def _markers(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob(f"date=*/_{_PREFIX}*.parquet")):
        try:
            marker = json.loads((read_schema(path).metadata or {})[_KEY.encode()])
            if "files" not in marker:
                raise ValueError("files are missing")
        except (ValueError, LookupError, AttributeError) as e:
            raise TickwaxError(f"{path}: is no marker of an import: {str(e).splitlines()[0]}") from e
        yield marker
