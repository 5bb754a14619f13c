"""Machine code of kernels in files: a cache that is never a requirement.

Numba's own file cache takes a folder only if it can write there, falls back to ``__pycache__`` beside the sources,
where a changed callee goes unnoticed, and ends the process on a damaged file. Here a file that cannot be read is
absent, a damaged one is rebuilt, and a folder that cannot be written to costs time alone.
"""

import contextlib
import fcntl
import hashlib
import os
import pickle
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core import compiler
from numba.core.caching import _Cache
from numba.core.serialize import dumps

_SUM_BYTES = 32
_LONGEST_TURN = 300.0  # s
_LOOK = 0.05  # s
_VERSIONS = f"{numba.__version__} {llvmlite.__version__} {sys.implementation.cache_tag}"


class KernelFiles(_Cache):
    """The compiled signatures of one kernel, a file each: a BLAKE2b sum, then Numba's pickle of the machine code.

    A file's name holds the kernel, and a digest of what else decides its content: signature, processor, bytecode and
    versions. The text of the sources is the folder's part (`sources.jit.KernelCache`).
    """

    def __init__(
        self, function: Callable[..., Any], folder: Path | None, entry: bool = False, name: str = "", callee: str = ""
    ) -> None:
        """Args:
        folder: None keeps nothing.
        entry: Python alone calls the kernel, so the bitcode that others would inline is left out.
        name: of the kernel, where it closes over something: what that is belongs to it. By default the function's.
        callee: the symbol of an entry kernel that this one calls, which must be loaded before it.
        """
        self._folder = folder
        self._entry = entry
        self._name = name or f"{function.__module__}.{function.__qualname__}"
        self._bytecode = function.__code__.co_code
        self._callee = callee
        self._turn: IO[bytes] | None = None  # locked while this process compiles
        assert function.__closure__ is None or name

    @property
    def cache_path(self) -> str | None:
        """Folder of the files."""
        return None if self._folder is None else str(self._folder)

    def enable(self) -> None:
        """Part of Numba's interface; never called."""

    def disable(self) -> None:
        """Part of Numba's interface; never called."""

    def flush(self) -> None:
        """Part of Numba's interface: `Dispatcher.recompile` empties the cache. Files are overwritten instead."""

    def load_overload(self, sig: object, target_context: Any) -> Any:
        """The compiled signature; None if there is no file of it, or none that is whole."""
        if self._folder is None:
            return None
        target_context.refresh()
        path = self._path(self._folder, sig, target_context.codegen())
        found = _loaded(path, target_context)
        if found is None and self._entry and self._wait(self._folder):
            found = _loaded(path, target_context)  # another process may have compiled it meanwhile
            if found is not None:
                self._let_go()
        return found

    def save_overload(self, sig: object, data: Any) -> None:
        """Keep a compiled signature; a file that cannot be written is said once a process."""
        try:
            self._save(sig, data)
        finally:
            self._let_go()

    def _wait(self, folder: Path) -> bool:
        """Wait while another process compiles the kernel: both would take twice as long on a small machine.

        Not for ever: one that failed to compile has its turn until it ends. False: there is no turn to take.
        """
        self._let_go()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            turn = (folder / f".{self._name}.turn").open("wb")
        except OSError:
            return False
        until = time.monotonic() + _LONGEST_TURN
        while True:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    turn.close()
                    return False
                time.sleep(_LOOK)
        self._turn = turn
        return True

    def _let_go(self) -> None:
        if self._turn is not None:
            self._turn.close()
            self._turn = None

    def _save(self, sig: object, data: Any) -> None:
        if self._folder is None:
            warn_once("compiled kernels cannot be kept: no home folder")
            return
        library, *rest = data._reduce()
        if self._entry:
            library = _without_bodies(library)
            # What links with it from now on, in this process as in others, calls it and does not compile it again.
            data.library._shared_module = llvm.parse_bitcode(library[2][1])
        body = dumps((library, *rest))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(
                self._path(self._folder, sig, data.codegen),
                hashlib.blake2b(body, digest_size=_SUM_BYTES).digest(),
                body,
            )
        except OSError as e:
            warn_once(f"compiled kernels cannot be kept: {self._folder}: {e.strerror}")

    def _path(self, folder: Path, sig: object, codegen: Any) -> Path:
        parts = (repr(sig), repr(codegen.magic_tuple()), self._bytecode.hex(), _VERSIONS, self._callee)
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        return folder / f"{self._name}-{digest}.kernel"


def _loaded(path: Path, target_context: Any) -> Any:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if not _whole(content):
        return None
    try:
        reduced = pickle.loads(memoryview(content)[_SUM_BYTES:])
        return compiler.CompileResult._rebuild(target_context, *reduced)
    except Exception:  # whatever unpickling meets: the kernel is compiled again
        return None


def held(folder: Path | None, kernel: str) -> bool:
    """Whether a whole file of ``module.function`` is there, for whatever signature."""
    if folder is None:
        return False
    try:
        return any(_whole(file.read_bytes()) for file in folder.glob(f"*{kernel}-*.kernel"))
    except OSError:
        return False


def obstacle(folder: Path | None) -> str | None:
    """Why no file can be written to ``folder``, in words; None if one can."""
    if folder is None:
        return "no home folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as e:
        return f"{folder}: {e.strerror}"
    return None


_warned = False


def warn_once(text: str | None) -> None:
    """Show a `RuntimeWarning`, the first time in this process; None only counts as the first time."""
    global _warned
    if text is not None and not _warned:
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    _warned = True


def _without_bodies(library: tuple[str, str, tuple[bytes, bytes]]) -> tuple[str, str, tuple[bytes, bytes]]:
    """Numba's serialized library with the names of its functions, which it asks for, and nothing in them.

    Parsing 0.9 MB of bitcode took 28 ms of each start. Machine code is kept whole; being internal, the empty functions
    are never linked in its place.
    """
    name, kind, (machine_code, bitcode) = library
    module = llvm.parse_bitcode(bitcode)
    names = [f.name for f in module.functions if not f.is_declaration]
    environments = [v.name for v in module.global_variables if v.name.startswith("_ZN08NumbaEnv")]
    lines = [f'define internal void @"{name}"() {{ unreachable }}' for name in names]
    lines += [f'@"{name}" = internal global i8 0' for name in environments]
    return name, kind, (machine_code, llvm.parse_assembly("\n".join(lines)).as_bitcode())


def _whole(content: bytes) -> bool:
    body = memoryview(content)[_SUM_BYTES:]
    return hashlib.blake2b(body, digest_size=_SUM_BYTES).digest() == content[:_SUM_BYTES]


def _write(path: Path, *parts: bytes) -> None:
    """Write a file that is there whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
        try:
            for part in parts:
                file.write(part)
            file.close()
            os.chmod(file.name, 0o644)  # an image's kernels are written by one user and read by another
            os.replace(file.name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(file.name)
            raise
