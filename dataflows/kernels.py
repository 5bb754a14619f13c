"""Readies the compiled kernels, and says so when that takes a while."""

import sys
from time import perf_counter

from operators.config import FeatureConfig
from operators.features import FeatureEngine
from operators.jit import is_cached
from sources.events import SNAPSHOT, tape_batch


def ready_kernels() -> None:
    """Load the kernels from the cache, or compile them: once per machine and version, announced on standard error."""
    if is_cached():
        return
    print("tickwax: compiling the kernels for this machine, once; about half a minute …", file=sys.stderr, flush=True)
    before = perf_counter()
    row = {"ordinal": [0], "exchange_ts": [0], "receive_ts": [0], "sequence": [0], "last": [True]}
    batch = tape_batch(**row, kind=[SNAPSHOT], side=[1], price=[1.0], size=[1.0])
    FeatureEngine(FeatureConfig()).process(batch)
    print(f"tickwax: compiled in {perf_counter() - before:.0f} s", file=sys.stderr, flush=True)
