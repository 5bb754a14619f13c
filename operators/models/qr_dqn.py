"""A QR-DQN network, served: an observation in, the quantiles of each action's return and a choice out (docs/acting.md).

Source: Dabney, Rowland, Bellemare & Munos 2018, "Distributional Reinforcement Learning with Quantile Regression".
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.arguments import as_array, as_count, as_number
from operators.models.jit import entry_kernel, kernel
from sources.tape.batch import Float64s, Int64s


class Network(NamedTuple):
    """Layers one after the other, ReLU between them, and the scale of what they say."""

    sizes: Int64s  # (layers + 1,): numbers that go into each layer, and that come out of the last
    weights: Float64s  # of each layer (inputs, outputs), row after row
    bias: Float64s  # of each layer (outputs,)
    scale: Float64s  # (2,): a value is scale[0] + scale[1] · what the last layer says


@kernel
def said(net: Network, observation: Float64s, room: Float64s, live: Int64s, out: Float64s) -> None:
    """Fill ``out`` with the quantiles of each action's return, rising.

    Of every number the terms are added in the order of the inputs, for one observation as for many.

    Args:
        observation: shape ``(inputs,)``.
        room: shape ``(2, widest layer)``; ``live``: room for the numbers of inputs that are not 0, ``(widest layer,)``.
        out: shape ``(actions, N)``.
    """
    layers = len(net.sizes) - 1
    weight, bias = 0, 0
    for i in range(net.sizes[0]):
        room[0, i] = observation[i]
    for layer in range(layers):
        before, after = layer % 2, 1 - layer % 2
        inputs, outputs = net.sizes[layer], net.sizes[layer + 1]
        own, to = net.weights[weight : weight + inputs * outputs], room[after, :outputs]
        for j in range(outputs):
            to[j] = net.bias[bias + j]
        n = 0
        for i in range(inputs):
            if room[before, i] != 0.0:  # half of what comes out of a ReLU is 0
                live[n] = i
                n += 1
        k = 0
        while k + 4 <= n:  # four inputs at a time: the sums are read and written once for all of them
            a, b, c, d = live[k], live[k + 1], live[k + 2], live[k + 3]
            x, y, z, u = room[before, a], room[before, b], room[before, c], room[before, d]
            by_a, by_b = own[a * outputs : (a + 1) * outputs], own[b * outputs : (b + 1) * outputs]
            by_c, by_d = own[c * outputs : (c + 1) * outputs], own[d * outputs : (d + 1) * outputs]
            for j in range(outputs):
                to[j] = to[j] + x * by_a[j] + y * by_b[j] + z * by_c[j] + u * by_d[j]
            k += 4
        while k < n:
            a = live[k]
            x, by_a = room[before, a], own[a * outputs : (a + 1) * outputs]
            for j in range(outputs):
                to[j] += x * by_a[j]
            k += 1
        weight += inputs * outputs
        bias += outputs
        if layer < layers - 1:
            for j in range(outputs):
                to[j] = max(to[j], 0.0)
    last, n = layers % 2, out.shape[1]
    for a in range(out.shape[0]):
        for k in range(n):
            value = net.scale[0] + net.scale[1] * room[last, a * n + k]
            at = k
            while at > 0 and out[a, at - 1] > value:  # a trained network's are nearly in order
                out[a, at] = out[a, at - 1]
                at -= 1
            out[a, at] = value


@kernel
def tail_mean(quantiles: Float64s, action: int, share: float) -> float:
    """Mean of an action's lowest ``share`` of returns; the last quantile counts for the part of it that is left."""
    n = quantiles.shape[1]
    total, k = 0.0, 0
    while k < n and share * n - k > 0.0:
        total += min(share * n - k, 1.0) * quantiles[action, k]
        k += 1
    return total / (share * n)


@kernel
def best(quantiles: Float64s, share: float) -> int:
    """The action with the highest `tail_mean`, the first of equals."""
    chosen, highest = 0, tail_mean(quantiles, 0, share)
    for action in range(1, quantiles.shape[0]):
        value = tail_mean(quantiles, action, share)
        if value > highest:
            chosen, highest = action, value
    return chosen


