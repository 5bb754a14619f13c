"""Masks of dropout from a counter: which units are left out depends on what the row is, not on what came before.

Source: Gal & Ghahramani 2016, "Dropout as a Bayesian approximation", ICML; the generator is SplitMix64 (Steele, Lea &
Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA), whose k-th number is a function of seed and k.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from operators.models.jit import kernel
from sources.tape.batch import Float64s

UInt64s = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_ONE, _16, _27, _30, _31 = np.uint64(1), np.uint64(16), np.uint64(27), np.uint64(30), np.uint64(31)
_LOW = np.uint64(0xFFFF)
STEPS = 65536  # a rate is a number of these


def key_of(identity: str, instrument: str) -> int:
    """64 bits that belong to a model and an instrument."""
    return int.from_bytes(hashlib.sha256(f"{identity} {instrument}".encode()).digest()[:8], "little")


@kernel
def mixed(z: np.uint64) -> np.uint64:
    """SplitMix64's last step: neighbouring numbers become unlike each other."""
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@kernel
def mask(key: np.uint64, ordinal: int, sample: int, rate: int, out: Float64s, n: int) -> None:
    """The factors of n units: 0 with probability ``rate/65536``, else what keeps the mean at 1.

    Args:
        key: `key_of` model and instrument.
        ordinal: of the row.
        sample: number of the pass.
        rate: below `STEPS`.
        out: shape ``(≥ n,)``; n is a multiple of 4.
    """
    seed = mixed(mixed(key + _GOLDEN * np.uint64(ordinal)) + _GOLDEN * np.uint64(sample))
    kept = STEPS / (STEPS - rate)
    least = np.uint64(rate)
    for word in range(n // 4):
        bits = mixed(seed + _GOLDEN * (np.uint64(word) + _ONE))
        for part in range(4):
            out[4 * word + part] = 0.0 if (bits & _LOW) < least else kept
            bits >>= _16
