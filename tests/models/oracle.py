"""Forecasts once more, from their definition alone: by brute force over all rows."""

import math
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    ts: int
    mid: float
    quantiles: list[list[float]] | None  # by horizon; None: the row is cold
    restarts: bool


def wider(scores: list[float], level: float) -> float:
    rank = math.ceil((len(scores) + 1) * (1.0 - level))
    if level <= 0 or rank > len(scores):
        return math.inf
    return scores[max(rank, 1) - 1]


def intervals(
    rows: list[Row], horizons: list[int], latency: int, scores: list[list[float]], step: float = 0.05
) -> list[list[tuple[float, float]] | None]:
    """Of each row, by horizon; every segment from its own rows alone."""
    out: list[list[tuple[float, float]] | None] = []
    begins = [i for i, row in enumerate(rows) if row.restarts or i == 0]
    for start, stop in zip(begins, [*begins[1:], len(rows)], strict=True):
        out += _segment(rows[start:stop], horizons, latency, scores, step)
    return out


def _segment(
    rows: list[Row], horizons: list[int], latency: int, scores: list[list[float]], step: float
) -> list[list[tuple[float, float]] | None]:
    def mid(x: int) -> float:
        return [row.mid for row in rows if row.ts <= x][-1]

    levels = [0.1] * len(horizons)
    out: list[list[tuple[float, float]] | None] = []
    for at, row in enumerate(rows):
        for h, horizon in enumerate(horizons):
            before = rows[at - 1].ts if at else -(1 << 62)
            known = [i for i in range(at) if before <= rows[i].ts + horizon < row.ts]  # by this row, and by none before
            for i in known:
                said = out[i]
                if said is None:
                    continue
                y = math.log(mid(rows[i].ts + horizon) / mid(rows[i].ts + latency))
                low, high = said[h]
                levels[h] += step / (at - i) * (0.1 - (0 if low <= y <= high else 1))
        if row.quantiles is None:
            out.append(None)
            continue
        told = []
        for h, quantiles in enumerate(row.quantiles):
            by = wider(scores[h], levels[h])
            low, high = min(quantiles) - by, max(quantiles) + by
            told.append((low, high) if low <= high else ((low + high) / 2,) * 2)
        out.append(told)  # type: ignore[arg-type]
    return out


def as_array(told: list[list[tuple[float, float]] | None]) -> np.ndarray:
    """Shape ``(warm rows, horizons, 2)``."""
    return np.array([each for each in told if each is not None])
