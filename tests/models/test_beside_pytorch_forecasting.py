"""Blocks of the network beside pytorch-forecasting's, with the same weights: an optional job, for PyTorch is 3 GB.

``pip install torch pytorch-forecasting`` beside the development environment; without them the file is skipped. Theirs
is another reading of Lim et al. 2021 in two places, which each test names where it meets them:

- A residual of another length than the output is interpolated and normalised there; here, as in the paper's own code,
  it goes through an affine layer.
- The network that weighs variables is as narrow as their number there; here every layer has the network's width.
"""

from typing import Any

import numpy as np
import pytest

from operators.models.tft.attention import attend, reading
from operators.models.tft.products import padded
from operators.models.tft.residual import add_gated, gated_residual, room
from operators.models.tft.selection import select, variables
from operators.models.tft.weights import Attention, EachVariable, Gate, GatedResidual, Selection
from tests.models import tft_formulas as paper
from tests.models.test_tft_blocks import KINDS, D, flat

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_forecasting")

WITHIN = {"rtol": 0, "atol": 1e-5}


def theirs(name: str) -> Any:
    from pytorch_forecasting.models.temporal_fusion_transformer import sub_modules

    return getattr(sub_modules, name)


def put(layer: Any, weight: np.ndarray, offset: np.ndarray | None = None) -> None:
    """Give a layer of theirs its weights, a row for each output."""
    assert tuple(layer.weight.shape) == weight.shape
    layer.weight.data = torch.tensor(weight)
    if offset is not None:
        layer.bias.data = torch.tensor(offset)


def put_gate(module: Any, w: paper.Grn) -> None:
    """Their gate has the linear half first, ours (and the paper's) the sigmoid."""
    put(module.glu.fc, np.vstack([w.W5, w.W4]), np.concatenate([w.b5, w.b4]))
    put(module.add_norm.norm, w.gamma, w.beta)


def network(a: int, d: int, o: int, w: paper.Grn) -> Any:
    """Their gated residual network with our weights, in double precision."""
    module = theirs("GatedResidualNetwork")(a, d, o, dropout=None, context_size=None if w.W3 is None else len(w.W3))
    put(module.fc1, w.W2, w.b2)
    put(module.fc2, w.W1, w.b1)
    if w.W3 is not None:
        put(module.context, w.W3)
    put_gate(module.gate_norm, w)
    if w.skip is not None:  # the first difference: an affine layer in the place of interpolation
        module.resample_norm = torch.nn.Linear(a, o)
        put(module.resample_norm, *w.skip)
    return module.double()


def told(values: Any) -> np.ndarray:
    return np.asarray(values.detach().numpy())


@pytest.mark.parametrize("context", [False, True])
def test_gated_residual_network(context: bool) -> None:
    """Equations (2)–(5). The same where input and output are as long."""
    random = np.random.default_rng(context)
    w = paper.draw(random, D, D, D, context)
    x, c = random.normal(size=D), random.normal(size=D)
    wanted = told(network(D, D, D, w)(torch.tensor(x), torch.tensor(c) if context else None))

    weights, out = paper.as_weights(w, GatedResidual), np.zeros(D)
    gated_residual(out, D, x, D, c, flat(weights), D, room(D, D))
    np.testing.assert_allclose(out, wanted, **WITHIN)

    from learning.tft import blocks

    np.testing.assert_allclose(blocks.gated_residual(x, weights, c if context else None), wanted, **WITHIN)


def test_gate_and_norm() -> None:
    """Equations (17), (19) and (21). The same."""
    random = np.random.default_rng(2)
    w = paper.draw(random, D, D, D)
    x, skip = random.normal(size=D), random.normal(size=D)
    module = theirs("GateAddNorm")(D, dropout=None)
    put_gate(module, w)
    wanted = told(module.double()(torch.tensor(x), torch.tensor(skip)))

    whole = paper.as_weights(w, GatedResidual)
    weights, out = Gate(whole.gate, whole.norm), skip.copy()
    add_gated(out, D, x, D, *flat(weights), np.zeros(2 * D))
    np.testing.assert_allclose(out, wanted, **WITHIN)

    from learning.tft import blocks

    np.testing.assert_allclose(blocks.apply_gate(x, skip, weights), wanted, **WITHIN)


