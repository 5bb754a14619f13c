"""The weights of a Temporal Fusion Transformer: what they are called, their shapes, and how kernels have them.

Training and serving have one layout. A matrix has a row for each input and after them, where there is one, a row of
offsets; a *gate* has the columns of equation (5)'s ``W_4`` and then those of ``W_5``; a *norm* has scales and shifts.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import numpy.typing as npt

from operators.models.served import QUANTILES
from operators.models.tft.products import padded

Array = Any  # shape as said; training has arrays of JAX, kernels flat ones of doubles: `kernel_weights`

KNOWN = 4  # inputs that are known at any time: `operators.models.tft.phase`
STATIC = 2  # venue and symbol


class Size(NamedTuple):
    """Numbers that decide every shape."""

    columns: int  # observed inputs
    width: int  # of every layer, d: a multiple of 4 and of heads
    heads: int
    window: int  # rows that attention reaches, the newest included
    horizons: int
    venues: int  # codes; 0 is for those that training has not seen
    symbols: int


class GatedResidual(NamedTuple):
    """A gated residual network from a inputs to o outputs, equations (2)–(5)."""

    hidden: Array  # (a + 1, d): W_2, b_2
    context: Array  # (d, d): W_3; (0, d) without a context
    inner: Array  # (d + 1, d): W_1, b_1
    gate: Array  # (d + 1, 2·o): W_4, b_4 | W_5, b_5
    skip: Array  # (a + 1, o), the input made as long as the output; (0, o) where it is already
    norm: Array  # (2, o)


class Gate(NamedTuple):
    """``LayerNorm(skip + GLU(x))``, equations (17), (19) and (21)."""

    gate: Array  # (d + 1, 2·d)
    norm: Array  # (2, d)


class EachVariable(NamedTuple):
    """The gated residual networks of m variables that are one number each, equation (7).

    The embedding of a number is affine, so ``W_2 ξ + b_2`` and the skipped ξ are affine in the number itself.
    """

    hidden: Array  # (2, m, d): slope, offset
    inner: Array  # (m, d + 1, d)
    gate: Array  # (m, d + 1, 2·d)
    skip: Array  # (2, m, d): slope, offset: the embedding ξ
    norm: Array  # (m, 2, d)


class Selection(NamedTuple):
    """Variable selection among m numbers, equations (6)–(8).

    ``weigh`` reads the numbers in place of their embeddings Ξ, of which it would only take affine functions.
    """

    weigh: GatedResidual  # m to m, with the context c_s
    each: EachVariable


class Statics(NamedTuple):
    """What is known of an instrument: embeddings, their selection, and the four contexts of §4.2."""

    venue: Array  # (venues, d)
    symbol: Array  # (symbols, d)
    weigh: GatedResidual  # 2·d to 2
    of_venue: GatedResidual  # d to d
    of_symbol: GatedResidual  # d to d
    select: GatedResidual  # d to d: c_s
    enrich: GatedResidual  # d to d: c_e
    cell: GatedResidual  # d to d: c_c, the LSTM's first cell
    output: GatedResidual  # d to d: c_h, its first output


class Attention(NamedTuple):
    """Interpretable multi-head attention, equations (13)–(16): keys of each head, values of all."""

    query: Array  # (d, d): the heads' columns one after the other
    key: Array  # (d, d)
    value: Array  # (d, d/heads)
    merge: Array  # (d/heads, d): W_H


class Head(NamedTuple):
    """What follows attention, equations (19)–(22): the part that dropout acts on."""

    attended: Gate  # (19)
    position: GatedResidual  # (20), d to d
    final: Gate  # (21)
    quantiles: Array  # (d + 1, horizons·5): (22)


class Weights(NamedTuple):
    """All of them."""

    statics: Statics
    observed: Selection
    known: Selection
    lstm: Array  # (2·d + 1, 4·d): input and last output; gates input, forget, cell, output
    recurrent: Gate  # (17)
    enrich: GatedResidual  # (18), d to d, with the context c_e
    attention: Attention
    head: Head


def shapes(size: Size) -> Weights:
    """The shape of each array, in its place."""
    d, m = size.width, size.columns

    def residual(a: int, o: int, context: bool = False) -> GatedResidual:
        skip = 0 if a == o else a + 1
        return GatedResidual((a + 1, d), (d if context else 0, d), (d + 1, d), (d + 1, 2 * o), (skip, o), (2, o))

    def selection(m: int) -> Selection:
        each = EachVariable((2, m, d), (m, d + 1, d), (m, d + 1, 2 * d), (2, m, d), (m, 2, d))
        weigh = GatedResidual((m + 1, d), (d, d), (d + 1, d), (d + 1, 2 * m), (m + 1, m), (2, m))
        return Selection(weigh, each)

    gate, values = Gate((d + 1, 2 * d), (2, d)), d // size.heads
    same = residual(d, d)
    statics = Statics((size.venues, d), (size.symbols, d), residual(2 * d, 2), *[same] * 6)
    return Weights(
        statics,
        selection(m),
        selection(KNOWN),
        (2 * d + 1, 4 * d),
        gate,
        residual(d, d, context=True),
        Attention((d, d), (d, d), (d, values), (values, d)),
        Head(gate, same, gate, (d + 1, size.horizons * len(QUANTILES))),
    )


def named(weights: Any, prefix: str = "") -> dict[str, Any]:
    """The arrays by name, such as ``observed.weigh.hidden``."""
    out: dict[str, Any] = {}
    for field in weights._fields:
        part = getattr(weights, field)
        out |= named(part, f"{prefix}{field}.") if hasattr(part, "_fields") else {prefix + field: part}
    return out


def from_named(arrays: Mapping[str, Any], kind: type = Weights, prefix: str = "") -> Any:
    """The reverse of `named`.

    Raises:
        KeyError: an array is missing.
    """
    parts = []
    for field, form in get_type_hints(kind).items():
        inner = isinstance(form, type) and hasattr(form, "_fields")
        parts.append(from_named(arrays, form, f"{prefix}{field}.") if inner else arrays[prefix + field])
    return kind(*parts)


def kernel_weights(arrays: Mapping[str, npt.NDArray[Any]], size: Size) -> Weights:
    """The arrays of a file as kernels have them: doubles in one dimension, rows padded to whole vectors with zeros.

    Raises:
        ValueError: an array is missing, or of another shape.
    """
    out: dict[str, npt.NDArray[np.float64]] = {}
    for name, shape in named(shapes(size)).items():
        if name not in arrays:
            raise ValueError(f"{name}: missing")
        array = np.asarray(arrays[name], np.float64)
        if array.shape != shape:
            raise ValueError(f"{name}: shape {array.shape}; {shape} is that of the model's sizes")
        halves = np.split(array, 2, axis=-1) if name.endswith(".gate") else [array]
        out[name] = np.concatenate([_with_whole_rows(half) for half in halves], axis=-1).ravel()
    weights: Weights = from_named(out)
    return weights


def _with_whole_rows(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    more = padded(array.shape[-1]) - array.shape[-1]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, more)])
