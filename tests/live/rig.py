"""A collector beside a simulated exchange, and what can be asked of the tape that comes out."""

import time
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from simulator.simulator import Simulator
from simulator.thread import SimulatorThread
from sources.instrument import Instrument
from sources.live.collector import Collector
from sources.live.config import LiveConfig
from sources.live.telemetry import Telemetry
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, concat
from sources.venues.binance_futures.config import BinanceFuturesConfig
from sources.venues.bybit_linear.config import BybitLinearConfig
from sources.venues.live import live_venues
from sources.venues.okx_swap.config import OkxSwapConfig
from tests.importers.captures import check_invariants

BINANCE = Instrument("binance_futures", "BTCUSDT")
BYBIT = Instrument("bybit_linear", "BTCUSDT")
OKX = Instrument("okx_swap", "BTC-USDT-SWAP")
BOTH = (BINANCE, BYBIT)
OKX_LEVELS = 400


class Heard(Telemetry):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.counts: Counter[str] = Counter()

    def count(self, name: str, *about: object) -> int:
        """How often ``name`` was told with arguments that begin with ``about``."""
        return sum(e[: 1 + len(about)] == (name, *about) for e in list(self.events))


def _listen(name: str) -> Callable[..., None]:
    def hear(self: Heard, *arguments: Any) -> None:
        self.counts[name] += 1
        if name not in ("frames", "buffered"):
            self.events.append((name, *arguments))

    return hear


for _name in [n for n in vars(Telemetry) if not n.startswith("_")]:
    setattr(Heard, _name, _listen(_name))


def config(
    addresses: dict[str, str], *, depth: int = 50, levels: int = 1000, silence: float = 0.0, **options: Any
) -> LiveConfig:
    """Connects to a simulator; fast where venues are slow. ``silence``: seconds that are no fault of an OKX book.

    Books and trades alone, unless ``derivatives`` is told.
    """
    a = addresses
    fast: dict[str, Any] = {"derivatives": False}
    fast |= {"backoff_initial": 0.05, "backoff_jitter": 0.05, "backoff_max": 0.5, "start_timeout": 5.0}
    binance = BinanceFuturesConfig(
        a["venues.binance_futures.public_ws"],
        a["venues.binance_futures.market_ws"],
        a["venues.binance_futures.rest"],
        snapshot_levels=levels,
    )
    bybit = BybitLinearConfig(a["venues.bybit_linear.ws"], a["venues.bybit_linear.rest"], depth)
    okx = OkxSwapConfig(a["venues.okx_swap.ws"], a["venues.okx_swap.rest"], book_silence=silence)
    return LiveConfig(live_venues(binance, bybit, okx), **(fast | options))


