"""Which worker a key lives on, so that a source reads just the instruments that its own worker computes.

Bytewax sends a keyed item to worker ``SipHash-1-3(key bytes + 0xFF, zero key) mod worker_count``: Rust's default hasher
on a string. Measured, not documented; if the rule changes, items travel between workers and results stay the same.
"""

SHARDS = 24  # what has recovery state is parted by them; 1, 2, 3, 4, 6, 8 and 12 workers divide them evenly

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
