"""The serving kernels: LightGBM's bits, NumPy's numbers, and what a text must be to be followed."""

from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.models.kinds import CALIBRATION, served
from operators.models.lightgbm_text import joined, read_forest, separated
from operators.models.linear import LIMIT
from operators.models.served import ModelRows, ServedModel, forecasts
from operators.models.tree_bits import make_vectors
from operators.models.tree_groups import make_groups
from operators.models.trees import Sums, softmax
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import ModelFolder
from tests.models.folders import card

COLUMNS = 6
KINDS = [{}, {"zero_as_missing": True}, {"use_missing": False}, {"num_leaves": 2}, {"min_data_in_leaf": 1999}]


def inputs(n: int, seed: int) -> np.ndarray:
    """Numbers of every kind that a tree decides on in its own way."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, COLUMNS)) * random.choice([1e-36, 1.0, 1.0, 1.0, 1e3], size=(n, COLUMNS))
    x[:, 4] = np.round(x[:, 4])
    x[random.random((n, COLUMNS)) < 0.1] = np.nan
    x[random.random((n, COLUMNS)) < 0.1] = 0.0
    x[random.random((n, COLUMNS)) < 0.01] = -0.0
    x[random.random((n, COLUMNS)) < 0.01] = np.inf
    x[random.random((n, COLUMNS)) < 0.01] = -np.inf
    return x


@pytest.fixture(scope="module")
def texts() -> list[str]:
    x = inputs(2000, 1)
    finite = np.nan_to_num(x, posinf=1e3, neginf=-1e3)
    y = 0.1 * finite[:, 0] + np.abs(finite[:, 1]) + np.random.default_rng(2).normal(size=2000)
    fixed = {"objective": "quantile", "alpha": 0.25, "verbosity": -1, "num_threads": 1, "deterministic": True}
    data = [lightgbm.train({**fixed, "num_leaves": 15, **kind}, lightgbm.Dataset(x, y), 30) for kind in KINDS]
    return [booster.model_to_string() for booster in data]


@pytest.mark.parametrize("chosen", [[0, 1, 2, 3, 4], [0, 2, 3]])  # with a model to which 0 is missing, and without
def test_lightgbms_bits(texts: list[str], chosen: list[int]) -> None:
    texts = [texts[number] for number in chosen]
    forest, x = read_forest(separated(joined(texts)), COLUMNS), inputs(5000, 3)
    groups, vectors = make_groups(forest, COLUMNS), make_vectors(forest, COLUMNS)
    assert groups.usable[0] == (vectors is not None) == (1 not in chosen)
    assert np.isnan(x).any(axis=1).sum() > 500 < (~np.isnan(x).any(axis=1)).sum()
    for by in (groups, vectors or groups):
        out = np.empty((len(x), len(texts)))
        Sums(forest, by, COLUMNS).fill(x, out)
        for number, text in enumerate(texts):
            expected = lightgbm.Booster(model_str=text).predict(x, num_threads=1)
            np.testing.assert_array_equal(out[:, number].copy().view(np.int64), expected.view(np.int64))


@pytest.mark.parametrize("leaves", [2, 16, 17, 64, 65])
def test_trees_of_any_size(leaves: int) -> None:
    """As many leaves as there are bits, and one more."""
    x = np.random.default_rng(4).normal(size=(3000, COLUMNS))
    y = np.sin(9 * x[:, 0]) + np.cos(7 * x[:, 1]) * x[:, 2]
    fixed = {"verbosity": -1, "num_threads": 1, "deterministic": True, "min_data_in_leaf": 5}
    booster = lightgbm.train({**fixed, "objective": "regression", "num_leaves": leaves}, lightgbm.Dataset(x, y), 12)
    forest = read_forest([booster.model_to_string()], COLUMNS)
    assert len(forest.leaf) == 12 * leaves
    vectors = make_vectors(forest, COLUMNS)
    assert (None if vectors is None else vectors.mask.dtype) == (
        np.uint16 if leaves <= 16 else np.uint64 if leaves <= 64 else None
    )
    if vectors is not None:
        on_thresholds = np.resize(forest.threshold, (500, COLUMNS))  # those go left
        for rows in (x, on_thresholds):
            out = np.empty((len(rows), 1))
            Sums(forest, vectors, COLUMNS).fill(rows, out)
            assert out[:, 0].tobytes() == booster.predict(rows, num_threads=1).tobytes()


def of_classes(classes: int) -> str:
    """LightGBM's text of a model of so many classes."""
    x, random = inputs(2000, 1), np.random.default_rng(2)
    y = np.digitize(
        np.nan_to_num(x[:, 0], posinf=9, neginf=-9) + random.normal(size=2000), np.arange(classes - 1) - 0.5
    )
    fixed = {"objective": "multiclass", "num_class": classes, "verbosity": -1, "num_threads": 1, "deterministic": True}
    return lightgbm.train({**fixed, "num_leaves": 15}, lightgbm.Dataset(x, y), 20).model_to_string()


