"""Rows through the whole network, one after the other: the state is all that a row knows of those before."""

from typing import Any, NamedTuple

import numpy as np

from operators.models.jit import entry_kernel, kernel, rare_kernel
from operators.models.tft.attention import attend
from operators.models.tft.exponential import softmax
from operators.models.tft.head import LEVELS, doubt, judge
from operators.models.tft.lstm import remember
from operators.models.tft.phase import phases
from operators.models.tft.products import LANES
from operators.models.tft.residual import Room, apply_gate, gated_residual, room
from operators.models.tft.selection import select
from operators.models.tft.state import State, Work, new_work
from operators.models.tft.weights import KNOWN, STATIC, Size, Weights, kernel_weights, named, shapes
from operators.packed_arguments import unpacker
from sources.tape.batch import Float64s, Int64s

LIMIT = 10.0  # an input counts as at most so many standard deviations from the mean


class Model(NamedTuple):
    """A trained network as kernels have it."""

    size: Size
    mean: Float64s  # (columns,): of the training rows
    scale: Float64s  # (columns,)
    unit: Float64s  # (horizons,): log return that is 1 to the network
    samples: int  # passes with dropout; 0: none
    rate: int  # of dropout, in steps of 1/65536
    weights: Weights


class Seen(NamedTuple):
    """What a row's forecast was made of; without rows where nobody asks."""

    context: Float64s  # (rows, d)
    shares: Float64s  # (rows, columns + 4): how much each input counts, observed and known ones adding up to 1 each
    attention: Float64s  # (rows, window): how much each row counts, the newest first


_SIZE = Size(1, 4, 1, 1, 1, 1, 1)
_ZEROS = {name: np.zeros(shape) for name, shape in named(shapes(_SIZE)).items()}
_ONE = np.ones(1)
_model = unpacker(Model(_SIZE, _ONE, _ONE, _ONE, 1, 1, kernel_weights(_ZEROS, _SIZE)))
_work = unpacker(new_work(_SIZE))


@kernel
def _normalised(x: float, mean: float, scale: float) -> float:
    """An input as the network reads it; the mean where it is not known."""
    if x != x:
        return 0.0
    return min(max((x - mean) / scale, -LIMIT), LIMIT)


@kernel
def _row(model: Model, state: State, work: Work, ts: int, inputs: Float64s) -> None:
    """One row up to its quantiles, which are in ``work.judgement``; carries ``state`` on."""
    size, weights, at = model.size, model.weights, work.judgement
    d, m = size.width, size.columns
    for j in range(np.uint64(m)):
        work.inputs[j] = _normalised(inputs[j], model.mean[j], model.scale[j])
    phases(ts, work.known)
    for k in range(np.uint64(d)):
        work.selected[k] = 0.0
    select(work.selected, work.inputs, m, d, state.contexts[0], weights.observed, work.observed_variables)
    select(work.selected, work.known, KNOWN, d, state.contexts[0], weights.known, work.known_variables)
    remember(work.selected, state.memory[0], state.memory[1], d, weights.lstm, work.gates)
    for k in range(np.uint64(d)):
        at.recurrent[k] = work.selected[k]
    apply_gate(at.recurrent, state.memory[0], weights.recurrent, d, at.work.gates)
    gated_residual(at.enriched, d, at.recurrent, d, state.contexts[1], weights.enrich, d, at.work)
    attend(
        at.found, at.enriched, d, size.heads, size.window, state.seen[0], state.keys, state.values, weights.attention,
        work.reading,
    )  # fmt: skip
    judge(weights.head, d, size.horizons, False, at)


@entry_kernel
def step_rows(
    model_handle: Any, work_handle: Any, state: State, ts: Int64s, ordinal: Int64s, inputs: Float64s,
    quantiles: Float64s, epistemic: Float64s, seen: Seen,
) -> None:  # fmt: skip
    """Each row in turn.

    Args:
        model_handle, work_handle: of a `Model` and a `Work` (`operators.packed_arguments`).
        ts, ordinal: ``(rows,)``.
        inputs: ``(rows, columns)``, as the features have them.
        quantiles: ``(rows, horizons, 5)``, is filled with log returns, sorted.
        epistemic: ``(rows, horizons)``, is filled if the model has samples.
    """
    model, work = _model(model_handle), _work(work_handle)
    size, at = model.size, work.judgement
    for row in range(len(ts)):
        _row(model, state, work, ts[row], inputs[row])
        for h in range(size.horizons):
            for q in range(LEVELS):
                quantiles[row, h, q] = at.quantiles[LEVELS * h + q] * model.unit[h]
        if len(seen.context) > 0:
            _tell(model, state, work, row, seen)
        if model.samples > 0:
            doubt(
                model.weights.head, size.width, size.horizons, model.samples, model.rate, state.key[0], ordinal[row],
                at, epistemic[row],
            )  # fmt: skip
            for h in range(size.horizons):
                epistemic[row, h] *= model.unit[h]
        state.seen[0] += 1


@rare_kernel
def _tell(model: Model, state: State, work: Work, row: int, seen: Seen) -> None:
    """Write down what the row's forecast was made of."""
    size = model.size
    for k in range(size.width):
        seen.context[row, k] = work.judgement.context[k]
    for j in range(size.columns):
        seen.shares[row, j] = work.observed_variables.shares[j]
    for j in range(KNOWN):
        seen.shares[row, size.columns + j] = work.known_variables.shares[j]
    for age in range(size.window):
        slot = (state.seen[0] + size.window - age) % size.window
        seen.attention[row, age] = work.reading.shares[slot]


class StaticWork(NamedTuple):
    """What an instrument's contexts are computed in."""

    both: Float64s  # (2·d,): the embeddings
    one: Float64s  # (d,)
    shares: Float64s  # (4,)
    selected: Float64s  # (d,)
    result: Float64s  # (d,)
    work: Room


def new_static_work(size: Size) -> StaticWork:
    """Room for an instrument."""
    d = size.width
    return StaticWork(np.zeros(2 * d), np.zeros(d), np.zeros(LANES), np.zeros(d), np.zeros(d), room(d, d))


@entry_kernel
def start_state(model_handle: Any, venue: int, symbol: int, state: State, work: StaticWork) -> None:
    """Fill the contexts and the memory that an instrument begins with.

    Args:
        venue, symbol: their codes, 0 for one that training has not seen.
    """
    model = _model(model_handle)
    d, weights = model.size.width, model.weights.statics
    for k in range(d):
        work.both[k] = weights.venue[venue * d + k]
        work.both[d + k] = weights.symbol[symbol * d + k]
        work.selected[k] = 0.0
    gated_residual(work.shares, STATIC, work.both, 2 * d, work.both, weights.weigh, d, work.work)
    softmax(work.shares, STATIC)
    for j in range(STATIC):
        for k in range(d):
            work.one[k] = work.both[j * d + k]
        network = weights.of_venue if j == 0 else weights.of_symbol
        gated_residual(work.result, d, work.one, d, work.one, network, d, work.work)
        for k in range(d):
            work.selected[k] += work.shares[j] * work.result[k]
    selected = work.selected
    gated_residual(state.contexts[0], d, selected, d, selected, weights.select, d, work.work)
    gated_residual(state.contexts[1], d, selected, d, selected, weights.enrich, d, work.work)
    gated_residual(state.memory[0], d, selected, d, selected, weights.output, d, work.work)
    gated_residual(state.memory[1], d, selected, d, selected, weights.cell, d, work.work)