class Rig:
    """One collector, drained while something is waited for."""

    def __init__(
        self, wanted: Sequence[Instrument], settings: LiveConfig, sim: SimulatorThread | None = None, **options: Any
    ) -> None:
        self.sim = sim
        self.depth = settings.venues["bybit_linear"].config.depth
        self.heard = Heard()
        self.collector = Collector(wanted, settings, time.time_ns, self.heard, **options)
        self._parts: dict[Instrument, list[TapeBatch]] = defaultdict(list)

    def __enter__(self) -> "Rig":
        self.collector.start()
        return self

    def __exit__(self, *error: object) -> None:
        begin = time.monotonic()
        assert self.collector.stop(5.0)
        assert time.monotonic() - begin < 5.0
        if error[0] is None:
            self.drain()

    def drain(self) -> None:
        for item in self.collector.drain():
            self._parts[item.instrument].append(item.batch)

    def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Drain until ``condition`` holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, self.heard.events[-30:]
            self.drain()
            time.sleep(0.005)

    def wait(self, seconds: float) -> None:
        """Drain for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, seconds + 1.0)

    def synced(self, instrument: Instrument, times: int = 1) -> None:
        """Wait until a book has been synced so often, and some messages more."""
        self.until(lambda: self.heard.count("synced", instrument) >= times)
        rows = len(self.tape(instrument).ordinal)
        self.until(lambda: len(self.tape(instrument).ordinal) > rows + 20)

    def tape(self, instrument: Instrument) -> TapeBatch:
        """Everything recorded so far."""
        parts = self._parts[instrument]
        self._parts[instrument] = [concat(parts)] if parts else []
        return concat(self._parts[instrument])

    def kinds(self, instrument: Instrument) -> list[int]:
        """Kinds of the messages recorded, runs of deltas and trades once."""
        tape = self.tape(instrument)
        kinds = [int(k) for k in tape.kind[tape.last] if k in (SNAPSHOT, RESET)]
        return kinds

    def check(self, instrument: Instrument) -> None:
        """The tape's invariants, its book against the exchange's true one, and that nothing is missing unsaid."""
        tape = self.tape(instrument)
        check_invariants(tape)
        assert self.sim is not None
        self._check_books(instrument, tape)
        self._check_trades(instrument, tape)

    def _check_books(self, instrument: Instrument, tape: TapeBatch) -> None:
        assert self.sim is not None
        update_id = self._update_ids(instrument)
        mine: dict[int, dict[float, float]] = {1: {}, -1: {}}
        states: list[tuple[int, tuple[dict[float, float], dict[float, float]]]] = []
        begun = True
        for kind, side, price, size, sequence, exchange_ts, last in zip(
            tape.kind.tolist(), tape.side.tolist(), tape.price.tolist(), tape.size.tolist(), tape.sequence.tolist(),
            tape.exchange_ts.tolist(), tape.last.tolist(), strict=True,
        ):  # fmt: skip
            if kind == RESET or (kind == SNAPSHOT and begun):
                mine = {1: {}, -1: {}}
            if kind in (SNAPSHOT, DELTA):
                begun = last
                if size:
                    mine[side][price] = size
                else:
                    mine[side].pop(price, None)
                if last:
                    states.append((update_id(sequence, exchange_ts), (dict(mine[1]), dict(mine[-1]))))
        assert states
        # What a new connection has said before it took over stands behind what the old one said last.
        states.sort(key=lambda state: state[0])
        cut = {"bybit_linear": self.depth, "okx_swap": OKX_LEVELS}.get(instrument.venue)

        def compare(simulator: Simulator) -> list[int]:
            books = simulator.true_books(instrument, [number for number, _ in states])
            return [
                number
                for (number, book), (_, ours) in zip(books, states, strict=True)
                if (book.cut(cut).bids, book.cut(cut).asks) != ours
            ]

        wrong = self.sim.call(compare)
        assert not wrong, f"{instrument}: {len(wrong)} of {len(states)} books are wrong, the first at update {wrong[0]}"

    def _update_ids(self, instrument: Instrument) -> Callable[[int, int], int]:
        """From a book message's sequence and exchange time to the number of the true book."""
        if instrument.venue == "binance_futures":
            return lambda sequence, exchange_ts: sequence
        assert self.sim is not None
        prefix = {"bybit_linear": f"orderbook.{self.depth}.", "okx_swap": "books:"}[instrument.venue]
        topic = prefix + instrument.symbol
        sent = self.sim.call(lambda simulator: simulator.sent(instrument, topic))
        # After a restart of the service the sequence begins anew.
        known = {(entry.sequence, entry.exchange_ms): entry.update_id for entry in sent}
        return lambda sequence, exchange_ts: known[sequence, exchange_ts // 1_000_000]

    def _check_trades(self, instrument: Instrument, tape: TapeBatch) -> None:
        """Between two recorded trades with unrecorded ones between them the book was unknown."""
        assert self.sim is not None
        sent = self.sim.call(lambda simulator: simulator.sent(instrument))
        recorded = tape.kind == TRADE
        names = tape.sequence[recorded].tolist()
        if instrument.venue == "binance_futures":
            assert names == sorted(set(names))
        # A damaged print is counted and costs nothing; without numbers, one that never comes cannot be missed.
        excepted = {"truncate", "bad_utf8", "garbage", "future", "zero"}
        if instrument.venue != "binance_futures":
            excepted |= {"drop", "silent"}
        trades = [entry for entry in sent if entry.kind == "trade" and entry.fate not in excepted]
        missing = sorted({entry.sequence for entry in trades} - set(names))
        # A jump of the numbers is itself the loss; where there are none, a loss may lie before the newest snapshot.
        numbered = instrument.venue == "binance_futures"
        before, unknown, excused = None, False, False
        for kind, sequence in zip(tape.kind.tolist(), tape.sequence.tolist(), strict=True):
            if kind == RESET:
                unknown = excused = True
            elif kind == SNAPSHOT:
                unknown = False
            elif kind == TRADE:
                if before is not None and bisect(missing, before) < bisect(missing, sequence):
                    told = unknown if numbered else excused
                    assert told, f"{instrument}: trades between {before} and {sequence} are missing"
                before, excused = sequence, unknown
