"""Where the features of a tape restart: at a reset, and at a hole longer than ``max_hold`` (docs/features.md, 4.2)."""

import numpy as np

from sources.tape.batch import RESET, Int64s, TapeBatch, market_rows


class Restarts:
    """Finds restarts in the tape of one instrument, batch by batch."""

    def __init__(self, max_hold_ns: int) -> None:
        self._max_hold = max_hold_ns
        self._clock: int | None = None  # None: not known since the reset

    def find(self, batch: TapeBatch) -> Int64s:
        """Ordinals of the batch's rows at which the features restart: of resets, and of rows after a hole."""
        batch = market_rows(batch)
        resets = np.flatnonzero(batch.kind == RESET)
        found: list[Int64s] = []
        for start, stop in zip([0, *(resets + 1)], [*resets, batch.rows], strict=True):
            if start:
                found.append(batch.ordinal[start - 1 : start])
                self._clock = None
            if stop > start:
                ts = batch.exchange_ts[start:stop]
                clock = np.maximum.accumulate(np.append(ts[0] if self._clock is None else self._clock, ts))
                found.append(batch.ordinal[start:stop][np.diff(clock) > self._max_hold])
                self._clock = int(clock[-1])
        return np.concatenate(found) if found else np.empty(0, np.int64)
