"""Files that appear together in a store, where nothing can be renamed: a note on this machine says what to undo.

Before the first file is put, the note lists all of them; once all are there, it lists those that they replace. Whoever
finds the note takes the former away again, or the latter, so that a run that is killed or cut off in between has either
happened or not. Nobody else's names are in it: a run's files in a store have names of their own.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sources.errors import TickwaxError
from sources.store.path import StorePath
from sources.tape.layout import beside, besides

_NOTE = "commit-"


@contextmanager
def together(root: Path, name: str, files: Sequence[Path]) -> Iterator[Callable[[Sequence[Path]], None]]:
    """All of the files appear in the body, or none; on this machine there is nothing to note.

    Args:
        name: of the writer; no two that work side by side share one.

    Returns:
        what is to be called once all files are there, with those that go now.

    Raises:
        TickwaxError: that of the body.
    """
    if not isinstance(root, StorePath) or not files:
        yield lambda replaced: None
        return
    note = beside(root, f"{_NOTE}{name}")
    _write(note, root, files)
    try:
        yield lambda replaced: _write(note, root, replaced)
    except BaseException:
        with contextlib.suppress(TickwaxError, OSError):  # the next writer does it
            _settle(root, note)
        raise
    note.unlink()


def settle(root: Path) -> None:
    """Undo or finish what killed writers began in a store. The caller must hold the data set's lock.

    Raises:
        TickwaxError: the store does not answer, or refuses.
    """
    if isinstance(root, StorePath):
        for pattern in besides(root, f"{_NOTE}*"):
            for note in sorted(pattern.parent.glob(pattern.name)):
                _settle(root, note)


def _settle(root: StorePath, note: Path) -> None:
    for key in json.loads(note.read_bytes()):
        (root / key).unlink(missing_ok=True)
    note.unlink()


def _write(note: Path, root: Path, files: Sequence[Path]) -> None:
    part = note.with_name(f"{note.name}.part".replace(_NOTE, "noted-"))
    with open(part, "w") as file:
        json.dump(["/".join(each.relative_to(root).parts) for each in files], file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, note)
