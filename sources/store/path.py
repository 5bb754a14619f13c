"""A path of an object store that is a `pathlib.Path`, so that code which only passes paths on need not know."""

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PosixPath
from typing import Any

import pyarrow as pa
from pyarrow import fs
from typing_extensions import override

from sources.errors import DiskFailure, TickwaxError
from sources.redaction import redacted
from sources.store.connection import local_side, object_store

SCHEME = "s3://"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FAULT = re.compile(r"AWS Error (\w+) during (\w+) operation: (.*)", re.DOTALL)
_REFUSED = ("ACCESS_DENIED", "NO_SUCH_BUCKET", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "HTTP status 403",
            "INVALID_CLIENT_TOKEN_ID", "UNRECOGNIZED_CLIENT")  # fmt: skip
_ROOT = PosixPath(SCHEME).parts
_PROBE = "_writable"  # is no data file
_BLOCK = 8 << 20  # bytes handed on at a time


class StoreRefusal(TickwaxError):
    """The store answers and says no: wrong bucket, wrong or missing rights."""


class StoreAway(DiskFailure):
    """The store does not answer, or not with what was asked for; it may do so later."""


class StorePath(PosixPath):
    """A file or folder at ``s3://bucket/key``. Folders are what keys have in common: they need not be made.

    Only what is defined here reaches the store; everything else that would open the path on this machine is refused.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "StorePath":
        """The path of an address.

        Raises:
            ValueError: it is no address of the form ``s3://bucket/prefix``.
        """
        bucket, _, key = text.removeprefix(SCHEME).partition("/")
        inside = key.rstrip("/").split("/") if key else []
        if "@" in bucket:
            raise ValueError(f"{redacted(text)!r} has a name and a key; the environment of AWS programs gives them")
        good = text.startswith(SCHEME) and _BUCKET.fullmatch(bucket) and not re.search(r"[?#\\\x00-\x1f]", key)
        if not good or any(part in ("", ".", "..") for part in inside):
            raise ValueError(f"{redacted(text)!r} is not an address of the form {SCHEME}bucket/prefix")
        return cls(SCHEME, bucket, *inside)

    @override
    def __str__(self) -> str:
        return SCHEME + self.key if self.parts[:1] == _ROOT else "/".join(self.parts)  # of a part of a path

    @override
    def __fspath__(self) -> str:
        raise TickwaxError(f"{self}: lies in an object store; here only local files and folders are taken")

    @property
    def key(self) -> str:
        """Bucket and key, as PyArrow names a file."""
        return "/".join(self.parts[1:])

    @property
    def workplace(self) -> Path:
        """The folder on this machine for what belongs to the path and cannot lie in the store; it may be missing."""
        return local_side().joinpath(*self.parts[1:])

    def sizes(self) -> dict[str, int]:
        """Every file under this folder, by its path within: its size in bytes.

        Raises:
            TickwaxError: the store does not answer, or refuses.
        """
        begin = len(self.key) + 1
        return {info.path[begin:]: info.size for info in self._list(recursive=True) if info.is_file}

    def put(self, file: Path) -> None:
        """Put a file's content here, whole: until all of it has come, and was counted, the store shows none of it.

        Raises:
            TickwaxError: as `sizes`; then nothing is here, or what was before.
            OSError: the file cannot be read.
        """
        size = file.stat().st_size
        with open(file, "rb") as source, _asked(self):
            stream = object_store().open_output_stream(self.key)
            try:
                while block := source.read(_BLOCK):
                    stream.write(block)
            finally:
                stream.close()  # makes the object appear, unless a part was refused
            found = self._info()
            if found.size != size:
                if found.is_file:
                    object_store().delete_file(self.key)
                raise StoreAway(f"{self}: {found.size} of {size} bytes are there after it was put")

    def check_writable(self) -> None:
        """Put an empty file into this folder and delete it: a missing right is noticed before any work is done.

        Raises:
            TickwaxError: as `sizes`.
        """
        probe = self / _PROBE
        with _asked(probe):
            object_store().open_output_stream(probe.key).close()
        probe.unlink(missing_ok=True)  # another process of a cluster may have done it

    def get(self, file: Path) -> None:
        """Have a copy on this machine.

        Raises:
            TickwaxError: as `sizes`.
            OSError: it cannot be written.
        """
        part = file.with_name(f".{file.name}.part")
        try:
            with open(part, "wb") as copy, self.open_stored() as source:
                size = source.size()
                while copy.tell() < size:
                    with _asked(self):
                        block = source.read_at(min(_BLOCK, size - copy.tell()), copy.tell())
                    if not block:
                        raise StoreAway(f"{self}: {copy.tell()} of {size} bytes came")
                    copy.write(block)
                copy.flush()
                os.fsync(copy.fileno())
            os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)

    def open_stored(self) -> pa.NativeFile:
        """The file, to be read at any place.

        Raises:
            FileNotFoundError: there is none.
            TickwaxError: as `sizes`.
        """
        with _asked(self):
            return object_store().open_input_file(self.key)

    @override
    def exists(self, **_: Any) -> bool:
        """Whether a file is here, or files under it."""
        return len(self.parts) < 2 or self._info().type != fs.FileType.NotFound

    @override
    def is_dir(self, **_: Any) -> bool:
        """Whether files are under it."""
        return self._info().type == fs.FileType.Directory

    @override
    def is_file(self, **_: Any) -> bool:
        """Whether a file is here."""
        return bool(self._info().is_file)

    @override
    def stat(self, **_: Any) -> os.stat_result:
        """The size of a file; nothing else is known.

        Raises:
            FileNotFoundError: there is none.
        """
        info = self._info()
        if not info.is_file:
            raise FileNotFoundError(2, "no such object", str(self))
        return os.stat_result((0o100644, 0, 0, 1, 0, 0, info.size, 0, 0, 0))

    @override
    def iterdir(self) -> Generator["StorePath", None, None]:
        """Files and folders in this one."""
        yield from (self / info.base_name for info in self._list(recursive=False))

    @override
    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""
        with _asked(self):
            try:
                object_store().delete_file(self.key)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    @override
    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a folder is there with its first file."""

    @override
    def rmdir(self) -> None:
        """Nothing: a folder goes with its last file."""

    @override
    def absolute(self) -> "StorePath":
        """Itself."""
        return self

    @override
    def resolve(self, strict: bool = False) -> "StorePath":
        """Itself."""
        return self

    def _info(self) -> fs.FileInfo:
        with _asked(self):
            return object_store().get_file_info(self.key)

    def _list(self, recursive: bool) -> list[fs.FileInfo]:
        if len(self.parts) < 2:  # of all buckets there is nothing to know
            return []
        with _asked(self):
            found: list[fs.FileInfo] = object_store().get_file_info(
                fs.FileSelector(self.key, recursive=recursive, allow_not_found=True)
            )
            return found


@contextmanager
def _asked(path: StorePath) -> Iterator[None]:
    """What the store says is one line, without what a request was signed with."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as e:
        if getattr(e, "errno", None) is not None:  # of a file on this machine
            raise
        raise store_error(path, e) from None


def store_error(path: Path, error: Exception) -> TickwaxError:
    """The line that says why the store did not do what it was asked for."""
    text = " ".join(str(error).split()).partition(" (Request ID")[0]
    if found := _FAULT.search(text):
        code, operation, rest = found.groups()
        text = f"{operation}: {code}: {rest}"
    line = f"{path}: the object store: {text}"
    return StoreRefusal(line) if any(word in text for word in _REFUSED) else StoreAway(line)
