"""Training of the network: what it can learn, what it may know, and that a kill costs nothing but time."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learning.ridge import fit_ridge
from learning.rows import TrainingRows
from learning.scores import pinball
from learning.tft.checkpoint import load
from learning.tft.epochs import Memory, batch_of, batches, optimiser, remembered, trained
from learning.tft.network import Stretch, TemporalFusion
from learning.tft.sequences import sequences_of, stretches_of
from learning.tft.training import Hyper, fit_network
from learning.training import Plan, train
from learning.work import Work
from operators.models.kinds import CALIBRATION, served
from operators.models.served import ModelRows, forecasts
from operators.models.tft.serve import Codes
from operators.models.tft.weights import Size, named
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import ModelFolder, read_model
from tests.models.folders import card
from tests.models.tft_models import model, network
from tests.models.tft_models import rows as shown_rows

# One set of sizes, so that JAX compiles once.
COLUMNS = 4
HYPER = Hyper(width=8, heads=2, window=8, stretch=64, batch=4, epochs=3, rate=0.01, decay=0.0, mc_samples=4)


def rows(n: int, seed: int = 0, groups: int = 1) -> TrainingRows:
    """Returns that depend on a product of two inputs, and so on no sum of theirs."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(n, COLUMNS))
    link = np.abs(inputs[:, 0]) * np.sign(inputs[:, 1])
    returns = np.stack([link + 0.3 * random.normal(size=n), random.normal(size=n)], axis=1) * 1e-4
    ts = 1_700_000_000_000_000_000 + np.arange(n) * 100_000_000
    group = np.sort(np.arange(n) % groups)
    return TrainingRows(
        tuple("abcd"), ("1s", "5s"), "0ms", {}, {}, (Instrument("venue", "X"),), np.zeros(n, np.int64), ts,
        ts + 500_000_000, np.arange(n), group, inputs, returns, np.ones(n),
    )  # fmt: skip


def test_a_gradient_reaches_every_row_of_the_window() -> None:
    """Through attention: what the LSTM has from a row is cut off, and the row still counts."""
    net, window = network(window=8), 8
    none = jnp.zeros((1, 16))

    def median(inputs: Any) -> Any:
        code, fresh = jnp.ones(1, int), jnp.ones(1, bool)
        stretch = Stretch(
            inputs, jnp.zeros((1, window, 4)), fresh[None].repeat(window, 1), code, code, none, none, fresh
        )
        weights = net.weights
        cut = weights._replace(lstm=weights.lstm.at[16:32].set(0).at[:, 16:32].set(0).at[-1, 16:32].set(-1e4))
        return TemporalFusion(cut, net.size)(stretch, 1).quantiles[0, 0, 0, 2]

    inputs = jnp.asarray(shown_rows(window).inputs, jnp.float32)[None]
    gradient = eqx.filter_jit(jax.grad(median))(inputs)
    assert (np.abs(gradient[0]).max(axis=1) > 1e-7).all()


@pytest.mark.soak
@pytest.mark.slow
def test_it_learns_64_rows_by_heart() -> None:
    data = sequences_of(rows(75), np.arange(75), Codes.of(("venue:X",)), 0.1)
    weight = (np.arange(75) < 64).astype(np.float32)
    where = stretches_of(data.first, weight > 0, HYPER.window, HYPER.stretch)
    net = TemporalFusion.drawn(Size(COLUMNS, 8, 2, HYPER.window, 2, 2, 2), 0)
    state = optimiser(0.0, 0.0).init(net)
    nothing = Memory(np.zeros((75, 8), np.float32), np.zeros((75, 8), np.float32))
    losses = []
    for step in range(160):
        batch = batch_of(data, where, next(batches(1, HYPER.batch)), nothing, weight, HYPER.stretch)
        rate = jnp.float32(0.02 if step < 130 else 0.003)
        net, state, loss = trained(net, state, batch, jax.random.key(step), jnp.float32(0), rate, jnp.float32(0))
        losses.append(float(loss))
    assert np.mean(losses[-20:]) < 0.2 * losses[0]