@entry_kernel
def decide(
    net: Network, observations: Float64s, share: float, room: Float64s, live: Int64s, quantiles: Float64s,
    actions: Int64s,
) -> None:  # fmt: skip
    """Fill ``quantiles``, shape ``(rows, actions, N)``, and ``actions``, shape ``(rows,)``, row by row."""
    for r in range(len(observations)):
        said(net, observations[r], room, live, quantiles[r])
        actions[r] = best(quantiles[r], share)


class QuantilePolicy:
    """Decides as a trained `learning.qr_dqn.QRDQN` does, without what it was trained with; an observation has the same
    bits alone as among others.

    Attributes:
        inputs, actions, n_quantiles: of the network.
        first_action: what the environment calls the first action.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], actions: int, first_action: int = 0) -> None:
        """Args:
        arrays: of ``weights.safetensors``: ``layer.{i}.weights`` (inputs, outputs), ``layer.{i}.bias``, ``scale.mean``
            and ``scale.deviation``.
        actions: how many there are.

        Raises:
            ValueError: an array is missing, not finite, or does not fit the others.
        """
        self.actions, self.first_action = as_count("actions", actions, 1), first_action
        sizes: list[int] = []
        weights: list[Float64s] = []
        bias: list[Float64s] = []
        while f"layer.{len(weights)}.weights" in arrays:
            name = f"layer.{len(weights)}."
            weight, shift = as_array(name + "weights", arrays[name + "weights"], 2), _array(arrays, name + "bias")
            if weight.shape[1] != len(shift) or not weight.size or (sizes and weight.shape[0] != sizes[-1]):
                raise ValueError(f"{name}weights: shape {weight.shape} does not fit the layer before it, or its bias")
            sizes += [*weight.shape] if not sizes else [weight.shape[1]]
            weights.append(weight.ravel())
            bias.append(shift)
        if not weights:
            raise ValueError("layer.0.weights: missing; this is no network")
        self.inputs, self.n_quantiles = sizes[0], sizes[-1] // self.actions
        if self.n_quantiles * self.actions != sizes[-1]:
            raise ValueError(f"actions: {actions} do not share {sizes[-1]} quantiles evenly")
        scale = np.array([_number(arrays, f"scale.{name}") for name in ("mean", "deviation")])
        self._net = Network(np.array(sizes), np.concatenate(weights), np.concatenate(bias), scale)
        self._room, self._live = np.empty((2, max(sizes))), np.empty(max(sizes), np.int64)

    def quantiles(self, observations: npt.ArrayLike) -> Float64s:
        """Quantiles of returns, rising, the i-th at ``(i + ½)/N``.

        Args:
            observations: shape ``(rows, inputs)``, or ``(inputs,)``.

        Returns:
            Shape ``(rows, actions, N)``, or ``(actions, N)``.

        Raises:
            ValueError: another shape, or not finite numbers.
        """
        return self._decided(observations, 1.0)[0]

    def act(self, observations: npt.ArrayLike, cvar: float = 1.0) -> Any:
        """Actions with the best mean of their lowest returns.

        Args:
            observations: shape ``(rows, inputs)``, or ``(inputs,)``.
            cvar: share of returns that count, the lowest; 1: all, the mean.

        Returns:
            Shape ``(rows,)``, int64; or one action.

        Raises:
            ValueError: as of `quantiles`, or ``cvar`` is outside 0 (excluded) to 1.
        """
        share = as_number("cvar", cvar)
        if not 0 < share <= 1:
            raise ValueError(f"cvar: {cvar} is outside 0 (excluded) to 1")
        return self._decided(observations, share)[1]

    def _decided(self, observations: npt.ArrayLike, share: float) -> tuple[Float64s, Any]:
        one = np.ndim(observations) == 1
        rows = as_array("observations", np.atleast_2d(np.asarray(observations)), 2)
        if rows.shape[1] != self.inputs:
            raise ValueError(f"observations: have {rows.shape[1]} numbers each; the network's have {self.inputs}")
        quantiles = np.empty((len(rows), self.actions, self.n_quantiles))
        actions = np.empty(len(rows), np.int64)
        decide(self._net, rows, share, self._room, self._live, quantiles, actions)
        actions += self.first_action
        return (quantiles[0], int(actions[0])) if one else (quantiles, actions)


def _array(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Float64s:
    if name not in arrays:
        raise ValueError(f"{name}: missing; this is no network")
    return as_array(name, arrays[name])


def _number(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> float:
    if name not in arrays:
        raise ValueError(f"{name}: missing; this is no network")
    return as_number(name, arrays[name])
