"""Writes a model's folder, whole or not at all; `sources.model_folder` reads it."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import save as bytes_of

from sources.errors import DiskFailure, TickwaxError
from sources.model_folder import CARD, TREES, WEIGHTS, Card, FileCard, identity_of

REPORT = "report.json"


def check_model_path(path: Path, overwrite: bool, key: str = "train.path") -> None:
    """Refuse, before any work, what would not be written to.

    Raises:
        TickwaxError: something is there that is no model, or a model that may not be replaced.
    """
    if not path.exists():
        return
    if not path.is_dir() or (any(path.iterdir()) and not (path / CARD).is_file()):
        raise TickwaxError(f"{key}: {path} is there and holds something else; name another folder")
    if (path / CARD).is_file() and not overwrite:
        raise TickwaxError(f"{key}: {path} holds a model already; name another folder, or set train.overwrite=true")


def write_model(
    path: Path,
    card: Card,
    arrays: Mapping[str, npt.NDArray[Any]],
    trees: str = "",
    report: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> str:
    """Write a model, and return its identity.

    The report is no part of the identity: what a model foretells does not depend on what was found out about it.

    Args:
        card: without ``files`` and ``identity``, which are filled in.
        arrays: of numbers.
        trees: LightGBM's text.
        report: what there is to say of its quality; goes to ``report.json``.
        overwrite: a model that is there is replaced.

    Raises:
        TickwaxError: as of `check_model_path`.
        DiskFailure: the folder cannot be written.
    """
    check_model_path(path, overwrite)
    contents = {WEIGHTS: bytes_of({name: np.asarray(array, order="C") for name, array in arrays.items()})}
    if trees:
        contents[TREES] = trees.encode("ascii")
    files = {name: FileCard(len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()}
    whole = msgspec.structs.replace(card, files=files, identity="")
    whole = msgspec.structs.replace(whole, identity=identity_of(whole))
    contents[CARD] = msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"
    if report is not None:
        contents[REPORT] = json.dumps(report, indent=1, sort_keys=True).encode() + b"\n"
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{what}") for what in ("part", "old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
        for name, data in contents.items():
            _write(part / name, data)
        _sync(part)
        if path.exists():
            os.rename(path, old)
        os.rename(part, path)
        _sync(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as e:
        shutil.rmtree(part, ignore_errors=True)
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise DiskFailure(f"train.path: cannot write {path}: {e.strerror or e}") from None
    return whole.identity


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