@pytest.mark.parametrize("m", [2, 5])
def test_variable_selection_network(m: int) -> None:
    """Equations (6)–(8), of m numbers with affine embeddings, which theirs calls prescalers. Both differences meet in
    the network that weighs: it is given our width, and an affine layer for its residual."""
    random = np.random.default_rng(m)
    weigh = paper.draw(random, m * D, D, m, context=True, skip=True)
    each = [paper.draw(random, D, D, D) for _ in range(m)]
    embeddings = [(random.normal(size=D), random.normal(size=D)) for _ in range(m)]
    x, c = random.normal(size=m), random.normal(size=D)
    names = [f"x{j}" for j in range(m)]
    module = theirs("VariableSelectionNetwork")(dict.fromkeys(names, D), D, dropout=None, context_size=D)
    module.flattened_grn = network(m * D, D, m, weigh)
    for name, w, (slope, offset) in zip(names, each, embeddings, strict=True):
        module.single_variable_grns[name] = network(D, D, D, w)
        put(module.prescalers[name], slope[:, None], offset)
    inputs = {name: torch.tensor(x[j : j + 1]) for j, name in enumerate(names)}
    wanted, shares = map(told, module.double()(inputs, torch.tensor(c)))

    weights = paper.folded(embeddings, weigh, each, (GatedResidual, EachVariable, Selection))
    out, work = np.zeros(D), variables(m, D)
    select(out, x, m, D, c, flat(weights), work)
    np.testing.assert_allclose(out, wanted, **WITHIN)
    np.testing.assert_allclose(work.shares[:m], shares[0], **WITHIN)

    from learning.tft import blocks

    trained, trained_shares = blocks.select(x, paper.folded(embeddings, weigh, each, KINDS), c)
    np.testing.assert_allclose(trained, wanted, **WITHIN)
    np.testing.assert_allclose(trained_shares, shares[0], **WITHIN)


def test_interpretable_attention() -> None:
    """Equations (13)–(16) for the newest row of a window. The same, with their offsets of queries, keys and values 0:
    the paper and ours have none."""
    random, heads, rows = np.random.default_rng(3), 2, 7
    each = D // heads
    WQ, WK = random.normal(size=(2, heads, D, each))
    WV, WH, theta = random.normal(size=(D, each)), random.normal(size=(each, D)), random.normal(size=(rows, D))
    module = theirs("InterpretableMultiHeadAttention")(heads, D)
    for layers, matrices in ((module.q_layers, WQ), (module.k_layers, WK), ([module.v_layer], [WV])):
        for layer, matrix in zip(layers, matrices, strict=True):
            put(layer, matrix.T, np.zeros(each))
    put(module.w_h, WH.T)
    seen = torch.tensor(theta)[None]
    found, attention = module.double()(seen[:, -1:], seen, seen)
    wanted, shares = told(found)[0, 0], told(attention)[0, 0].mean(axis=0)

    weights = Attention(np.hstack(list(WQ)), np.hstack(list(WK)), WV, WH)
    keys, values, work = np.zeros(D * padded(rows)), np.zeros(rows * padded(each)), reading(D, heads, rows)
    out = np.zeros(D)
    for row in range(rows):
        attend(out, theta[row], D, heads, rows, row, keys, values, flat(weights), work)
    np.testing.assert_allclose(out, wanted, **WITHIN)
    np.testing.assert_allclose(work.shares[:rows], shares, **WITHIN)

    from learning.tft import network as trained
    from operators.models.tft.weights import Size

    size = Size(columns=1, width=D, heads=heads, window=rows, horizons=1, venues=1, symbols=1)
    ours, _ = trained.attend(theta[None].astype(np.float32), np.ones((1, rows), bool), 1, weights, size)
    np.testing.assert_allclose(ours[0, 0], wanted, **WITHIN)
