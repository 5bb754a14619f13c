"""Each block of the network, kernel and JAX alike, against the formulas of the paper on weights made by hand."""

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.models.tft.attention import attend, reading
from operators.models.tft.dropout import STEPS, key_of, mask
from operators.models.tft.exponential import exponential
from operators.models.tft.lstm import remember
from operators.models.tft.phase import DAY, HOUR, phases
from operators.models.tft.products import LANES, add_product, padded
from operators.models.tft.residual import gated_residual, room
from operators.models.tft.selection import select, variables
from operators.models.tft.weights import Attention, EachVariable, GatedResidual, Selection
from tests.models import tft_formulas as paper

D = 8
KINDS = (GatedResidual, EachVariable, Selection)


def flat(weights: Any) -> Any:
    """As kernels have weights: in one dimension, rows padded."""
    parts = []
    for name, part in zip(weights._fields, weights, strict=True):
        if hasattr(part, "_fields"):
            parts.append(flat(part))
            continue
        halves = np.split(part, 2, axis=-1) if name == "gate" else [part]
        more = [(0, 0)] * (part.ndim - 1) + [(0, padded(halves[0].shape[-1]) - halves[0].shape[-1])]
        parts.append(np.concatenate([np.pad(half, more) for half in halves], axis=-1).ravel())
    return type(weights)(*parts)


@pytest.mark.parametrize(("a", "o", "context"), [(D, D, False), (D, D, True), (3, 5, True), (2 * D, 2, False)])
def test_gated_residual_network(a: int, o: int, context: bool) -> None:
    random = np.random.default_rng(a + o)
    network = paper.draw(random, a, D, o, context, skip=a != o)
    x, c = random.normal(size=a), random.normal(size=D)
    wanted = paper.grn(x, network, c)
    weights = paper.as_weights(network, GatedResidual)

    out = np.zeros(padded(o))
    gated_residual(out, o, x, a, c, flat(weights), D, room(D, max(o, D)))
    np.testing.assert_allclose(out[:o], wanted, rtol=0, atol=1e-13)

    from learning.tft import blocks

    np.testing.assert_allclose(blocks.gated_residual(x, weights, c if context else None), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("m", [1, 4, 7])
def test_selection_among_numbers_is_that_among_their_embeddings(m: int) -> None:
    random = np.random.default_rng(m)
    weigh = paper.draw(random, m * D, D, m, context=True, skip=True)
    each = [paper.draw(random, D, D, D) for _ in range(m)]
    embeddings = [(random.normal(size=D), random.normal(size=D)) for _ in range(m)]
    x, c = random.normal(size=m), random.normal(size=D)
    wanted, shares = paper.select(
        [e * number + b for (e, b), number in zip(embeddings, x, strict=True)], weigh, each, c
    )
    weights = paper.folded(embeddings, weigh, each, KINDS)

    out, work = np.zeros(D), variables(m, D)
    select(out, x, m, D, c, flat(weights), work)
    np.testing.assert_allclose(work.shares[:m], shares, rtol=0, atol=1e-13)
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-12)

    from learning.tft import blocks

    trained, trained_shares = blocks.select(x, weights, c)
    np.testing.assert_allclose(trained_shares, shares, rtol=0, atol=1e-5)
    np.testing.assert_allclose(trained, wanted, rtol=0, atol=1e-5)


def test_lstm() -> None:
    random = np.random.default_rng(1)
    W, U, b = random.normal(size=(4 * D, D)), random.normal(size=(4 * D, D)), random.normal(size=4 * D)
    weights = np.vstack([W.T, U.T, b])
    rows = random.normal(size=(5, D))
    wanted_h, wanted_c = np.zeros(D), np.zeros(D)
    h, c, gates = np.zeros(D), np.zeros(D), np.zeros(4 * D)
    for x in rows:
        wanted_h, wanted_c = paper.lstm(x, wanted_h, wanted_c, W, U, b)
        remember(x, h, c, D, weights.ravel(), gates)
        np.testing.assert_allclose((h, c), (wanted_h, wanted_c), rtol=0, atol=1e-13)

    from learning.tft import network

    outputs, _ = network.remember(rows[None], np.ones((1, 5), bool), (np.zeros((1, D)), np.zeros((1, D))), weights)
    np.testing.assert_allclose(outputs[0, -1], wanted_h, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window", [1, 3, 6])
def test_attention_over_a_ring_is_attention_over_the_last_rows(window: int) -> None:
    random, heads, rows = np.random.default_rng(window), 2, 10
    each = D // heads
    WQ, WK = random.normal(size=(2, heads, D, each))
    WV, WH, theta = random.normal(size=(D, each)), random.normal(size=(each, D)), random.normal(size=(rows, D))
    weights = Attention(np.hstack(list(WQ)), np.hstack(list(WK)), WV, WH)
    keys, values, work = np.zeros(D * padded(window)), np.zeros(window * padded(each)), reading(D, heads, window)
    out = np.zeros(D)
    for row in range(rows):
        wanted, shares = paper.attention(theta[max(0, row - window + 1) : row + 1], list(WQ), list(WK), WV, WH)
        attend(out, theta[row], D, heads, window, row, keys, values, flat(weights), work)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-12)
        by_age = [work.shares[(row - age) % window] for age in range(min(row + 1, window))]
        np.testing.assert_allclose(by_age, shares[::-1], rtol=0, atol=1e-13)


