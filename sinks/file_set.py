"""Files of one run that appear together or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from sinks.disk import cannot_write, move, staging, sweep


class FileSet:
    """Hands out places beside a folder where files are written unseen; `commit` renames them into it."""

    def __init__(self, root: Path, name: str) -> None:
        """The caller holds the folder's lock.

        Args:
            root: the folder, which is there.
            name: of what is written, for the folder beside it.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to; so in `commit`.
        """
        self._root = root
        self._names: list[str] = []
        with self.failing():
            sweep(root)
            self._staging = staging(root, f"{os.getpid()}-{name}")
            shutil.rmtree(self._staging, ignore_errors=True)
            self._staging.mkdir(parents=True)

    def place(self, name: str) -> Path:
        """Where the file that will be called so is written now."""
        self._names.append(name)
        return self._staging / name

    def commit(self, replaced: Iterable[Path] = ()) -> list[Path]:
        """Let the files appear; of the older ones in ``replaced``, those that none has taken the place of go.

        Returns:
            Their paths.
        """
        files = [self._root / name for name in self._names]
        with self.failing():
            for name, file in zip(self._names, files, strict=True):
                move(self._staging / name, file)
            for old in set(replaced).difference(files):
                old.unlink(missing_ok=True)
        self.abort()
        return files

    def abort(self) -> None:
        """Leave no trace of what is not committed; may come more than once."""
        self._names.clear()
        shutil.rmtree(self._staging, ignore_errors=True)

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Inside, what the disk refuses becomes a line."""
        try:
            yield
        except OSError as e:
            raise cannot_write(self._root, e) from e
