"""Trains the network on rows of a data set, stretch after stretch, until rows held back say that it is enough.

A stretch is read with the ``window − 1`` rows before it, so the gradient reaches every row that its targets attend to.
The LSTM begins it with the state that the rows before left, as it is served: the states are computed anew after each
epoch (stored states with a stretch to warm up: Kapturowski et al. 2019, "Recurrent experience replay", ICLR).
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from learning.rows import Rows, TrainingRows
from learning.tft import checkpoint
from learning.tft.epochs import Verdict, batch_of, batches, judged, optimiser, remembered, trained
from learning.tft.network import TemporalFusion
from learning.tft.sequences import Sequences, sequences_of, stretches_of
from learning.work import Work
from operators.models.tft.dropout import STEPS
from operators.models.tft.serve import DROPOUT, SIZE, UNIT, Codes
from operators.models.tft.weights import Size, named
from sources.errors import TickwaxError

_QUIET = 10.0  # s between lines
FILE = "{}.safetensors"  # of a checkpoint, by the identity of what is trained
PHASES = ("day_sine", "day_cosine", "hour_sine", "hour_cosine")


@dataclass(frozen=True)
class Hyper:
    """What is chosen before training.

    Attributes:
        width: of every layer, a multiple of 4.
        heads: of attention; width is a multiple of them.
        window: rows that attention reaches, the newest included.
        stretch: targets that a gradient is made of, times ``batch``.
        batch: stretches at a time.
        epochs: at most so many.
        patience: epochs without a better loss on the rows held back after which it ends.
        rate: of learning (Adam).
        decay: of weights.
        dropout: share of units.
        mc_samples: passes with dropout when it is served; 0: no doubt is told.
        held: share of the rows, the newest, that decide when to stop.
    """

    width: int = 16
    heads: int = 4
    window: int = 100
    stretch: int = 200
    batch: int = 8
    epochs: int = 30
    patience: int = 5
    rate: float = 0.003
    decay: float = 0.01
    dropout: float = 0.1
    mc_samples: int = 16
    held: float = 0.15

    def __post_init__(self) -> None:
        if self.width % 4 or self.width % self.heads:
            raise TickwaxError(f"train.width: {self.width}; a multiple of 4 and of train.heads, {self.heads}")


class FittedNetwork(NamedTuple):
    """What was learned."""

    arrays: dict[str, npt.NDArray[Any]]  # for the model's folder
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    report: dict[str, Any]


def fit_network(rows: TrainingRows, train: Rows, hyper: Hyper, seed: int, work: Work | None = None) -> FittedNetwork:
    """The network that was best on the rows held back.

    The same rows, numbers and seed give the same weights on the same machine, also where a checkpoint was gone on from.

    Args:
        train: numbers of the rows to learn from, rising.

    Raises:
        TickwaxError: no row is left to train on.
        DiskFailure: a checkpoint cannot be written.
    """
    codes = Codes.of(tuple(map(str, rows.instruments)))
    data = sequences_of(rows, train, codes, hyper.held)
    columns, horizons = data.inputs.shape[1], data.targets.shape[1]
    kinds = (len(codes.venues) + 1, len(codes.symbols) + 1)
    size = Size(columns, hyper.width, hyper.heads, hyper.window, horizons, *kinds)
    best, verdict, history = _trained(data, size, hyper, seed, work or Work())
    arrays = {name: np.array(array) for name, array in named(best.weights).items()}
    for name, column in (("statics.venue", 0), ("statics.symbol", 1)):
        unseen = np.setdiff1d(np.arange(len(arrays[name])), data.code[data.weight > 0, column])
        arrays[name][unseen] = arrays[name][0]
    arrays |= {SIZE: np.array(size), UNIT: data.unit}
    arrays[DROPOUT] = np.array([hyper.mc_samples, round(hyper.dropout * STEPS)])
    report = {
        "epochs": history,
        "shares": dict(zip([*rows.columns, *PHASES], np.round(verdict.shares, 6).tolist(), strict=True)),
        "attention": np.round(verdict.attention, 6).tolist(),
    }
    return FittedNetwork(arrays, tuple(data.mean.tolist()), tuple(data.scale.tolist()), report)


def _identity(data: Sequences, size: Size, hyper: Hyper, seed: int) -> str:
    """What decides the weights: rows, sizes, numbers chosen, and the libraries."""
    sums = hashlib.sha256(json.dumps([size, asdict(hyper), seed, jax.__version__]).encode())
    for array in data:
        sums.update(np.ascontiguousarray(array).tobytes())
    return sums.hexdigest()


def _trained(
    data: Sequences, size: Size, hyper: Hyper, seed: int, work: Work
) -> tuple[TemporalFusion, Verdict, list[dict[str, float]]]:
    net = TemporalFusion.drawn(size, seed)
    state, best = optimiser(hyper.rate, hyper.decay).init(net), net
    history: list[dict[str, float]] = []
    identity = _identity(data, size, hyper, seed)
    file = None if work.checkpoints is None else work.checkpoints / FILE.format(identity[:16])
    if file is not None and (there := checkpoint.load(file, {"net": net, "best": best, "state": state}, identity)):
        net, best, state = (there.trees[name] for name in ("net", "best", "state"))
        history = there.history
        work.say(f"goes on after epoch {there.epoch} of {hyper.epochs}, from {file}")
    chosen_numbers = [jax.numpy.float32(number) for number in (hyper.dropout, hyper.rate, hyper.decay)]
    training = stretches_of(data.first, data.weight > 0, hyper.window, hyper.stretch)
    stopping = stretches_of(data.first, data.held > 0, hyper.window, hyper.stretch)
    memory = remembered(net, data)
    while len(history) < hyper.epochs and not _is_over(history, hyper.patience):
        epoch = len(history)
        random = np.random.default_rng([seed, epoch])
        keys = jax.random.fold_in(jax.random.key(seed), epoch)
        losses, began = [], time.monotonic()
        told = began
        numbers = list(batches(len(training.rows), hyper.batch, random.permutation(len(training.rows))))
        for at, chosen in enumerate(numbers):
            batch = batch_of(data, training, chosen, memory, data.weight, hyper.stretch, random)
            key = jax.random.fold_in(keys, at)
            net, state, loss = trained(net, state, batch, key, *chosen_numbers)
            losses.append(float(loss))
            now = time.monotonic()
            if now - told >= _QUIET:
                told = now
                left = (now - began) / (at + 1) * (len(numbers) * (hyper.epochs - epoch) - at - 1)
                work.say(f"epoch {epoch + 1} of {hyper.epochs}, batch {at + 1} of {len(numbers)}: {_span(left)} left")
        memory = remembered(net, data)
        verdict = judged(net, data, stopping, memory, hyper.batch, hyper.stretch)
        history.append({"training": round(float(np.mean(losses)), 9), "held": round(verdict.loss, 9)})
        if history[-1]["held"] < min((past["held"] for past in history[:-1]), default=np.inf):
            best = net
        if file is not None:
            trees = {"net": net, "best": best, "state": state}
            checkpoint.save(file, checkpoint.Standing(len(history), history, trees), identity)
        left = (time.monotonic() - began) * (hyper.epochs - epoch - 1)
        said = f"loss {history[-1]['training']:.5f}, {verdict.loss:.5f} on rows held back"
        work.say(f"epoch {epoch + 1} of {hyper.epochs}: {said}; at most {_span(left)} left")
    final = judged(best, data, stopping, remembered(best, data), hyper.batch, hyper.stretch)
    return best, final, history


def _is_over(history: list[dict[str, float]], patience: int) -> bool:
    held = [epoch["held"] for epoch in history]
    return bool(held) and len(held) - 1 - held.index(min(held)) >= patience


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def hyper_of(parameters: Any) -> Hyper:
    """From parameters by name, others left at their defaults."""
    return Hyper(**{field.name: parameters[field.name] for field in fields(Hyper) if field.name in parameters})