@given(st.floats(-700, 700))
@settings(max_examples=200, deadline=None)
def test_exponential_is_exact_to_two_units_of_the_last_place(x: float) -> None:
    assert abs(exponential(x) - math.exp(x)) <= 2 * math.ulp(math.exp(x))


def test_exponential_has_ends() -> None:
    assert exponential(0.0) == 1.0
    assert exponential(1e300) == exponential(700.0) < math.inf
    assert exponential(-math.inf) == exponential(-700.0) > 0.0


@given(st.integers(0, 4 * 10**18))
@settings(max_examples=200, deadline=None)
def test_phases_are_sine_and_cosine_of_day_and_hour(ts: int) -> None:
    out = np.zeros(4)
    phases(ts, out)
    day, hour = (math.tau * (ts % period) / period for period in (DAY, HOUR))
    np.testing.assert_allclose(out, [f(x) for x in (day, hour) for f in (math.sin, math.cos)], rtol=0, atol=1e-15)


@given(st.integers(1, 9), st.sampled_from([4, 12, 16, 20, 36]), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_products_are_sums_in_rising_order(n: int, columns: int, start: int) -> None:
    assert columns % LANES == 0
    random = np.random.default_rng(n)
    x, w, out = random.normal(size=start + n), random.normal(size=(n, columns)), random.normal(size=columns + 2)
    wanted = out.copy()
    for i in range(n):
        wanted[2:] += x[start + i] * w[i]
    add_product(out, 2, x, start, n, w.ravel(), 0, columns)
    np.testing.assert_array_equal(out, wanted)


def test_masks_depend_on_what_a_row_is_alone() -> None:
    key, n, rate = np.uint64(key_of("model", "venue:SYMBOL")), 48, STEPS // 10
    masks = np.zeros((2000, n))
    for ordinal in range(2000):
        mask(key, ordinal, 0, rate, masks[ordinal], n)
    kept = STEPS / (STEPS - rate)
    assert set(np.unique(masks)) == {0.0, kept}
    assert abs((masks == 0).mean() - rate / STEPS) < 4 * math.sqrt(0.09 / masks.size)  # four standard errors
    correlation = np.corrcoef(masks.T) - np.eye(n)
    assert np.abs(correlation).max() < 5 / math.sqrt(2000)  # no unit knows of another
    again = np.zeros(n)
    mask(key, 1234, 0, rate, again, n)
    np.testing.assert_array_equal(again, masks[1234])
    for other in ((key, 1234, 1), (np.uint64(key_of("model", "venue:OTHER")), 1234, 0)):
        mask(*other, rate, again, n)
        assert (again != masks[1234]).any()


_NETWORK = """
import hashlib
import numpy as np
from operators.models.tft.residual import gated_residual, room
from operators.models.tft.weights import GatedResidual
random = np.random.default_rng(3)
weights = GatedResidual(*(random.normal(size=n) for n in (13 * 16, 256, 17 * 16, 17 * 32, 13 * 16, 32)))
out, work = np.zeros(16), room(16, 16)
sums = hashlib.sha256()
for x in random.normal(size=(200, 28)):
    gated_residual(out, 16, x[:12].copy(), 12, x[12:].copy(), weights, 16, work)
    sums.update(out.tobytes())
print(sums.hexdigest())
"""


@pytest.mark.slow
def test_a_processor_without_wide_vectors_gives_the_same_bits() -> None:
    """No fused multiplication, two numbers at a time: exponential, products and normalisation do not notice."""
    sums = {
        subprocess.run(
            [sys.executable, "-c", _NETWORK], env=os.environ | changed, capture_output=True, text=True, check=True
        ).stdout
        for changed in ({}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""})
    }
    assert len(sums) == 1
    assert len(sums.pop()) == 65
