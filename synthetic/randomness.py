"""Random numbers of the synthetic market, the same on every machine."""

from hashlib import blake2b

import numpy as np

from synthetic.jit import kernel
from synthetic.state import UInt64s

# Independent random streams, so that e.g. latency never changes the order flow.
FLOW, REFERENCE, LATENCY = 0, 1, 2

_GAMMA, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S12, _S27, _S30, _S31 = np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31)


@kernel
def uniform(rng: UInt64s, stream: int) -> float:
    """Uniform on the open interval (0, 1): 52 bits of SplitMix64 (Steele, Lea & Flood 2014, fig. 14)."""
    z = rng[stream] + _GAMMA
    rng[stream] = z
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z = z ^ (z >> _S31)
    return (np.float64(z >> _S12) + 0.5) * 2.0**-52


@kernel
def exponential(rng: UInt64s, stream: int) -> float:
    """Exponential with mean 1, by comparisons alone (von Neumann 1951; Devroye 1986, IV.2)."""
    whole = 0.0
    while True:
        first = uniform(rng, stream)
        before = first
        odd = True  # whether the falling run that `first` begins has an odd length
        while True:
            value = uniform(rng, stream)
            if value > before:
                break
            before = value
            odd = not odd
        if odd:
            return whole + first
        whole += 1.0


def stream_seed(seed: int, what: object, stream: str) -> int:
    """64 bits that differ between seeds, instruments and streams."""
    return int.from_bytes(blake2b(f"{seed}|{what}|{stream}".encode(), digest_size=8).digest(), "little")