def served_on(found: Any, all_rows: TrainingRows, part: slice) -> np.ndarray:
    about = card(
        kind="tft", columns=all_rows.columns, mean=found.mean, scale=found.scale, instruments=("venue:X",),
        identity="0" * 64,
    )  # fmt: skip
    there = served(ModelFolder(Path(), about, found.arrays | {CALIBRATION: np.zeros((2, 1))}, ""))
    out = forecasts(len(all_rows), 2)
    there.step(there.start(all_rows.instruments[0]), ModelRows(all_rows.ts, all_rows.ordinal, all_rows.inputs), out)
    return out.quantiles[part]


@pytest.mark.soak
def test_it_beats_a_ridge_regression_on_a_link_that_is_not_linear_and_finds_its_inputs() -> None:
    all_rows, test = rows(2000), slice(1500, 2000)
    train = np.arange(1500)
    found = fit_network(all_rows, train, replace(HYPER, epochs=16, patience=16), 1)
    ridge = fit_ridge(all_rows, train, 0.01)
    z = (all_rows.inputs[test] - ridge.scaling.mean) / ridge.scaling.scale
    linear = (ridge.intercept + z @ ridge.coefficients.T)[:, :, None] + ridge.offsets
    own = served_on(found, all_rows, test)
    y = all_rows.returns[test]
    assert loss(y[:, 0], own[:, 0]) < 0.6 * loss(y[:, 0], linear[:, 0])
    assert loss(y[:, 1], own[:, 1]) < 1.1 * loss(y[:, 1], linear[:, 1])  # where there is nothing to learn
    shares = found.report["shares"]
    assert min(shares["a"], shares["b"]) > max(shares["c"], shares["d"])


def loss(y: np.ndarray, quantiles: np.ndarray) -> float:
    return float(np.mean(pinball(y, quantiles)))


