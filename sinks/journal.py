"""Appends rows to a journal (format: `sources.tape.journal_format`): in the page cache when the call returns, so that
killing the process loses none of them."""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sinks.disk import sync
from sinks.format import Array
from sources.tape.journal_format import DESCRIPTION, FRAME, ITEM, MAGIC, NAMES, ROWS, Field, checksum

_PADDING = [bytes(n) for n in range(8)]
_ROOM = bytes(FRAME.size)
_MANY = 1024  # rows
_REPEAT = 8  # description and names come again at 8 KiB and at each multiple of it by this


class JournalWriter:
    """One journal that is written to."""

    def __init__(self, path: Path, description: dict[str, Any], position: int = 0, keys: Sequence[str] = ()) -> None:
        """Begin a journal, or go on with one.

        Args:
            position: what is written begins here; what the file holds beyond it is cut off. 0: begin anew.
            keys: what instruments were named up to there, by code.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        self.path = path
        self.rows = 0  # written by this object
        self._fields: Sequence[Field] = description["fields"]
        self._closing = threading.Lock()
        self._broken = False
        self._row_bytes = sum(field.row_bytes for field in self._fields)
        self._codes = {key: code for code, key in enumerate(keys)}
        self._description = description
        self._repeat_at = 1 << 13
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(self._file, position)
            self.position, self.synced = position, 0
            if not position:
                self._write(MAGIC + 2 * self._described())
            self._skip_repeats()
        except OSError:
            self.close()
            raise

    def append(self, items: Iterable[tuple[str, Sequence[Array]]]) -> None:
        """Append rows, all of them or, as far as a reader can tell, none.

        Args:
            items: instruments and their rows, one array a field.

        Raises:
            OSError: the disk is full.
        """
        parts: list[Any] = [_ROOM]
        names: list[str] = []
        total = 0
        for key, arrays in items:
            rows = arrays[0].shape[-1]
            if not rows:
                continue
            code = self._codes.get(key)
            if code is None:
                code = self._codes[key] = len(self._codes)
                names.append(key)
            parts.append(ITEM.pack(code, rows))
            if rows < _MANY:
                parts += [array.tobytes() for array in arrays]
            else:  # not copied twice
                parts += map(np.ascontiguousarray, arrays)
            parts.append(_PADDING[-rows * self._row_bytes & 7])
            total += rows
        if total:
            if names:
                self._write(2 * _named(len(self._codes) - len(names), names))
            self._write(_frame(ROWS, parts))
            self.rows += total
            if self.position >= self._repeat_at:
                self._write(self._described() + _named(0, list(self._codes)))
                self._skip_repeats()

    def sync(self) -> None:
        """Have everything on the disk that was appended before; may come from another thread.

        Raises:
            OSError: it cannot be.
        """
        with self._closing:
            position = self.position
            if position != self.synced and self._file >= 0:
                os.fsync(self._file)
                if not self.synced:
                    sync(self.path.parent)  # its name, too
                self.synced = position

    @property
    def in_place(self) -> bool:
        """Whether the file still has its name.

        Raises:
            FileNotFoundError: there is none of that name.
        """
        return os.path.samestat(os.fstat(self._file), os.stat(self.path))

    def close(self) -> None:
        """Let go of the file; may come more than once."""
        with self._closing:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def remove(self) -> None:
        """Close and delete."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _described(self) -> bytearray:
        return _frame(DESCRIPTION, [_ROOM, _text(self._description)])

    def _skip_repeats(self) -> None:
        while self._repeat_at <= self.position:
            self._repeat_at *= _REPEAT

    def _write(self, data: bytes | bytearray) -> None:
        if self._broken:  # what came after a torn frame would never be read
            raise OSError(errno.EIO, "an earlier write failed")
        view = memoryview(data)
        self._broken = True
        while view:  # a disk that is nearly full takes a part
            view = view[os.write(self._file, view) :]
        self._broken = False
        self.position += len(data)


def _frame(kind: int, parts: Sequence[Any]) -> bytearray:
    """A frame of these parts of a payload, before which there is room for the header."""
    frame = bytearray().join(parts)
    size = len(frame) - FRAME.size
    FRAME.pack_into(frame, 0, 0, kind, size)
    FRAME.pack_into(frame, 0, checksum(frame), kind, size)
    return frame


def _named(first: int, names: Sequence[str]) -> bytearray:
    """A frame that gives names to codes from ``first`` on."""
    return _frame(NAMES, [_ROOM, _text({"first": first, "names": names})])


def _text(content: Any) -> bytes:
    text = json.dumps(content).encode()
    return text + b" " * (-len(text) & 7)
