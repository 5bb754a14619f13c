"""The figures of data quality of one instrument's tape, a day at a time: docs/inspect.md has the definitions.

Time is that of arrival: the running maximum of ``receive_ts``. Each interval between two rows is judged once, by the
state of the book after the former row, by its length, and by whether the latter is a ``reset``.
"""

from operators.book import apply_rows, best_key
from operators.inspection_state import (
    AGAINST_PRINTS,
    ASK,
    BID,
    BOOK_MESSAGES,
    CHECKED_PRINTS,
    CROSSED,
    CROSSED_MESSAGES,
    CROSSED_TIME,
    DAY,
    FAR_PRINTS,
    FIRST,
    GAP,
    GAP_BEGIN,
    GAP_CAUSES,
    GAPS,
    GOOD,
    JUMPS,
    KNOWN,
    LARGEST_JUMP,
    LAST,
    LEAST,
    LONGEST_GAP,
    LONGEST_STALE,
    MID,
    MISSING,
    MISSING_ROWS,
    MOST,
    NEGATIVE,
    NOW,
    OFF_BOOK_PRINTS,
    ONE_SIDED,
    ONE_SIDED_TIME,
    OPEN_MESSAGE,
    ORDINAL,
    OUTSIDE_PRINTS,
    PREVIOUS,
    RESET_ROW,
    RESYNCS,
    SAMPLES,
    SILENCE,
    SNAPSHOTS,
    SPAN,
    STALE_STRETCHES,
    STALE_TIME,
    STARTED,
    STEPS_BACK,
    STILL,
    TOP,
    TORN,
    TORN_SNAPSHOT,
    UNKNOWN_DELTAS,
    WHY_UNKNOWN,
    InspectionRule,
    InspectionState,
    bucket,
)
from operators.jit import entry_kernel, kernel
from operators.level_blocks import clear
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, Int64s, TapeBatch, is_book, is_derivative
from sources.tape.layout import NS_PER_DAY

# Why `run` came back.
DONE, DAY_OVER, BOOK_FULL, GAPS_FULL = range(4)


@kernel
def end_stretch(state: InspectionState, rule: InspectionRule) -> None:
    """The book moves, or is no longer covered: what stood still before counts if it was long."""
    length = state.when[STILL]
    state.when[STILL] = 0
    if length > rule.stale:
        state.counts[STALE_STRETCHES] += 1
        state.times[STALE_TIME] += length
        state.times[LONGEST_STALE] = max(state.times[LONGEST_STALE], length)


@kernel
def close_gap(state: InspectionState, gaps: Int64s, g: int) -> int:
    """The open gap, if any, ends now: write it to column ``g``; returns the next free column."""
    when = state.when
    begin, now = when[GAP_BEGIN], when[NOW]
    when[GAP_BEGIN] = -1
    if begin < 0 or begin == now:
        return g
    gaps[0, g], gaps[1, g], gaps[2, g] = begin, now, when[GAP_CAUSES]
    state.counts[GAPS] += 1
    state.times[LONGEST_GAP] = max(state.times[LONGEST_GAP], now - begin)
    return g + 1


@kernel
def judge(state: InspectionState, rule: InspectionRule, causes: int, until: int, gaps: Int64s, g: int) -> int:
    """Time goes on to ``until``, not covered because of ``causes`` (0: covered); returns the next free column."""
    when, time = state.when, state.times
    length = until - when[NOW]
    if length <= 0:
        return g
    time[SPAN] += length
    if causes:
        if when[GAP_BEGIN] < 0:
            end_stretch(state, rule)
            when[GAP_BEGIN], when[GAP_CAUSES] = when[NOW], 0
        when[GAP_CAUSES] |= causes
        time[GAP] += length
    else:
        g = close_gap(state, gaps, g)
        when[STILL] += length
        if when[TOP] == CROSSED:
            time[CROSSED_TIME] += length
        elif when[TOP] == ONE_SIDED:
            time[ONE_SIDED_TIME] += length
    when[NOW] = until
    return g


