"""From attention to quantiles, equations (19)–(22) of Lim et al. 2021, and the passes with dropout."""

from typing import NamedTuple

import numpy as np

from operators.models.jit import kernel, rare_kernel
from operators.models.tft.dropout import mask
from operators.models.tft.products import affine, padded
from operators.models.tft.residual import Room, add_gated, apply_gate, inner_layers, room
from operators.models.tft.weights import Head
from sources.tape.batch import Float64s

PLACES = 3  # where dropout acts: on what attention found, on η_1 of (20), on ψ of (21)
LEVELS = 5  # quantiles of a horizon, the median in the middle
_MEDIAN = 2

_lanes = kernel(padded)


class Judgement(NamedTuple):
    """What the head works in."""

    found: Float64s  # (d,): what attention found
    enriched: Float64s  # (d,): θ
    recurrent: Float64s  # (d,): φ̃
    masked: Float64s  # (d,)
    middle: Float64s  # (d,): δ, then ψ
    context: Float64s  # (d,): ψ̃
    masks: Float64s  # (3·d,)
    quantiles: Float64s  # (padded horizons·5,)
    sums: Float64s  # (2·horizons,): of the medians' differences, and of their squares
    work: Room


def judgement(width: int, horizons: int) -> Judgement:
    """For so many horizons."""

    def layer() -> Float64s:
        return np.zeros(width)

    return Judgement(
        found=layer(),
        enriched=layer(),
        recurrent=layer(),
        masked=layer(),
        middle=layer(),
        context=layer(),
        masks=np.zeros(PLACES * width),
        quantiles=np.zeros(padded(LEVELS * horizons)),
        sums=np.zeros(2 * horizons),
        work=room(width, width),
    )


@rare_kernel
def judge(weights: Head, d: int, horizons: int, dropped: bool, at: Judgement) -> None:
    """Fill ``at.context`` and ``at.quantiles``, sorted within each horizon.

    Args:
        dropped: the layers are multiplied by ``at.masks``; else every unit is there.
    """
    masked, middle, context = at.masked, at.middle, at.context
    for k in range(np.uint64(d)):
        masked[k] = at.found[k] * at.masks[k] if dropped else at.found[k]
        middle[k] = at.enriched[k]
    apply_gate(middle, masked, weights.attended, d, at.work.gates)
    inner_layers(middle, d, middle, weights.position, d, at.work.hidden, at.work.inner)
    for k in range(np.uint64(d)):
        masked[k] = at.work.inner[k] * at.masks[np.uint64(d) + k] if dropped else at.work.inner[k]
    add_gated(middle, d, masked, d, weights.position.gate, weights.position.norm, at.work.gates)
    for k in range(np.uint64(d)):
        masked[k] = middle[k] * at.masks[np.uint64(2 * d) + k] if dropped else middle[k]
        context[k] = at.recurrent[k]
    apply_gate(context, masked, weights.final, d, at.work.gates)
    affine(at.quantiles, 0, context, 0, d, weights.quantiles, 0, _lanes(LEVELS * horizons))
    for h in range(horizons):
        _sort(at.quantiles, LEVELS * h)


@kernel
def _sort(x: Float64s, at: int) -> None:
    """Five numbers in rising order, by insertion."""
    for i in range(1, LEVELS):
        for j in range(i, 0, -1):
            low, high = x[at + j - 1], x[at + j]
            x[at + j - 1] = min(low, high)
            x[at + j] = max(low, high)


@rare_kernel
def doubt(
    weights: Head, d: int, horizons: int, samples: int, rate: int, key: np.uint64, ordinal: int, at: Judgement,
    out: Float64s,
) -> None:  # fmt: skip
    """Population standard deviation of the medians over passes with dropout.

    What stands before dropout, the recurrent part with its state and attention with its ring, is the same in all passes
    and done once: a pass is the head alone.

    Args:
        samples: passes, at least 1.
        rate: of dropout, in steps of 1/65536.
        key, ordinal: whose masks: `operators.models.tft.dropout`.
        out: shape ``(horizons,)``.
    """
    sums = at.sums
    for sample in range(samples):
        mask(key, ordinal, sample, rate, at.masks, PLACES * d)
        judge(weights, d, horizons, True, at)
        for h in range(horizons):
            median = at.quantiles[LEVELS * h + _MEDIAN]
            if sample == 0:
                out[h] = median  # differences to the first, so that squares do not cancel
                sums[2 * h] = 0.0
                sums[2 * h + 1] = 0.0
            off = median - out[h]
            sums[2 * h] += off
            sums[2 * h + 1] += off * off
    for h in range(horizons):
        mean = sums[2 * h] / samples
        out[h] = np.sqrt(max(sums[2 * h + 1] / samples - mean * mean, 0.0))
