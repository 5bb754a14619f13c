"""The instrument's clock, its restarts, and which rows there are (docs/features.md, 4.1 and 4.2)."""

from dataclasses import dataclass

from sources.tape.batch import RESET, TapeBatch


@dataclass(frozen=True)
class Tick:
    """A tape row's index in the batch, and the clock after the row moved it."""

    index: int
    clock: int


@dataclass(frozen=True)
class Sample:
    """A feature row to be: its time, and how many ticks of its stretch it is formed from."""

    ts: int
    included: int


def stretches(batch: TapeBatch, max_hold_ns: int) -> list[list[Tick]]:
    """The tape cut at every restart: at resets, which belong to no stretch, and before rows that jump too far."""
    result: list[list[Tick]] = [[]]
    for i in range(batch.rows):
        if batch.kind[i] == RESET:
            result.append([])
            continue
        time = int(batch.exchange_ts[i])
        if result[-1] and time - result[-1][-1].clock > max_hold_ns:
            result.append([])
        result[-1].append(Tick(i, max(time, result[-1][-1].clock) if result[-1] else time))
    return result


def samples(stretch: list[Tick], is_update: set[int], sampling_ns: int) -> list[Sample]:
    """The rows of one stretch; `is_update` holds the indices of tape rows at which an update happens."""
    update_ticks = [n for n, tick in enumerate(stretch) if tick.index in is_update]
    if not update_ticks:
        return []
    if sampling_ns == 0:
        return [Sample(stretch[n].clock, n + 1) for n in update_ticks]
    first = stretch[update_ticks[0]].clock
    grid = -(-first // sampling_ns) * sampling_ns  # the first multiple that is no earlier
    result = []
    while grid < stretch[-1].clock:  # the clock has passed it strictly before the stretch ended
        result.append(Sample(grid, sum(tick.clock <= grid for tick in stretch)))
        grid += sampling_ns
    return result
