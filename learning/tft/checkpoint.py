"""Where training stands, in a file that is there whole or not at all: safetensors, and JSON in their header.

Nothing that could run is read or written.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sources.errors import DiskFailure

_VERSION = "1"


class Standing(NamedTuple):
    """After a whole number of epochs."""

    epoch: int  # epochs done
    history: list[dict[str, float]]  # of each: training loss, loss on the rows held back
    trees: Mapping[str, Any]  # structures of arrays, by name


def save(file: Path, standing: Standing, identity: str) -> None:
    """Write it in place of what is there.

    Args:
        identity: of what is trained and on what; `load` takes no other.

    Raises:
        DiskFailure: it cannot be written.
    """
    arrays = {
        f"{name}.{at}": np.asarray(leaf)
        for name, tree in standing.trees.items()
        for at, leaf in enumerate(jax.tree.leaves(tree))
    }
    about = {"epoch": standing.epoch, "history": standing.history}
    metadata = {"version": _VERSION, "identity": identity, "about": json.dumps(about)}
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(arrays, part, metadata)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, file)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise DiskFailure(f"train.path: cannot write {file}: {e.strerror or e}") from None


def load(file: Path, like: Mapping[str, Any], identity: str) -> Standing | None:
    """What `save` wrote; None if there is nothing, or it is of something else, or damaged.

    Args:
        like: structures of the same form; their arrays' shapes and types must be those of the file.
    """
    try:
        with safe_open(file, "numpy") as opened:
            metadata = opened.metadata() or {}
            if metadata.get("version") != _VERSION or metadata.get("identity") != identity:
                return None
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        about = json.loads(metadata["about"])
        trees = {name: _again(name, tree, arrays) for name, tree in like.items()}
        return Standing(about["epoch"], about["history"], trees)
    except (OSError, SafetensorError, ValueError, KeyError):
        return None


def _again(name: str, like: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    leaves, form = jax.tree.flatten(like)
    found = [arrays[f"{name}.{at}"] for at in range(len(leaves))]
    for leaf, array in zip(leaves, found, strict=True):
        if np.shape(leaf) != array.shape or np.asarray(leaf).dtype != array.dtype:
            raise ValueError(f"{name}: another shape or type")
    return jax.tree.unflatten(form, [jax.numpy.asarray(array) for array in found])
