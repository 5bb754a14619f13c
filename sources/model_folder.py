"""A trained model as a folder: what it is, in ``model.json``, and its numbers beside it (docs/forecasts.md, 1).

``model.json`` names every other file with its length and SHA-256, and itself ends in the SHA-256 of all that it says:
that is the model's identity. What a file holds is looked at only once its hash is right. Weights are safetensors, which
hold arrays and nothing that could run; trees are LightGBM's own text.
"""

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of

from sources.errors import TickwaxError

VERSION = 1  # of the folder; rises when what is in it changes its meaning
CARD = "model.json"
WEIGHTS = "weights.safetensors"
TREES = "trees.txt"

MOST_CARD = 16 << 20  # bytes
MOST_FILE = 1 << 30
_KINDS_OF_NUMBER = "fiu"
_PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # pickle, and PyTorch's zip of pickles


class FileCard(msgspec.Struct, forbid_unknown_fields=True):
    """A file beside ``model.json``."""

    bytes: int
    sha256: str


class Card(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What ``model.json`` says.

    Attributes:
        version: of the folder, `VERSION`.
        kind: ``ridge``, ``gbm``, ``tft``, ``qrdqn``.
        columns: of the features, in the order in which the model reads them.
        mean, scale: of each column over the training rows: an input is ``(x − mean)/scale``. Empty: inputs as they are.
        horizons, latency: texts of the durations that a forecast return spans.
        quantiles: levels that are forecast.
        features: settings that the features were computed with, and decide a value.
        features_hash: SHA-256 of them, as `settings_hash` makes it.
        own: by ``venue:SYMBOL``, settings in which instruments differ.
        instruments: that it was trained on.
        trained_from, trained_until: ns; label times of the rows that training, calibration included, has seen lie in
            ``[trained_from, trained_until)``.
        rows: that it was trained on.
        seed: of whatever was drawn.
        parameters: of the training, by name, as JSON can hold them.
        packages: versions, by name.
        planted: its training data are a synthetic market with an edge that somebody put there.
        files: by name.
        identity: SHA-256 of all that stands before.
    """

    version: int
    kind: str
    columns: tuple[str, ...]
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    horizons: tuple[str, ...]
    latency: str = "0ms"
    quantiles: tuple[float, ...]
    features: dict[str, str]
    features_hash: str
    own: dict[str, dict[str, str]] = {}
    instruments: tuple[str, ...] = ()
    trained_from: int
    trained_until: int
    rows: int = 0
    seed: int = 0
    parameters: dict[str, Any] = {}
    packages: dict[str, str] = {}
    planted: bool = False
    files: dict[str, FileCard] = {}
    identity: str = ""


class ModelFolder(NamedTuple):
    """A model that was read, and checked."""

    path: Path
    card: Card
    arrays: dict[str, npt.NDArray[Any]]  # of `WEIGHTS`
    trees: str  # of `TREES`; empty without


def settings_hash(settings: dict[str, str]) -> str:
    """SHA-256 of settings, whatever their order."""
    return hashlib.sha256(msgspec.json.encode(sorted(settings.items()))).hexdigest()


def identity_of(card: Card) -> str:
    """SHA-256 of what a card says, its own ``identity`` left out."""
    said = msgspec.to_builtins(msgspec.structs.replace(card, identity=""))
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def read_model(path: Path, key: str = "model") -> ModelFolder:
    """Read a model's folder.

    Args:
        key: what the path was given as; an error begins with it.

    Raises:
        TickwaxError: it is no model, or of another version, or not what was written.
    """
    card = _card(path, key)
    arrays: dict[str, npt.NDArray[Any]] = {}
    trees = ""
    for name, about in card.files.items():
        if name not in (WEIGHTS, TREES):
            raise TickwaxError(f"{key}: {path / CARD}: files: {name!r} is neither {WEIGHTS} nor {TREES}")
        data = _content(path / name, about, key)
        if name == TREES:
            trees = _text(path / name, data, key)
        else:
            arrays = _arrays(path / name, data, key)
    return ModelFolder(path, card, arrays, trees)


def _card(path: Path, key: str) -> Card:
    file = path / CARD
    if not path.is_dir():
        raise TickwaxError(f"{key}: {path} is not a folder; a model is one, such as `tickwax train` writes")
    try:
        if (size := file.stat().st_size) > MOST_CARD:
            raise TickwaxError(f"{key}: {file}: {size:,} bytes; at most {MOST_CARD:,}")
        data = file.read_bytes()
        version = msgspec.json.decode(data, type=_Versioned).version
        if version != VERSION:
            raise TickwaxError(f"{key}: {file}: of version {version}; this program reads version {VERSION}")
        card = msgspec.json.decode(data, type=Card)
    except FileNotFoundError:
        raise TickwaxError(f"{key}: {path} holds no {CARD}; a model is a folder that has one") from None
    except OSError as e:
        raise TickwaxError(f"{key}: {file} cannot be read: {e.strerror or e}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise TickwaxError(f"{key}: {file}: not a model's card, or cut off: {e}") from None
    if card.identity != identity_of(card):
        raise TickwaxError(f"{key}: {file}: was edited: its hash is not {card.identity[:12] or 'there'}")
    if problem := _problem(card):
        raise TickwaxError(f"{key}: {file}: {problem}")
    return card


class _Versioned(msgspec.Struct):
    version: int


def _problem(card: Card) -> str:
    """What a card says that cannot be; empty if all of it can."""
    numbers = (*card.mean, *card.scale)
    if numbers and not len(card.mean) == len(card.scale) == len(card.columns):
        return f"mean, scale: {len(card.mean)} and {len(card.scale)} of {len(card.columns)} columns"
    if not all(map(math.isfinite, numbers)) or any(scale <= 0 for scale in card.scale):
        return "mean, scale: not finite numbers, or a scale that is not above 0"
    if len(set(card.columns)) < len(card.columns):
        return "columns: one stands twice"
    if card.features_hash != settings_hash(card.features):
        return "features_hash: not that of features"
    return ""


def _content(file: Path, about: FileCard, key: str) -> bytes:
    """The bytes of a file, if they are those that were written."""
    if about.bytes > MOST_FILE:
        raise TickwaxError(f"{key}: {file}: {about.bytes:,} bytes; at most {MOST_FILE:,}")
    try:
        size = file.stat().st_size
        data = file.read_bytes() if size == about.bytes else b""
        with file.open("rb") as opened:
            start = opened.read(4)
    except OSError as e:
        raise TickwaxError(f"{key}: {file} cannot be read: {e.strerror or e}") from None
    if start.startswith(_PICKLED):
        raise TickwaxError(f"{key}: {file}: is pickled, which may run anything; weights are safetensors")
    if size != about.bytes:
        how = "cut off" if size < about.bytes else "grown"
        raise TickwaxError(f"{key}: {file}: was {how}: {size:,} bytes, of {about.bytes:,}")
    if hashlib.sha256(data).hexdigest() != about.sha256:
        raise TickwaxError(f"{key}: {file}: was edited: its SHA-256 is not the one in {CARD}")
    return data


def _arrays(file: Path, data: bytes, key: str) -> dict[str, npt.NDArray[Any]]:
    try:
        arrays = arrays_of(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as e:
        raise TickwaxError(f"{key}: {file}: not safetensors: {e}") from None
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS_OF_NUMBER:
            raise TickwaxError(f"{key}: {file}: {name} is {array.dtype}; weights are numbers")
        if not np.isfinite(array).all():
            raise TickwaxError(f"{key}: {file}: {name} has a value that is not a finite number")
    return arrays


def _text(file: Path, data: bytes, key: str) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise TickwaxError(f"{key}: {file}: not LightGBM's text") from None
