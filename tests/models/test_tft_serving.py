"""The network as a run serves it: what JAX says, to the bit the same for any split."""

import re
from itertools import pairwise

import equinox as eqx
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from learning.tft.network import Stretch
from operators.models import state_bytes
from operators.models.kinds import served
from operators.models.served import Forecasts, ModelRows, forecasts
from operators.models.tft.phase import phases
from sources.errors import TickwaxError
from sources.instrument import Instrument
from tests.models.tft_models import folder, model, network, rows

ROWS = 40
KNOWN, UNKNOWN = Instrument("two", "X"), Instrument("three", "Z")


def part(all_rows: ModelRows, start: int, stop: int) -> ModelRows:
    return ModelRows(*(array[start:stop] for array in all_rows))


@pytest.mark.parametrize(("instrument", "codes"), [(KNOWN, (2, 1)), (UNKNOWN, (0, 0))])
def test_serving_says_what_training_says(instrument: Instrument, codes: tuple[int, int]) -> None:
    net, shown = network(), rows(ROWS)
    serve, out = model(net), forecasts(ROWS, 2)
    shown.inputs[3, 1] = np.nan
    shown.inputs[4, 2] = 1e9
    seen = serve.tell(serve.start(instrument), shown, out)

    known = np.zeros((ROWS, 4))
    for at, ts in enumerate(shown.ts):
        phases(int(ts), known[at])
    inputs = np.clip(np.nan_to_num((shown.inputs - 0.5) / 2.0), -10, 10)
    none, fresh = jnp.zeros((1, 16)), jnp.ones(1, bool)
    venue, symbol = (jnp.array([code]) for code in codes)
    read = (jnp.float32(inputs)[None], jnp.float32(known)[None], jnp.ones((1, ROWS), bool))
    stretch = Stretch(*read, venue, symbol, none, none, fresh)
    told = eqx.filter_jit(net)(stretch, ROWS)
    wanted = np.sort(told.quantiles[0], axis=-1) * np.array([1e-4, 2e-4])[:, None]
    np.testing.assert_allclose(out.quantiles / 1e-4, wanted / 1e-4, rtol=0, atol=1e-5)
    np.testing.assert_allclose(seen.context, told.context[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(seen.shares, told.shares[0], rtol=0, atol=1e-5)
    for row in range(ROWS):
        by_age = np.asarray(told.attention[0, row, max(0, row - 7) : row + 1])[::-1]
        np.testing.assert_allclose(seen.attention[row, : len(by_age)], by_age, rtol=0, atol=1e-5)
        assert not seen.attention[row, len(by_age) :].any()


@pytest.mark.parametrize("cuts", [range(1, ROWS), (1, 9), (17,), (8, 16, 24)])
def test_any_split_gives_the_same_bits(cuts: range | tuple[int, ...]) -> None:
    """Row by row, through a snapshot at every cut, and with another instrument in between."""
    serve, shown = model(network()), rows(ROWS)
    whole, parts, other = (forecasts(ROWS, 2) for _ in range(3))
    serve.step(serve.start(KNOWN), shown, whole)
    state, between = serve.start(KNOWN), serve.start(UNKNOWN)
    for start, stop in pairwise([0, *cuts, ROWS]):
        data = state_bytes.dump(state, serve.head.identity)
        state = state_bytes.load(data, serve.start(KNOWN), serve.head.identity)
        serve.step(state, part(shown, start, stop), Forecasts(*(array[start:stop] for array in parts)))
        serve.step(between, part(shown, start, stop), Forecasts(*(array[start:stop] for array in other)))
    assert whole.quantiles.tobytes() == parts.quantiles.tobytes()
    assert whole.epistemic.tobytes() == parts.epistemic.tobytes()
    assert (whole.quantiles != other.quantiles).any()
    assert (np.diff(whole.quantiles, axis=2) >= 0).all()


def test_doubt_is_the_spread_of_passes_and_changes_no_forecast() -> None:
    net, shown = network(), rows(ROWS)
    found = {samples: forecasts(ROWS, 2) for samples in (0, 1, 4, 64)}
    for samples, out in found.items():
        serve = model(net, samples)
        serve.step(serve.start(KNOWN), shown, out)
        np.testing.assert_array_equal(out.quantiles, found[0].quantiles)
    assert np.isnan(found[0].epistemic).all()
    assert (found[1].epistemic == 0).all()  # one pass has no spread
    assert (found[4].epistemic > 0).all()
    ratio = found[4].epistemic.mean() / found[64].epistemic.mean()
    assert 0.6 < ratio < 1.1  # of 4 passes a little less


def test_a_forecast_knows_the_window_and_what_the_lstm_remembers() -> None:
    """A row beyond the window still counts through the recurrent state; one after it never does."""
    serve, shown = model(network()), rows(ROWS)
    out = [forecasts(ROWS, 2) for _ in range(2)]
    serve.step(serve.start(KNOWN), shown, out[0])
    shown.inputs[20] += 1.0
    serve.step(serve.start(KNOWN), shown, out[1])
    changed = (out[0].quantiles != out[1].quantiles).any(axis=(1, 2))
    assert not changed[:20].any()
    assert changed[20:].all()


@pytest.mark.parametrize(
    ("name", "array", "text"),
    [
        ("size", np.array([5, 16, 4, 8, 2, 3]), "size: shape (6,); (7,) is needed"),
        ("size", np.array([5, 18, 3, 8, 2, 3, 3]), "size: width is 18; a multiple of 4 and of heads, 3"),
        ("size", np.array([5, 16, 4, 10**9, 2, 3, 3]), "size: window is 1000000000; 1 to 10,000"),
        ("size", np.array([5, 16, 4, 8, 2, 4, 3]), "horizons, venues and symbols of the card are (5, 2, 3, 3)"),
        ("dropout", np.array([4, 65536]), "dropout: 4, 65536; up to 1024 passes, a rate below 65536"),
        ("lstm", np.zeros((33, 60)), "lstm: shape (33, 60); (33, 64) is that of the model's sizes"),
        ("unit", np.zeros(3), "unit: shape (3,); (2,) is needed"),
    ],
)  # fmt: skip
def test_a_folder_whose_numbers_do_not_fit_is_refused(name: str, array: np.ndarray, text: str) -> None:
    bad = folder(network())
    bad.arrays[name] = array
    with pytest.raises(TickwaxError, match=re.escape(text)):
        served(bad)


def test_a_folder_without_an_array_or_without_scaling_is_refused() -> None:
    bad = folder(network())
    del bad.arrays["head.quantiles"]
    with pytest.raises(TickwaxError, match=r"model: model: head\.quantiles: missing"):
        served(bad)
    whole = folder(network())
    with pytest.raises(TickwaxError, match="mean: 0 of 5 columns"):
        served(whole._replace(card=msgspec.structs.replace(whole.card, mean=(), scale=())))
    assert served(whole).head.kind == "tft"