def test_classes_are_lightgbms() -> None:
    """The scores to the bit; the softmax has an exponential of its own."""
    text, x = of_classes(3), inputs(5000, 3)
    forest = read_forest([text], COLUMNS)
    scores = np.empty((len(x), 3))
    vectors = make_vectors(forest, COLUMNS)
    assert vectors is not None
    Sums(forest, vectors, COLUMNS).fill(x, scores)
    other = lightgbm.Booster(model_str=text)
    expected = other.predict(x, raw_score=True, num_threads=1)
    np.testing.assert_array_equal(scores.view(np.int64), np.ascontiguousarray(expected).view(np.int64))
    chances = np.empty_like(scores)
    softmax(scores, chances)
    np.testing.assert_allclose(chances, other.predict(x, num_threads=1), rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text.replace("num_class=3", "num_class=2"), "objective 'multiclass num_class:3' is not served"),
        (lambda text: text.replace("num_tree_per_iteration=3", "num_tree_per_iteration=x"), "is not served"),
        (lambda text: text.replace("num_tree_per_iteration=3", "num_tree_per_iteration=0"), "is not served"),
        (lambda text: text[: text.rindex("\nTree=")] + "end of trees\n", "59 are not as many for each of 3 classes"),
    ],
)
def test_classes_that_cannot_be_followed(change, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        read_forest([change(of_classes(3))], COLUMNS)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("objective=quantile", "objective=binary", "objective 'binary' is not served"),
        ("objective=quantile", "average_output\nobjective=quantile", "random forest"),
        ("version=v4", "version=v9", "version 'v9'"),
        ("max_feature_idx=5", "max_feature_idx=6", r"read 6 \+ 1 columns, and the model has 6"),
        ("end of trees", "end", "cut off"),
        ("num_cat=0", "num_cat=1", "categories or linear leaves"),
        ("is_linear=0", "is_linear=1", "categories or linear leaves"),
        ("leaf_value=", "leaf_values=", "one lacks leaf_value"),
        ("num_leaves=2", "num_leaves=3", "one of 3 leaves has"),
        ("left_child=-1", "left_child=0", "no tree"),
        ("split_feature=", "split_feature=1", "asks for a column beyond 6"),
        ("decision_type=", "decision_type=1", "a decision is of a kind"),
        ("leaf_value=", "leaf_value=x", "could not convert"),
    ],
)
def test_a_text_that_cannot_be_followed(texts: list[str], old: str, new: str, line: str) -> None:
    small = texts[3]  # of two leaves a tree
    assert old in small
    with pytest.raises(ValueError, match=line):
        read_forest([small.replace(old, new)], COLUMNS)


def linear_model(random: np.random.Generator) -> tuple[ServedModel, dict[str, np.ndarray]]:
    arrays = {
        "coefficients": random.normal(size=(2, 2)),
        "intercept": random.normal(size=2),
        "offsets": random.normal(size=(2, 5)),
        CALIBRATION: np.zeros((2, 1)),
    }
    return served(ModelFolder(Path(), card(), arrays, "")), arrays


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(0, 40))
def test_a_linear_model(seed: int, rows: int, cut: int) -> None:
    """Against NumPy; and in two parts the same bits."""
    random = np.random.default_rng(seed)
    model, arrays = linear_model(random)
    x = random.normal(size=(rows, 2)) * 30
    x[random.random((rows, 2)) < 0.2] = np.nan
    shown = ModelRows(np.arange(rows), np.arange(rows), x)
    out = forecasts(rows, 2)
    model.step((), shown, out)
    z = np.clip(np.nan_to_num((x - [1.5, 0.1]) / [2.0, 0.3]), -LIMIT, LIMIT)
    expected = (z @ arrays["coefficients"].T + arrays["intercept"])[:, :, None] + arrays["offsets"]
    np.testing.assert_allclose(out.quantiles, expected, rtol=1e-12, atol=1e-12)
    assert np.isnan(out.epistemic).all()
    cut = min(cut, rows)
    parts = []
    for start, stop in ((0, cut), (cut, rows)):
        part = forecasts(stop - start, 2)
        model.step(model.start(Instrument("okx_swap", "A")), ModelRows(*(c[start:stop] for c in shown)), part)
        parts.append(part.quantiles)
    np.testing.assert_array_equal(np.concatenate(parts), out.quantiles)


@pytest.mark.parametrize(
    ("kind", "changed", "line"),
    [
        ("ridge", {"offsets": np.zeros((2, 4))}, r"offsets: shape \(2, 4\); this model needs shape \(2, 5\)"),
        ("ridge", {"intercept": None}, "intercept: missing"),
        ("gbm", {}, "trees: 0 models; for horizons and quantiles 10"),
    ],
)
def test_numbers_that_are_not_the_kinds(kind: str, changed: dict[str, np.ndarray], line: str) -> None:
    arrays = {"coefficients": np.zeros((2, 2)), "intercept": np.zeros(2), "offsets": np.zeros((2, 5))}
    arrays |= {CALIBRATION: np.zeros((2, 1))} | changed
    there = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(TickwaxError, match=f"predict.model: .*{line}"):
        served(ModelFolder(Path(), card(kind=kind), there, ""), "predict.model")
