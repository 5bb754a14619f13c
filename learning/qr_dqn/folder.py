"""The folder of an agent: ``agent.json`` and arrays in safetensors, written whole, checked when read."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as bytes_of

from sources.errors import DamagedError, DiskFailure, TickwaxError

CARD, WEIGHTS, LEARNER, CURVE = "agent.json", "weights.safetensors", "learner.safetensors", "curve.parquet"
KIND, VERSION = "qrdqn", 1

Arrays = dict[str, npt.NDArray[Any]]


def write(folder: Path, card: Mapping[str, Any], weights: Arrays, learner: Arrays, curve: bytes) -> None:
    """Put an agent in place of what was in the folder.

    Args:
        card: what JSON can hold; the hashes of the files are added to it.
        weights: what decides.
        learner: what only learning needs.
        curve: the learning curve, a Parquet file.

    Raises:
        TickwaxError: the folder holds something that is no agent.
        DiskFailure: it cannot be written.
    """
    if folder.exists() and not (folder / CARD).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise TickwaxError(f"{folder}: holds something that is no agent; name another folder")
    contents = {WEIGHTS: _bytes(weights), LEARNER: _bytes(learner), CURVE: curve}
    files = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    whole = {"kind": KIND, "version": VERSION, **card, "files": files}
    contents[CARD] = json.dumps(whole, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
    part, old = folder.with_name(f".{folder.name}.part"), _aside(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for name, data in contents.items():
            with (part / name).open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.rename(folder, old)  # a kill between the two renames leaves it here, where `read` finds it
        os.rename(part, folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as e:
        raise DiskFailure(f"{folder}: cannot be written: {e.strerror or e}") from None


def read(folder: Path) -> tuple[dict[str, Any], Arrays, Arrays, bytes]:
    """Card, weights, learner and curve of an agent.

    Raises:
        TickwaxError: the folder holds no agent, or one of another version.
        DamagedError: a file is not what was written.
    """
    if not (folder / CARD).is_file() and (_aside(folder) / CARD).is_file():
        folder = _aside(folder)
    if not (folder / CARD).is_file():
        raise TickwaxError(f"{folder}: holds no agent; one has {CARD}")
    try:
        card = json.loads((folder / CARD).read_bytes())
        kind, version, files = card["kind"], card["version"], dict(card["files"])
    except (ValueError, KeyError, TypeError):
        raise DamagedError(f"{folder / CARD}: is not what was written", folder / CARD) from None
    if (kind, version) != (KIND, VERSION):
        raise TickwaxError(
            f"{folder / CARD}: {kind} of version {version}; this build reads {KIND} of version {VERSION}"
        )
    contents = {}
    for name in (WEIGHTS, LEARNER, CURVE):
        try:
            contents[name] = (folder / name).read_bytes()
        except OSError as e:
            raise DamagedError(f"{folder / name}: cannot be read: {e.strerror}", folder / name) from None
        if hashlib.sha256(contents[name]).hexdigest() != files.get(name):
            raise DamagedError(f"{folder / name}: is not what {CARD} says was written", folder / name)
    try:
        return card, arrays_of(contents[WEIGHTS]), arrays_of(contents[LEARNER]), contents[CURVE]
    except SafetensorError as e:
        raise DamagedError(f"{folder}: {e}", folder) from None


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _bytes(arrays: Arrays) -> bytes:
    return bytes_of({name: np.asarray(array, order="C") for name, array in arrays.items()})