@kernel
def take_message(state: InspectionState, rule: InspectionRule) -> None:
    """A message of the known book is whole."""
    when, count, value, levels = state.when, state.counts, state.value, state.book.levels
    end_stretch(state, rule)
    count[BOOK_MESSAGES] += 1
    if levels[0] == 0 or levels[1] == 0:
        when[TOP] = ONE_SIDED
        return
    value[BID], value[ASK] = best_key(state.book, 0), -best_key(state.book, 1)
    if value[BID] >= value[ASK]:
        when[TOP] = CROSSED
        count[CROSSED_MESSAGES] += 1
        return
    when[TOP] = GOOD
    mid = (value[BID] + value[ASK]) / 2
    if value[MID] > 0.0:
        jump = abs(mid / value[MID] - 1.0)
        count[JUMPS] += int(jump > rule.jump)
        value[LARGEST_JUMP] = max(value[LARGEST_JUMP], jump)
    value[MID] = mid


@kernel
def check_print(state: InspectionState, rule: InspectionRule, side: int, price: float) -> None:
    """A trade beside the quotes of the newest whole message."""
    count, bid, ask = state.counts, state.value[BID], state.value[ASK]
    count[CHECKED_PRINTS] += 1
    if price > ask or price < bid:
        count[OUTSIDE_PRINTS] += 1
        beyond = price / ask - 1.0 if price > ask else 1.0 - price / bid
        count[FAR_PRINTS] += int(beyond > rule.far)
    elif bid < price < ask:
        count[OFF_BOOK_PRINTS] += 1
    count[AGAINST_PRINTS] += int(price <= bid if side > 0 else price >= ask)


@kernel
def part_end(batch: TapeBatch, start: int, arrival: int) -> int:
    """The row after those from ``start`` on that are of one book message and have arrived by ``arrival``."""
    kind, ts = batch.kind[start], batch.exchange_ts[start]
    i = start + 1
    while (
        i < len(batch.kind) and not batch.last[i - 1] and batch.kind[i] == kind
        and batch.exchange_ts[i] == ts and batch.receive_ts[i] == batch.receive_ts[start] <= arrival
    ):  # fmt: skip
        i += 1
    return i


@kernel
def take_sample(state: InspectionState, ns: int) -> None:
    """The latency of a message."""
    state.counts[SAMPLES] += 1
    state.counts[NEGATIVE] += int(ns < 0)
    state.times[LEAST] = min(state.times[LEAST], ns)
    state.times[MOST] = max(state.times[MOST], ns)
    state.latency[bucket(ns)] += 1


@kernel
def take_book(state: InspectionState, rule: InspectionRule, batch: TapeBatch, start: int, end: int) -> int:
    """Rows ``start … end − 1`` of one book message; returns the first that found no room."""
    when, count, kind = state.when, state.counts, batch.kind[start]
    if kind == DELTA and not when[KNOWN]:
        count[DELTA] += end - start
        count[UNKNOWN_DELTAS] += end - start
        when[OPEN_MESSAGE] = -1 if batch.last[end - 1] else kind
        return end
    if kind == SNAPSHOT and when[OPEN_MESSAGE] != SNAPSHOT:
        clear(state.book)
        if when[KNOWN]:
            when[KNOWN], when[WHY_UNKNOWN] = 0, TORN_SNAPSHOT
    done, _ = apply_rows(state.book, batch, start, end)
    count[kind] += done - start
    if done > start:
        when[OPEN_MESSAGE] = -1 if batch.last[done - 1] else kind
    elif kind == SNAPSHOT:
        when[OPEN_MESSAGE] = kind
    if done == end and batch.last[end - 1]:
        if kind == SNAPSHOT:
            count[SNAPSHOTS] += 1
            count[RESYNCS] += int(when[WHY_UNKNOWN] & RESET_ROW != 0)
            when[KNOWN], when[WHY_UNKNOWN] = 1, 0
        take_message(state, rule)
    return done