class Killed(Exception):
    pass


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    all_rows, train = rows(700, groups=3), np.arange(700)
    whole = fit_network(all_rows, train, HYPER, 5)
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2"):
            raise Killed

    with pytest.raises(Killed):
        fit_network(all_rows, train, HYPER, 5, Work(tmp_path, say))
    (file,) = tmp_path.iterdir()
    again = fit_network(all_rows, train, HYPER, 5, Work(tmp_path, lines.append))
    assert lines[2] == f"goes on after epoch 2 of 3, from {file}"
    assert [line[:12] for line in lines] == ["epoch 1 of 3", "epoch 2 of 3", "goes on afte", "epoch 3 of 3"]
    assert again.report == whole.report
    for name, array in whole.arrays.items():
        assert array.tobytes() == again.arrays[name].tobytes(), name
    other = fit_network(all_rows, train, HYPER, 6, Work(tmp_path, lines.append))  # of another seed: not gone on from
    assert any((array != other.arrays[name]).any() for name, array in whole.arrays.items())

    data = file.read_bytes()
    like = {"net": np.zeros(3)}
    for damaged in (data[: len(data) // 2], b"", b"\x80\x04pickle" + data, data[:8] + b"{" + data[9:]):
        file.write_bytes(damaged)
        assert load(file, like, "whatever") is None


@pytest.mark.slow
def test_a_trained_network_is_a_folder_that_is_served(tmp_path: Path) -> None:
    all_rows, out = rows(900, seed=3), tmp_path / "model"
    lines: list[str] = []
    plan = Plan(kind="tft", holdout=0.1, calibration=0.15, seed=5, parameters=asdict(HYPER))
    report = train(all_rows, plan, out, say=lines.append)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]  # no checkpoint is left
    assert len(report["training"]["epochs"]) == HYPER.epochs
    assert len(report["training"]["attention"]) == HYPER.window
    assert abs(sum(report["training"]["attention"]) - 1) < 1e-4
    assert lines[-1].startswith("goes on after epoch 3 of 3")  # what was judged is what is written, trained once
    folder = read_model(out)
    assert folder.card.packages.keys() >= {"jax", "equinox", "optax"}
    there, found = served(folder), forecasts(100, 2)
    shown = ModelRows(all_rows.ts[:100], all_rows.ordinal[:100], all_rows.inputs[:100])
    there.step(there.start(all_rows.instruments[0]), shown, found)
    assert (np.diff(found.quantiles, axis=2) >= 0).all()
    assert (found.epistemic > 0).all()
    again = train(all_rows, plan, tmp_path / "again", say=lines.append)
    assert again["identity"] == report["identity"]


def test_nothing_is_known_of_rows_that_are_not_to_be_learned_from() -> None:
    """Rows left out, and inputs of rows that only decide when to stop, are as poisonous as one likes."""
    clean, codes = rows(300), Codes.of(("venue:X",))
    train = np.concatenate([np.arange(100), np.arange(120, 280)])
    poisoned = replace(clean, inputs=clean.inputs.copy(), returns=clean.returns.copy())
    data = sequences_of(clean, train, codes, 0.25)
    learned = np.flatnonzero(data.weight)
    others = np.setdiff1d(np.arange(300), train[learned])
    poisoned.inputs[others] = 1e9
    poisoned.returns[others] = 1e9
    bad = sequences_of(poisoned, train, codes, 0.25)
    for name in ("mean", "scale", "unit"):
        assert getattr(data, name).tobytes() == getattr(bad, name).tobytes()
    assert data.inputs[learned].tobytes() == bad.inputs[learned].tobytes()
    assert np.flatnonzero(data.first).tolist() == [0, 100]  # the hole ends a segment
    held = train[np.flatnonzero(data.held)]
    assert (clean.end[train[learned]] < clean.ts[held[0]]).all()
    assert len(held) == 65


def test_stretches_cover_every_row_once_and_reach_back_over_the_window() -> None:
    first = np.zeros(50, bool)
    first[[0, 17, 20]] = True
    where = stretches_of(first, np.ones(50, bool), window=4, length=8)
    targets = where.rows[:, 3:]
    assert sorted(targets[targets >= 0].tolist()) == list(range(50))
    segment = np.cumsum(first)
    for numbers, fresh in zip(where.rows, where.fresh, strict=True):
        there = numbers[numbers >= 0]
        assert (np.diff(there) == 1).all()
        assert len(set(segment[there])) == 1
        assert fresh == first[there[0]]
        start = numbers[3]
        assert (numbers[:3] >= 0).sum() == min(3, start - np.flatnonzero(first & (np.arange(50) <= start))[-1])
    few = stretches_of(first, np.arange(50) == 30, window=4, length=8)
    assert len(few.rows) == 1
    assert 30 in few.rows[0]


def test_the_state_that_a_stretch_begins_with_is_the_one_that_is_served() -> None:
    net, shown = network(), shown_rows(30)
    n = len(shown.ts)
    returns = np.random.default_rng(1).normal(size=(n, 2))
    all_rows = TrainingRows(
        tuple("abcde"), ("1s", "5s"), "0ms", {}, {}, (Instrument("two", "X"),), np.zeros(n, np.int64), shown.ts,
        shown.ts + 1, shown.ordinal, np.zeros(n, np.int64), shown.inputs, returns, np.ones(n),
    )  # fmt: skip
    data = sequences_of(all_rows, np.arange(n), Codes({"one": 1, "two": 2}, {"X": 1, "Y": 2}), 0.2)
    data = data._replace(inputs=((shown.inputs - 0.5) / 2).astype(np.float32))
    memory = remembered(net, data)
    serve = model(net)
    state = serve.start(Instrument("two", "X"))
    serve.step(state, shown, forecasts(n, 2))
    np.testing.assert_allclose(memory.output[-1], state.memory[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(memory.cell[-1], state.memory[1], rtol=0, atol=1e-5)


def test_sizes_that_do_not_fit_and_too_few_rows_are_said() -> None:
    with pytest.raises(TickwaxError, match=r"train\.width: 12; a multiple of 4 and of train\.heads, 8"):
        Hyper(width=12, heads=8)
    few = rows(5)
    with pytest.raises(TickwaxError, match=r"dataset\.path: no rows are left for training, after purging"):
        fit_network(few, np.arange(5), HYPER, 0)
    assert set(named(network().weights)) == set(named(network(1).weights))
