"""A model's folder: what was written is read, and nothing else is."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save

from learning.model_writer import REPORT, write_model
from operators.models import state_bytes
from operators.models.kinds import head_of, served
from sources.errors import TickwaxError
from sources.model_folder import CARD, TREES, WEIGHTS, FileCard, identity_of, read_model
from tests.models.folders import arrays, card, folder


def test_what_was_written_is_read(tmp_path: Path) -> None:
    identity = write_model(tmp_path / "m", card(seed=7), arrays(), "tree\n")
    found = read_model(tmp_path / "m")
    assert found.card.identity == identity
    assert found.card.seed == 7
    assert found.trees == "tree\n"
    for name, array in arrays().items():
        np.testing.assert_array_equal(found.arrays[name], array)


def test_the_identity_is_that_of_the_content_alone(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a", card(), arrays(), report={"loss": 1.0})
    assert first == write_model(tmp_path / "b", card(), arrays(), report={"loss": 2.0})
    assert first == write_model(tmp_path / "a", card(), arrays(), overwrite=True)
    assert first != write_model(tmp_path / "c", card(trained_until=1_001), arrays())
    assert first != write_model(tmp_path / "d", card(), arrays(), "tree\n")
    other = arrays()
    other["offsets"][1, 2] = np.nextafter(other["offsets"][1, 2], 1.0)
    assert first != write_model(tmp_path / "e", card(), other)
    assert json.loads((tmp_path / "b" / REPORT).read_text()) == {"loss": 2.0}


def test_a_model_that_is_there_is_kept(tmp_path: Path) -> None:
    folder(tmp_path / "m")
    with pytest.raises(TickwaxError, match=r"train\.path: .*m holds a model already"):
        folder(tmp_path / "m")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(TickwaxError, match="holds something else"):
        write_model(tmp_path / "other", card(), arrays(), overwrite=True)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["m", "other"]  # nothing half-written


def _edit(old: bytes, new: bytes) -> Callable[[Path], object]:
    def wound(path: Path) -> None:
        data = (path / CARD).read_bytes()
        assert old in data
        (path / CARD).write_bytes(data.replace(old, new))

    return wound


def _cut(name: str) -> Callable[[Path], object]:
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:-9])


def _flip(path: Path) -> None:
    data = bytearray((path / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (path / WEIGHTS).write_bytes(data)


def _as_card(**changed: object) -> Callable[[Path], object]:
    """A card that agrees with itself, and says something else."""

    def wound(path: Path) -> None:
        said = msgspec.structs.replace(read_model(path).card, **changed)
        said = msgspec.structs.replace(said, identity=identity_of(said))
        (path / CARD).write_bytes(msgspec.json.encode(said))

    return wound


@pytest.mark.parametrize(
    ("wound", "line"),
    [
        (lambda path: (path / CARD).unlink(), "holds no model.json"),
        (_cut(CARD), "model.json: not a model's card, or cut off"),
        (_edit(b'"seed": 0', b'"seed": 1'), "model.json: was edited"),
        (_edit(b'"version": 1', b'"version": 9'), "of version 9; this program reads version 1"),
        (_edit(b'"seed": 0', b'"seed": "x"'), "not a model's card, or cut off"),
        (_edit(b'"seed": 0', b'"seeds": 0'), "not a model's card, or cut off"),
        (lambda path: (path / CARD).write_bytes(b"[" * 100_000), "not a model's card, or cut off"),
        (_as_card(scale=(1.0, 0.0)), "a scale that is not above 0"),
        (_as_card(mean=(1.0,)), "mean, scale: 1 and 2 of 2 columns"),
        (_as_card(columns=("mid", "mid")), "columns: one stands twice"),
        (_as_card(features={"features.sampling": "1s"}), "features_hash"),
        (_as_card(files={WEIGHTS: FileCard(1 << 40, "")}), "1,099,511,627,776 bytes; at most 1,073,741,824"),
        (_as_card(files={"../x": FileCard(1, "")}), "'../x' is neither"),
        (_cut(WEIGHTS), "weights.safetensors: was cut off"),
        (_flip, "weights.safetensors: was edited"),
        (lambda path: (path / TREES).unlink(), "trees.txt cannot be read: No such file"),
        (lambda path: (path / WEIGHTS).write_bytes(pickle.dumps([1.0] * 999)), "is pickled"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(tmp_path: Path, wound: Callable[[Path], object], line: str) -> None:
    path = folder(tmp_path / "m")
    wound(path)
    with pytest.raises(TickwaxError) as e:
        read_model(path, "predict.model")
    assert line in str(e.value)
    assert str(e.value).startswith("predict.model: ")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.array([np.nan]), "x has a value that is not a finite number"),
        (np.array([True]), "x is bool; weights are numbers"),
    ],
)
def test_weights_are_finite_numbers(tmp_path: Path, array: np.ndarray, line: str) -> None:
    write_model(tmp_path / "m", card(), {"x": array})
    with pytest.raises(TickwaxError, match=line):
        read_model(tmp_path / "m")


def test_weights_that_are_no_safetensors(tmp_path: Path) -> None:
    """As long as was written, with the hash that the card tells: only what is in it is wrong."""
    path = folder(tmp_path / "m")
    data = b"\x00" * len(save(arrays()))
    (path / WEIGHTS).write_bytes(data)
    about = FileCard(len(data), hashlib.sha256(data).hexdigest())
    said = msgspec.structs.replace(card(), files={WEIGHTS: about})
    (path / CARD).write_bytes(msgspec.json.encode(msgspec.structs.replace(said, identity=identity_of(said))))
    with pytest.raises(TickwaxError, match="not safetensors"):
        read_model(path)


class _Inner(NamedTuple):
    ring: np.ndarray
    at: np.ndarray


class _State(NamedTuple):
    inner: _Inner
    static: np.ndarray


def _state() -> _State:
    return _State(_Inner(np.arange(6.0).reshape(2, 3), np.array([4])), np.array([True, False]))


def test_a_state_comes_back_from_its_bytes() -> None:
    state = _state()
    again = state_bytes.load(state_bytes.dump(state, "m"), _state(), "m")
    assert isinstance(again, _State)
    assert isinstance(again.inner, _Inner)
    for array, other in zip((*state.inner, state.static), (*again.inner, again.static), strict=True):
        np.testing.assert_array_equal(array, other)
        assert array.dtype == other.dtype
        assert other.flags.writeable
        assert other.flags.c_contiguous
    assert state_bytes.load(state_bytes.dump((), "m"), (), "m") == ()


def test_the_state_of_another_model_is_refused() -> None:
    data = state_bytes.dump(_state(), "m")
    with pytest.raises(ValueError, match="state of another model"):
        state_bytes.load(data, _state(), "n")
    with pytest.raises(ValueError, match="state of another model"):
        state_bytes.load(data, _state()._replace(static=np.array([True])), "m")
    with pytest.raises(ValueError, match="cut off"):
        state_bytes.load(data[:-1], _state(), "m")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"kind": "oracle"}, "of kind 'oracle'; served are"),
    ],
)
def test_a_model_that_cannot_be_served(tmp_path: Path, changed: dict[str, object], line: str) -> None:
    with pytest.raises(TickwaxError, match=f"predict.model: .*{line}"):
        served(read_model(folder(tmp_path / "m", **changed)), "predict.model")


@pytest.mark.parametrize(
    ("changed", "more", "line"),
    [
        ({"quantiles": (0.5,)}, {}, "quantiles: "),
        ({}, {}, "calibration: shape"),
        ({}, {"calibration": np.ones((1, 5))}, "calibration: shape"),
        ({}, {"calibration": np.array([[1.0, 0.0], [1.0, 2.0]])}, "calibration: scores do not rise"),
        ({"horizons": ("1s", "soon")}, {"calibration": np.ones((2, 5))}, "'soon' is not a duration"),
    ],
)
def test_a_head_that_does_not_fit(tmp_path: Path, changed: Any, more: Any, line: str) -> None:
    write_model(tmp_path / "m", card(**changed), {**arrays(), **more})
    with pytest.raises(ValueError, match=line):
        head_of(read_model(tmp_path / "m"))


def test_a_head(tmp_path: Path) -> None:
    identity = write_model(tmp_path / "m", card(latency="5ms"), {**arrays(), "calibration": np.ones((2, 5))})
    head = head_of(read_model(tmp_path / "m"))
    assert (head.identity, head.kind, head.columns) == (identity, "ridge", ("mid", "spread"))
    assert head.horizons == (("1s", 1_000_000_000), ("5s", 5_000_000_000))
    assert head.latency_ns == 5_000_000
