"""Inputs that are kept in a file: given out as an array gives them, and the same models come of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning import ridge, stored_inputs
from learning.ridge import scaling_of
from learning.stored_inputs import StoredInputs
from learning.tft import sequences
from learning.training import Plan, train
from operators.models.tft.serve import Codes
from sources.errors import DiskFailure
from tests.models.training import training_rows

KINDS = {
    "ridge": {"penalty": 0.01},
    "gbm": {"rounds": 4, "num_leaves": 5, "learning_rate": 0.2, "min_data_in_leaf": 20, "classes": True},
}


def stored(folder: Path, rows: np.ndarray, seed: int = 0, parts: int = 3) -> StoredInputs:
    """Rows that were written in another order than they are numbered in."""
    order = np.random.default_rng(seed).permutation(len(rows))
    out = StoredInputs(folder, rows.shape[1])
    for part in np.array_split(rows[order], parts):
        out.add(part)
    out.number(np.argsort(order))
    return out


@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 199), max_size=60),
    st.sampled_from([(1, 1), (40, 100), (1 << 16, 1 << 22)]),
)
def test_rows_are_those_of_an_array(tmp_path_factory, seed: int, numbers: list[int], reads: tuple[int, int]):
    rows = np.random.default_rng(seed).normal(size=(200, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_inputs, "_LEAST_READ", reads[0])
        patch.setattr(stored_inputs, "_MOST_READ", reads[1])
        found = stored(tmp_path_factory.getbasetemp(), rows, seed)
        for chosen in (np.array(numbers, np.intp), slice(5, 90), slice(None), np.int64(seed % 200)):
            assert found[chosen].tobytes() == rows[chosen].tobytes()
            assert found[chosen].shape == rows[chosen].shape
    assert found.shape == (200, 3)


def test_a_network_reads_the_same(tmp_path: Path):
    rows = training_rows(1500)
    rows.inputs[::7, 1] = np.nan
    train, codes = np.flatnonzero(np.arange(1500) % 100 < 90), Codes({}, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ridge, "AT_ONCE", 64)
        patch.setattr(sequences, "AT_ONCE", 64)
        held = sequences.sequences_of(rows, train, codes, 0.2)
        kept = sequences.sequences_of(replace(rows, inputs=stored(tmp_path, rows.inputs)), train, codes, 0.2)
    for one, other in zip(held, kept, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_model_does_not_depend_on_where_its_inputs_are(tmp_path: Path, kind: str):
    rows = training_rows(1500)
    rows = replace(rows, barrier=np.sign(rows.returns[:, 0]).astype(np.int8), labels={"barrier.width": "1"})
    plan = Plan(kind=kind, parameters=KINDS[kind])
    apart = replace(rows, inputs=stored(tmp_path / "kept", rows.inputs))
    held, kept = (train(each, plan, tmp_path / name) for each, name in ((rows, "held"), (apart, "stored")))
    assert held == kept
    assert not list((tmp_path / "kept").iterdir()), "the file has no name"


def test_scaling_is_of_the_known_numbers_of_the_rows_that_train():
    random = np.random.default_rng(3)
    inputs = random.normal(5.0, 2.0, size=(70_000, 4))
    inputs[random.random(inputs.shape) < 0.1] = np.nan
    inputs[::7, 1] = np.inf
    inputs[:, 2], inputs[:, 3] = np.nan, 0.1
    chosen = np.arange(1, 70_000, 2)
    found = scaling_of(inputs, chosen)
    for c in (0, 1):
        known = inputs[chosen, c][np.isfinite(inputs[chosen, c])]
        assert found.mean[c] == pytest.approx(known.mean(), rel=1e-13)
        assert found.scale[c] == pytest.approx(known.std(), rel=1e-13)
    assert found.mean[2:].tolist() == [0.0, pytest.approx(0.1)]
    assert found.scale[2:].tolist() == [1.0, 1.0], "nothing known, and nothing that varies"
    again = scaling_of(np.ascontiguousarray(inputs[chosen]))
    assert (found.mean.tobytes(), found.scale.tobytes()) == (again.mean.tobytes(), again.scale.tobytes())


def test_no_room_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskFailure, match=r"^train.path: cannot keep inputs in .*file: "):
        StoredInputs(tmp_path / "file", 3)
