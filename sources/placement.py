"""Which worker computes an instrument, so that a source reads just those of its own worker and nothing travels.

Bytewax sends a keyed item to worker ``SipHash-1-3(key bytes + 0xFF, zero key) mod worker_count``: Rust's default hasher
on a string. Measured, not documented; if the rule changes, items travel between workers and results stay the same.

To deal instruments by their weight, an item is keyed by a text that begins with its instrument and ends in whatever
makes the hash come out at the wanted worker.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

from sources.instrument import Instrument

SHARDS = 24  # what has recovery state is parted by them; 1, 2, 3, 4, 6, 8 and 12 workers divide them evenly

_MARK = "%"  # in no instrument's name
_MASK = (1 << 64) - 1


def _rotate(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (64 - bits))) & _MASK


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotate(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotate(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotate(v1, 17) ^ v2
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


def siphash13(data: bytes) -> int:
    """SipHash-1-3 of ``data`` under the zero key, 64 bits (Aumasson & Bernstein 2012, section 2)."""
    v0, v1, v2, v3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    whole = len(data) - len(data) % 8
    words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def key_hash(key: str) -> int:
    """The hash of a key, 64 bits, whose remainder by the number of workers is the index of its own."""
    return siphash13(key.encode() + b"\xff")


def home_worker(key: str, workers: int) -> int:
    """Index of the worker that ``key`` lives on, of ``workers``."""
    return key_hash(key) % workers


def shard(key: str) -> int:
    """Which of the `SHARDS` a key belongs to, whatever the number of workers.

    Bytewax deals partitions that every worker lists out in turn, so that shard n lives on worker ``n mod workers``:
    where the number of workers divides that of shards, the one that its keys live on.
    """
    return key_hash(key) % SHARDS


def shard_names() -> list[str]:
    """The shards as Bytewax's partitions, which it sorts by name."""
    return [f"{n:02d}" for n in range(SHARDS)]


class Placement:
    """Which worker computes an instrument; the same answer in every process that is given the same weights.

    State that is kept for a resumption is kept by key, and these keys change with the number of workers: a resumable
    run goes by the hash of plain names, `BY_HASH`.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        """``weights``: expected work, in any unit, by ``venue:SYMBOL``; others go by the hash of their name."""
        self.weights = dict(weights)
        self._homes: dict[int, dict[str, int]] = {}  # by number of workers
        self._routes: dict[tuple[Instrument, int], str] = {}

    def home(self, instrument: Instrument, workers: int) -> int:
        """Index of the worker, of ``workers``."""
        if workers not in self._homes:
            self._homes[workers] = dealt(self.weights, workers)
        key = str(instrument)
        home = self._homes[workers].get(key)
        return home_worker(key, workers) if home is None else home

    def route(self, instrument: Instrument, workers: int) -> str:
        """The key that brings an item of the instrument to its home."""
        known = self._routes.get((instrument, workers))
        if known is None:
            known = self._routes[instrument, workers] = self._find_route(instrument, workers)
        return known

    def _find_route(self, instrument: Instrument, workers: int) -> str:
        key, home = str(instrument), self.home(instrument, workers)
        if home_worker(key, workers) == home:
            return key
        return next(route for n in count() if home_worker(route := f"{key}{_MARK}{n}", workers) == home)


BY_HASH = Placement({})


def plain(route: str) -> str:
    """The ``venue:SYMBOL`` of a `Placement.route`."""
    return route.partition(_MARK)[0]


def dealt(weights: Mapping[str, int], workers: int) -> dict[str, int]:
    """The heaviest first, each to the worker that has least so far: Graham 1969, at most 4/3 of the best there is."""
    loads = [0] * workers
    homes: dict[str, int] = {}
    for key, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        homes[key] = loads.index(min(loads))
        loads[homes[key]] += weight
    return homes


@dataclass(frozen=True)
class Share:
    """What one process of a cluster computes; the same `placement` in all of them."""

    placement: Placement
    has: Callable[[Instrument], bool]