@entry_kernel
def run(
    batch: TapeBatch, start: int, state: InspectionState, rule: InspectionRule, gaps: Int64s
) -> tuple[int, int, int]:
    """Process tape rows ``start, start + 1, …`` until they end, the day does, or some room does.

    Args:
        gaps: shape ``(3, room)``: begin and end of the gaps that ended, ns, and their mask of causes.

    Returns:
        The first row not processed, the number of gaps written, and why: `DONE`, `DAY_OVER` (read the figures of the
        day, then `next_day` and the next ``when[DAY]``), `BOOK_FULL` (grow the book), `GAPS_FULL` (empty ``gaps``).
    """
    when, count, time = state.when, state.counts, state.times
    g = 0
    i = start
    while i < len(batch.kind):
        if g + 2 > gaps.shape[1]:
            return i, g, GAPS_FULL
        kind, received = batch.kind[i], batch.receive_ts[i]
        if is_derivative(kind):  # that it comes does not show that the market does
            count[kind] += 1
            when[ORDINAL] = batch.ordinal[i]
            i += 1
            continue
        if not when[STARTED]:
            when[STARTED], when[NOW], when[PREVIOUS], when[DAY] = 1, received, received, received // NS_PER_DAY
            when[ORDINAL] = batch.ordinal[i] - 1
        arrival = max(when[PREVIOUS], received)
        missing = batch.ordinal[i] - when[ORDINAL] - 1
        lost = RESET_ROW | (MISSING if missing else 0)
        causes = 0 if when[KNOWN] else when[WHY_UNKNOWN]
        if kind == RESET:
            causes |= lost
        if arrival - when[PREVIOUS] > rule.silence:
            causes |= SILENCE
        midnight = (when[DAY] + 1) * NS_PER_DAY
        if arrival >= midnight:
            g = judge(state, rule, causes, midnight, gaps, g)
            if when[GAP_BEGIN] >= 0:
                open_causes = when[GAP_CAUSES]
                g = close_gap(state, gaps, g)
                when[GAP_BEGIN], when[GAP_CAUSES] = midnight, open_causes
            return i, g, DAY_OVER
        g = judge(state, rule, causes, arrival, gaps, g)
        when[PREVIOUS] = arrival
        if time[FIRST] < 0:
            time[FIRST] = arrival
        time[LAST] = arrival

        if when[OPEN_MESSAGE] >= 0 and when[OPEN_MESSAGE] != kind:
            count[TORN] += 1
            when[OPEN_MESSAGE] = -1
        if kind == RESET:
            clear(state.book)
            count[RESET] += 1
            count[MISSING_ROWS] += missing
            when[KNOWN], when[WHY_UNKNOWN] = 0, lost
            state.value[MID] = 0.0
            end = i + 1
        elif is_book(kind):
            end = part_end(batch, i, arrival)
            done = take_book(state, rule, batch, i, end)
            if kind == DELTA and done > i and batch.last[done - 1]:
                take_sample(state, batch.receive_ts[done - 1] - batch.exchange_ts[done - 1])
            if done < end:
                count[STEPS_BACK] += (done - i) * int(received < arrival)
                when[ORDINAL] += done - i
                return done, g, BOOK_FULL
        else:
            end = i + 1
            count[kind] += 1
            if kind == TRADE:
                take_sample(state, received - batch.exchange_ts[i])
                if when[KNOWN] and when[TOP] == GOOD:
                    check_print(state, rule, batch.side[i], batch.price[i])
        count[STEPS_BACK] += (end - i) * int(received < arrival)
        when[ORDINAL] = batch.ordinal[end - 1]
        i = end
    return len(batch.kind), g, DONE


@entry_kernel
def finish(state: InspectionState, rule: InspectionRule, gaps: Int64s) -> int:
    """The tape ends: so does what is open. Returns the number of gaps written, at most one."""
    end_stretch(state, rule)
    return close_gap(state, gaps, 0)
