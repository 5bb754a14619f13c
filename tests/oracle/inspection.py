"""Figures of an inspection in plain Python, from the definitions of docs/inspect.md alone."""

import math
from itertools import pairwise
from typing import Any

from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch
from tests.oracle.book import message_ends, unknown_deltas

DAY = 86_400 * 10**9
QUANTILES = (0.01, 0.5, 0.9, 0.99, 0.999)


def days(batch: TapeBatch, silence: int, stale: int, jump: float, far: float) -> list[dict[str, Any]]:
    """A dict a day, from that of the first row to that of the last."""
    if batch.rows == 0:
        return []
    arrival = [int(batch.receive_ts[: i + 1].max()) for i in range(batch.rows)]
    first, last = arrival[0] // DAY, arrival[-1] // DAY
    out = {day: empty(day) for day in range(first, last + 1)}
    ends, unknown = message_ends(batch), unknown_deltas(batch)
    causes, tops = after_rows(batch, ends)

    for i in range(batch.rows):
        day = out[arrival[i] // DAY]
        word = ("snapshot", "delta", "trade", "reset")[batch.kind[i]]
        day[word] += 1
        day["first"] = arrival[i] if day["first"] is None else day["first"]
        day["last"] = arrival[i]
        day["steps back"] += i > 0 and batch.receive_ts[i] < arrival[i - 1]
        day["unknown deltas"] += i in unknown
        if batch.kind[i] == RESET and i:
            day["missing"] += int(batch.ordinal[i] - batch.ordinal[i - 1]) - 1
        if (
            i
            and batch.kind[i - 1] in (SNAPSHOT, DELTA)
            and not batch.last[i - 1]
            and batch.kind[i] != batch.kind[i - 1]
        ):
            day["torn"] += 1
        if batch.last[i] and batch.kind[i] in (DELTA, TRADE):
            day["latencies"].append(int(batch.receive_ts[i]) - int(batch.exchange_ts[i]))
        if batch.kind[i] == TRADE and not causes[i] and tops[i] is not None and tops[i].is_update:
            take_print(day, int(batch.side[i]), float(batch.price[i]), tops[i], far)

    after_reset = False
    mid = None
    for i in range(batch.rows):
        day = out[arrival[i] // DAY]
        if batch.kind[i] == RESET:
            after_reset, mid = True, None
        if i not in ends:
            continue
        view = ends[i]
        if batch.kind[i] == SNAPSHOT:
            day["snapshots"] += 1
            day["resyncs"] += after_reset
            after_reset = False
        day["book messages"] += 1
        day["crossed messages"] += bool(view.bids) and bool(view.asks) and not view.is_update
        if view.is_update:
            now = (view.bids[0][0] + view.asks[0][0]) / 2
            if mid is not None:
                move = abs(now / mid - 1)
                day["jumps"] += move > jump
                day["largest jump"] = max(day["largest jump"], move)
            mid = now

    intervals = []  # begin, end, causes, the book
    for i, (a, b) in enumerate(pairwise(arrival)):
        if a == b:
            continue
        why = set(causes[i])
        if batch.kind[i + 1] == RESET:
            why |= lost(batch, i + 1)
        if b - a > silence:
            why.add("silence")
        cuts = [a, *(d * DAY for d in range(a // DAY + 1, b // DAY + 1)), b]
        intervals += [(x, y, why, tops[i]) for x, y in pairwise(cuts) if x < y]
    for a, b, why, view in intervals:
        day = out[a // DAY]
        day["span"] += b - a
        if why:
            day["gap"] += b - a
        elif view is not None and not (view.bids and view.asks):
            day["one-sided"] += b - a
        elif view is not None and not view.is_update:
            day["crossed"] += b - a
    gaps(intervals, out)
    stretches(batch, arrival, intervals, set(ends), stale, out)
    for day in out.values():
        finish(day)
    return list(out.values())


def empty(day: int) -> dict[str, Any]:
    counts = (
        "snapshot", "delta", "trade", "reset", "snapshots", "resyncs", "book messages", "crossed messages", "torn",
        "unknown deltas", "missing", "steps back", "jumps", "checked", "outside", "far", "off book", "against",
        "span", "gap", "crossed", "one-sided", "stale stretches", "stale", "longest stale",
    )  # fmt: skip
    return {"day": day, "first": None, "last": None, "largest jump": 0.0, "latencies": [], "gaps": [],
            **dict.fromkeys(counts, 0)}  # fmt: skip


def lost(batch: TapeBatch, i: int) -> set[str]:
    """What a `reset` row tells."""
    missing = i > 0 and batch.ordinal[i] != batch.ordinal[i - 1] + 1
    return {"reset", "missing"} if missing else {"reset"}


def after_rows(batch: TapeBatch, ends: dict[int, Any]) -> tuple[list[set[str]], list[Any]]:
    """After each row: why the book is not known (empty: it is), and the book of the newest whole message."""
    causes, tops = [], []
    why: set[str] = {"start"}
    view = None
    for i in range(batch.rows):
        if batch.kind[i] == RESET:
            why = lost(batch, i)
        elif batch.kind[i] == SNAPSHOT:
            if batch.last[i]:
                why = set()
            elif not why:
                why = {"snapshot"}
        view = ends.get(i, view)
        causes.append(why)
        tops.append(view)
    return causes, tops


def take_print(day: dict[str, Any], side: int, price: float, view: Any, far: float) -> None:
    bid, ask = view.bids[0][0], view.asks[0][0]
    day["checked"] += 1
    day["outside"] += not bid <= price <= ask
    day["far"] += price / ask - 1 > far or (price < bid and 1 - price / bid > far)
    day["off book"] += bid < price < ask
    day["against"] += price <= bid if side == 1 else price >= ask


def gaps(intervals: list[Any], out: dict[int, dict[str, Any]]) -> None:
    """Runs of intervals that are not covered, cut at midnight; a later piece keeps the causes of those before it."""
    so_far: set[str] = set()
    for a, b, why, _ in intervals:
        if not why:
            so_far = set()
            continue
        found = out[a // DAY]["gaps"]
        if so_far and found and found[-1][1] == a and a % DAY:
            so_far = so_far | why
            found[-1] = (found[-1][0], b, so_far)
        else:
            so_far = so_far | why
            found.append((a, b, so_far))


def stretches(
    batch: TapeBatch, arrival: list[int], intervals: list[Any], ends: set[int], stale: int, out: dict[int, Any]
) -> None:
    """Covered time between book messages, gaps and the end of the tape."""
    events = [(a, 1, b - a if not why else None) for a, b, why, _ in intervals]
    events += [(arrival[i], 0, 0) for i in ends]
    events.sort(key=lambda event: event[:2])
    still = 0
    for time, order, length in [*events, (arrival[-1], 0, 0)]:
        if order == 1 and length is not None:
            still += length
            continue
        if still > stale:
            day = out[time // DAY]
            day["stale stretches"] += 1
            day["stale"] += still
            day["longest stale"] = max(day["longest stale"], still)
        still = 0


def finish(day: dict[str, Any]) -> None:
    latencies = sorted(day.pop("latencies"))
    day["samples"], day["negative"] = len(latencies), sum(x < 0 for x in latencies)
    day["least"], day["most"] = (latencies[0], latencies[-1]) if latencies else (None, None)
    ranks = [max(1, math.ceil(q * len(latencies))) for q in QUANTILES]
    day["quantiles"] = tuple(rounded(latencies[rank - 1]) for rank in ranks) if latencies else None


def rounded(ns: int) -> int:
    """Towards 0, to eleven binary digits."""
    digits = max(abs(ns).bit_length() - 11, 0)
    size = abs(ns) >> digits << digits
    return size if ns >= 0 else -size
