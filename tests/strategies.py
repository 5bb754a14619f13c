"""Hypothesis strategies: small tapes that go to every corner of the definitions, and configurations to match.

A tape is drawn as a short list of messages made of a few integers each; `_Writer` turns those into rows. What a
message may do is listed in `MESSAGES`, where its clock may go in `MOVES`; both repeat what should be frequent, and
begin with what is simplest, because that is what shrinking prefers.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from operators.config import MS, SECOND, FeatureConfig
from sources.tape.batch import (
    DELTA,
    FUNDING,
    LIQUIDATION,
    MARK,
    OPEN_INTEREST,
    RESET,
    SNAPSHOT,
    TRADE,
    TapeBatch,
    tape_batch,
)

MESSAGES = (
    *("delta",) * 14,  # a few levels anywhere
    *("trades",) * 8,
    *("quote",) * 14,  # moves the best prices and leaves the book in order
    *("ladder",) * 2,  # a snapshot of up to 26 levels a side
    "snapshot",  # a few levels anywhere, so often crossed or one-sided
    "reset ladder",
    "reset",
    "reset quotes",  # deltas that look like a whole book, and no snapshot before them
    "torn delta",
    "torn ladder",
    "half ladder",  # the deltas that follow belong to no book, though nothing says so
)
MOVES = (
    *("stay",) * 3,
    *("third",) * 5,
    *("step",) * 3,
    *("to grid",) * 4,
    *("past grid",) * 3,
    *("several",) * 2,
    *("window",) * 2,
    *("nanosecond", "hold", "hole", "back", "far back"),
)
MOVES_INSIDE = (*("stay",) * 27, "third", "to grid", "past grid", "several", "back", "hole")  # between a message's rows

PLAIN_SIZES = (1.0, 2.0, 0.1, 0.2, 0.3, 0.7, 5.0, 12.5)
WILD_SIZES = (1.0, 0.1, 0.3, 1e-6, 3e-6, 1e9, 123456.789, 987654321.1)
PRICE_SCALES = ((1000, 10), (2_700_000, 100), (123, 10_000_000))  # tick k costs (base + k) / unit
# Bids usually stand below tick 0 and asks from there on; repeated ticks are likelier.
NEAR_TICKS = (-1, -2, -3, -1, -2, -3, -4, -4, -5, -5, 0, 1, -8, -27, -35)

_WINDOWS = ((1, 1), (2, 1), (1, 2), (3, 2), (27, 10), (5, 1))  # in steps, as fractions
_LEVEL_CODES = 2 * len(NEAR_TICKS) * (len(PLAIN_SIZES) + 3) * len(MOVES_INSIDE)
_START = 1_700_000_000 * SECOND


@dataclass
class _Writer:
    """Writes messages as tape rows; `clock` follows the instrument's."""

    config: FeatureConfig
    sizes: tuple[float, ...]
    scale: tuple[int, int]
    clock: int
    rows: list[tuple[int, int, int, float, float, bool]] = field(default_factory=list)

    @property
    def step(self) -> int:
        return self.config.sampling_ns or 100 * MS

    def move(self, how: str) -> int:
        """Exchange time of the next row."""
        clock, step, windows = self.clock, self.step, self.config.windows
        next_grid = (clock // step + 1) * step
        moved = {
            "stay": clock,
            "third": clock + step // 3,
            "step": clock + step,
            "to grid": next_grid,
            "past grid": next_grid + 1,
            "several": clock + 3 * step + step // 2,
            "window": clock + windows[len(self.rows) % len(windows)][1],
            "nanosecond": clock + 1,
            "hold": clock + self.config.max_hold_ns,
            "hole": clock + self.config.max_hold_ns + 1,
            "back": clock - step,
            "far back": clock - 10 * step,
        }[how]
        self.clock = max(clock, moved)
        return moved

    def price(self, tick: int) -> float:
        base, unit = self.scale
        return (base + tick) / unit

    def row(self, ts: int, kind: int, side: int, price: float, size: float, last: bool) -> None:
        self.rows.append((ts, kind, side, price, size, last))

    def levels(self, ts: int, kind: int, codes: list[int]) -> None:
        """Rows of single levels, or trades, from their codes."""
        for n, code in enumerate(codes, 1):
            code, inside = divmod(code, len(MOVES_INSIDE))
            code, size = divmod(code, len(self.sizes) + 3)
            side, tick = divmod(code, len(NEAR_TICKS))
            # 3 codes in 11 remove a level; nobody trades nothing
            amount = self.sizes[size % len(self.sizes)] if size < len(self.sizes) or kind == TRADE else 0.0
            if MOVES_INSIDE[inside] != "stay":  # stay at the message's time, even behind the clock
                ts = self.move(MOVES_INSIDE[inside])
            near = NEAR_TICKS[tick]
            price = self.price(near if side == 0 else -1 - near)
            self.row(ts, kind, 1 if side == 0 else -1, price, amount, kind == TRADE or n == len(codes))

    def ladder(self, ts: int, codes: list[int]) -> None:
        """A snapshot: 0 to 26 levels a side around a centre that wanders."""
        a, b = codes[0], codes[-1]
        centre, gap = b // 81 % 5 - 2, 1 + a // 81 % 2
        bids, asks = 26 - (a % 81) // 3, 26 - (b % 81) // 3
        if bids + asks == 0:
            bids = 1
        sides = [(1, centre - 1 - m * gap) for m in range(bids)] + [(-1, centre + m * gap) for m in range(asks)]
        for n, (side, tick) in enumerate(sides, 1):
            self.row(ts, SNAPSHOT, side, self.price(tick), self.sizes[(a + n) % len(self.sizes)], n == len(sides))

    def quote(self, ts: int, codes: list[int]) -> None:
        """New best prices: a delta that sets them and deletes whatever stands in their way, or might."""
        centre = codes[0] % 7 - 3
        rows = [(1, tick, 0.0) for tick in range(centre, 5)] + [(-1, tick, 0.0) for tick in range(-5, centre)]
        for n, code in enumerate(codes):
            is_bid = n % 2
            rows.append((1 if is_bid else -1, centre - is_bid, self.sizes[code % len(self.sizes)]))
        for n, (side, tick, size) in enumerate(rows, 1):
            self.row(ts, DELTA, side, self.price(tick), size, n == len(rows))

    def quotes(self, codes: list[int]) -> None:
        """Some quotes in a row: with a snapshot before them each would be an update."""
        for code in codes:
            self.quote(self.move("third"), [code, code + 1])

    def reset(self, how: str) -> None:
        """Mostly with the time of the row before; else with one that must not be believed."""
        ts = self.rows[-1][0] if self.rows else self.clock
        self.row(ts + (how == "window") * 1000 * SECOND, RESET, 0, 0.0, 0.0, True)

    def message(self, what: str, how: str, codes: list[int]) -> None:
        if what.startswith("reset"):
            self.reset(how)
            # after a reset the clock is free: here a tape may fall far back
            self.clock = self.move("far back" if codes[0] % 3 == 2 else how)
            if what == "reset ladder":
                self.ladder(self.clock, codes)
            elif what == "reset quotes":
                self.quotes(codes)
            return
        ts = self.move(how)
        if what == "quote":
            self.quote(ts, codes)
        elif what.endswith("ladder"):
            self.ladder(ts, codes)
        else:
            self.levels(ts, {"trades": TRADE, "snapshot": SNAPSHOT}.get(what, DELTA), codes)
        if what.startswith(("torn", "half")):
            self.tear()
        if what.startswith("torn"):
            self.reset(how)

    def tear(self) -> None:
        ts, kind, side, price, size, _ = self.rows[-1]
        self.rows[-1] = (ts, kind, side, price, size, False)

    def batch(self, lag: int) -> TapeBatch:
        ts, kind, side, price, size, last = zip(*self.rows, strict=True) if self.rows else ([],) * 6
        numbers = np.arange(len(self.rows), dtype=np.int64)
        return tape_batch(
            ordinal=numbers,
            exchange_ts=ts,
            receive_ts=np.asarray(ts, np.int64) + lag * (1 + numbers % 3),
            sequence=numbers + 100,
            kind=kind,
            side=side,
            price=price,
            size=size,
            last=last,
        )


def tapes(config: FeatureConfig | None = None, *, max_messages: int = 40) -> st.SearchStrategy[TapeBatch]:
    """Tapes whose times fall on, just before and just after what `config` makes decisive."""
    used = config or FeatureConfig(max_hold_ns=SECOND)
    codes = st.lists(st.integers(0, _LEVEL_CODES - 1), min_size=1, max_size=4)
    message = st.tuples(st.sampled_from(MESSAGES), st.sampled_from(MOVES), codes)
    # a list without a minimum is short nearly always
    messages = st.lists(message, min_size=max_messages // 2, max_size=max_messages) | st.lists(message, max_size=8)

    def build(
        opening: str,
        drawn: list[tuple[str, str, list[int]]],
        sizes: tuple[float, ...],
        scale: tuple[int, int],
        offset: int,
        lag: int,
        torn: bool,
    ) -> TapeBatch:
        writer = _Writer(used, sizes, scale, _START // _step(used) * _step(used) + offset)
        if opening.startswith("quotes"):
            writer.quotes([offset + 2, lag % 7])
        if opening.endswith("ladder"):
            writer.ladder(writer.clock, [0])
        for message in drawn:
            writer.message(*message)
        if torn and writer.rows and writer.rows[-1][1] in (SNAPSHOT, DELTA):
            writer.tear()
        return writer.batch(lag)

    return st.builds(
        build,
        st.sampled_from((*("ladder",) * 6, "", "quotes", "quotes ladder")),
        messages,
        st.sampled_from((PLAIN_SIZES, WILD_SIZES)),
        st.sampled_from(PRICE_SCALES),
        st.sampled_from((0, 1, -1)),
        st.sampled_from((5, 0, 7 * MS, -3)),
        st.sampled_from((False, False, False, True)),
    )


def _step(config: FeatureConfig) -> int:
    return config.sampling_ns or 100 * MS


def configs() -> st.SearchStrategy[FeatureConfig]:
    """Configurations whose windows a tape of `tapes` fills."""

    def build(
        sampling: int,
        windows: list[tuple[int, int]],
        depths: list[int],
        ofi: str,
        zscore_window: int,
        hold: tuple[int, int],
        orders: tuple[float, float],
        threshold: float,
        fdi: tuple[int, int, str],
        volatility_window: int,
        normalised: bool,
        integrated_ofi: int,
        derivatives: bool,
    ) -> FeatureConfig:
        unit = sampling or 100 * MS
        lengths = list(dict.fromkeys(max(1, unit * numerator // denominator) for numerator, denominator in windows))
        return FeatureConfig(
            sampling_ns=sampling,
            windows=tuple((f"{ns}ns", ns) for ns in lengths),
            depths=tuple(sorted(depths)),
            ofi=ofi,  # type: ignore[arg-type]
            zscore_window=zscore_window,
            max_hold_ns=unit * hold[0] + hold[1],
            price_d=orders[0],
            volume_d=orders[1],
            ffd_threshold=threshold,
            fdi_window=fdi[0],
            fdi_interval_ns=unit * fdi[1],
            fdi_method=fdi[2],  # type: ignore[arg-type]
            volatility_window=volatility_window,
            normalised=normalised,
            integrated_ofi=integrated_ofi,
            derivatives=derivatives,
        )

    order = st.sampled_from((0.4, 0.5, 0.7, 1.0, 0.0, 1.3, 2.0))
    return st.builds(
        build,
        st.sampled_from((100 * MS, 0, 100 * MS, 0, 7, 333_333_333)),
        st.lists(st.sampled_from(_WINDOWS), min_size=1, max_size=3, unique=True),
        st.lists(st.sampled_from((1, 5, 2, 10, 20, 25)), min_size=1, max_size=3, unique=True),
        st.sampled_from(("cont", "depth")),
        st.integers(2, 6),
        st.tuples(st.integers(4, 12), st.sampled_from((0, 0, 1, -1))),
        st.tuples(order, order),
        st.sampled_from((0.05, 0.03, 0.2, 1.0)),
        st.tuples(
            st.integers(3, 6), st.sampled_from((1, 2, 3)), st.sampled_from(("variogram", "madogram", "sevcik", "chord"))
        ),
        st.integers(2, 5),
        st.booleans(),
        st.sampled_from((0, 3, 1, 10)),
        st.booleans(),
    )


def cases(*, max_messages: int = 40) -> st.SearchStrategy[tuple[FeatureConfig, TapeBatch]]:
    """A configuration and a tape made for it, with rows of derivatives now and then."""

    def case(config: FeatureConfig) -> st.SearchStrategy[tuple[FeatureConfig, TapeBatch]]:
        tape = tapes(config, max_messages=max_messages)
        return st.tuples(st.just(config), tape.flatmap(with_derivatives) if config.derivatives else tape)

    return configs().flatmap(case)


def with_derivatives(tape: TapeBatch) -> st.SearchStrategy[TapeBatch]:
    """The tape with rows of derivatives at any place, inside messages too, and times that must move no clock."""
    values = {
        MARK: ((0, 100.5, 100.25), (0, 99.0, 0.0)),
        FUNDING: ((0, -1e-4, 8.0), (0, 0.0, 0.0)),
        OPEN_INTEREST: ((0, 0.0, 12345.678), (0, 0.0, 0.0)),
        LIQUIDATION: ((-1, 100.0, 0.1), (1, 101.0, 3.3), (-1, 99.0, 1e9)),
    }
    forms = [(kind, *of_kind) for kind, rows in values.items() for of_kind in rows]
    row = st.tuples(
        st.integers(0, tape.rows), st.sampled_from(forms), st.sampled_from((0, 0, 1, -1, 10**15, -(10**15)))
    )

    def build(drawn: list[tuple[int, tuple[int, int, float, float], int]]) -> TapeBatch:
        places = [place for place, _, _ in drawn]
        base = [int(tape.exchange_ts[min(place, tape.rows - 1)]) if tape.rows else _START for place in places]
        ts = [max(1, at + off) for at, (_, _, off) in zip(base, drawn, strict=True)]
        kinds, sides, prices, sizes = zip(*(form for _, form, _ in drawn), strict=True) if drawn else ([],) * 4
        columns = {
            **{"exchange_ts": ts, "receive_ts": ts, "sequence": [t // 10**6 + 3 for t in ts], "kind": kinds},
            **{"side": sides, "price": prices, "size": sizes, "last": [True] * len(drawn)},
        }
        mixed = {name: np.insert(getattr(tape, name), places, values) for name, values in columns.items()}
        return tape_batch(ordinal=np.arange(tape.rows + len(drawn)), **mixed)

    return st.lists(row, max_size=25).map(build)


def splits(n: int) -> st.SearchStrategy[list[int]]:
    """Batch boundaries of `n` rows: rising from 0 to `n`, empty batches now and then; see `split`."""
    return st.lists(st.integers(0, n), max_size=8).map(lambda cuts: [0, *sorted(cuts), n])


def split(batch: TapeBatch, cuts: list[int]) -> list[TapeBatch]:
    return [batch.slice(a, b) for a, b in pairwise(cuts)]
