"""From start to stop: addresses, the universe, hand-over, refresh, overflow, an existing tape."""

import socket
import time

import pytest

from simulator.thread import SimulatorThread, simulator_thread
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.collector import Collector
from sources.live.snapshot_resync import SnapshotResync
from sources.live.telemetry import Telemetry
from sources.tape.batch import DELTA, RESET, SNAPSHOT
from sources.tape.builder import TapeTail
from tests.live.rig import BINANCE, BOTH, BYBIT, Rig, config
from tests.markets import market


def start_fails(wanted: list[Instrument], addresses: dict[str, str], **options: float) -> str:
    collector = Collector(wanted, config(addresses, **options), time.time_ns, Telemetry())
    with pytest.raises(TickwaxError) as e:
        collector.start()
    assert collector.stop(5.0)
    assert "\n" not in str(e.value)
    return str(e.value)


@pytest.mark.parametrize("instrument", BOTH)
def test_unknown_symbol(sim: SimulatorThread, instrument: Instrument) -> None:
    text = start_fails([Instrument(instrument.venue, "BTCUSD")], sim.addresses)
    assert text == f"symbols: '{instrument.venue}:BTCUSD' is unknown or not trading; did you mean BTCUSDT?"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.parametrize("key", ["binance_futures.rest", "bybit_linear.rest", "binance_futures.market_ws"])
def test_unreachable_host(sim: SimulatorThread, key: str) -> None:
    scheme = "http" if key.endswith("rest") else "ws"
    address = f"{scheme}://127.0.0.1:{free_port()}"
    text = start_fails(list(BOTH), sim.addresses | {f"venues.{key}": address}, start_timeout=0.3)
    assert address in text
    assert f"venues.{key.partition('.')[0]}" in text


def test_wrong_address_is_told_at_once(sim: SimulatorThread) -> None:
    address = sim.addresses["venues.bybit_linear.ws"] + "/nothing"
    begin = time.monotonic()
    text = start_fails([BYBIT], sim.addresses | {"venues.bybit_linear.ws": address})
    assert time.monotonic() - begin < 2.0
    assert "HTTP 404" in text


@pytest.mark.parametrize("address", ["ws://", "ws://127.0.0.1:99999", "nonsense"])
def test_malformed_address(sim: SimulatorThread, address: str) -> None:
    start_fails([BYBIT], sim.addresses | {"venues.bybit_linear.ws": address}, start_timeout=0.3)
    start_fails([BYBIT], sim.addresses | {"venues.bybit_linear.rest": address}, start_timeout=0.3)


@pytest.mark.parametrize("instrument", BOTH)
def test_hand_over_leaves_no_hole(sim: SimulatorThread, instrument: Instrument) -> None:
    quick = {"connection_lifetime": 1.0, "hand_over_grace": 0.3}
    with Rig([instrument], config(sim.addresses, **quick), sim) as rig:
        rig.synced(instrument)
        links = 2 if instrument == BINANCE else 1
        rig.until(lambda: rig.heard.counts["handed_over"] >= 2 * links, 8.0)
        rig.wait(0.3)
    rig.check(instrument)
    assert rig.kinds(instrument) == [SNAPSHOT]
    assert [e[-1] for e in rig.heard.events if e[0] == "handed_over"] == [0] * rig.heard.counts["handed_over"]
    assert rig.heard.counts["gap"] == rig.heard.counts["repeated"] == rig.heard.counts["disconnected"] == 0


def test_books_of_one_level_are_handed_over_too(sim: SimulatorThread) -> None:
    quick = {"connection_lifetime": 1.0, "hand_over_grace": 0.3}
    with Rig([BYBIT], config(sim.addresses, depth=1, **quick), sim) as rig:
        rig.synced(BYBIT)
        rig.until(lambda: rig.heard.counts["handed_over"] >= 1, 8.0)
        rig.wait(0.3)
    rig.check(BYBIT)
    assert rig.heard.counts["lost"] == 0


def test_the_exchange_ends_the_old_connection_during_the_hand_over(sim: SimulatorThread) -> None:
    with Rig([BINANCE], config(sim.addresses, connection_lifetime=1.0, hand_over_grace=2.0), sim) as rig:
        rig.synced(BINANCE)
        rig.until(lambda: rig.heard.counts["connected"] >= 4)
        sim.fault("close", count=2)
        rig.synced(BINANCE, 2)
    rig.check(BINANCE)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the market at once, and finds that it has moved far."""
    monkeypatch.setattr("sources.live.snapshot_resync._LOOK", 0.0)
    monkeypatch.setattr("sources.live.snapshot_refresh._ROOM", 0.02)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("fault", [None, "rest_delay", "rest_stale", "drop"])
def test_refresh_widens_the_book_without_a_reset(fault: str | None) -> None:
    """Of a book of 20 known levels the exchange's true one is known where a snapshot has reached."""
    with simulator_thread(market(instruments=(BINANCE,)), time.time_ns) as sim:
        with Rig([BINANCE], config(sim.addresses, levels=20, refresh_interval=0.2), sim) as rig:
            rig.synced(BINANCE)
            rig.until(lambda: rig.heard.counts["refreshed"] >= 1)
            if fault is not None:
                options = {"delay": 0.4} if fault == "rest_delay" else {}
                stream = "*@depth*" if fault == "drop" else "/fapi/v1/depth"
                sim.fault(fault, stream=stream, count=2, **options)
            rig.until(lambda: rig.heard.counts["refreshed"] >= 6)
        tape = rig.tape(BINANCE)
        kinds = rig.kinds(BINANCE)
        if fault != "drop":
            assert RESET not in kinds
        assert kinds.count(SNAPSHOT) >= 6  # the newest may wait for a delta beyond it
        sequence = tape.sequence[tape.last & ((tape.kind == SNAPSHOT) | (tape.kind == DELTA))].tolist()
        assert sequence == sorted(sequence)
        best = best_levels(rig)
        for number, truth in sim.call(lambda s: [(n, b.cut(1)) for n, b in s.true_books(BINANCE, list(best))]):
            assert best[number] == (max(truth.bids), min(truth.asks))


def best_levels(rig: Rig) -> dict[int, tuple[float, float]]:
    """Best bid and ask after every book message."""
    tape = rig.tape(BINANCE)
    book: dict[int, dict[float, float]] = {1: {}, -1: {}}
    out: dict[int, tuple[float, float]] = {}
    begun = True
    for row in range(tape.rows):
        kind = int(tape.kind[row])
        if kind == RESET or (kind == SNAPSHOT and begun):
            book = {1: {}, -1: {}}
        if kind in (SNAPSHOT, DELTA):
            begun = bool(tape.last[row])
            side = book[int(tape.side[row])]
            if tape.size[row]:
                side[float(tape.price[row])] = float(tape.size[row])
            else:
                side.pop(float(tape.price[row]), None)
            if begun:
                out[int(tape.sequence[row])] = (max(book[1]), min(book[-1]))
    return out


def test_overflow_resets_and_recovers_once_there_is_room(sim: SimulatorThread) -> None:
    with Rig(BOTH, config(sim.addresses, buffer_rows=2500), sim) as rig:
        for i in BOTH:
            rig.synced(i)
        end = time.monotonic() + 20.0
        while not all(rig.heard.count("overflowed", i) for i in BOTH):  # nobody drains
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.3)
        for i in BOTH:
            rig.synced(i, 2)
    for i in BOTH:
        rig.check(i)
        assert rig.kinds(i)[:3] == [SNAPSHOT, RESET, SNAPSHOT]


def test_universe_is_followed() -> None:
    late = Instrument("bybit_linear", "NEWUSDT")
    with simulator_thread(market(instruments=(*BOTH, Instrument("bybit_linear", "ETHUSDT"))), time.time_ns) as sim:
        wanted = [Instrument("bybit_linear", "*"), BINANCE]
        with Rig(wanted, config(sim.addresses, universe_interval=0.2), sim) as rig:
            rig.synced(BYBIT)
            rig.synced(Instrument("bybit_linear", "ETHUSDT"))
            sim.call(lambda s: s.list_instrument(late))
            rig.synced(late)
            sim.call(lambda s: s.delist(BYBIT))
            rig.until(lambda: rig.heard.count("delisted", BYBIT) == 1)
            rig.wait(0.3)
            assert rig.kinds(BYBIT) == [SNAPSHOT, RESET]
            rig.check(late)
        assert rig.heard.count("listed", late) == 1
        assert rig.heard.counts["stale"] == 0


def test_workers_share_the_instruments(sim: SimulatorThread) -> None:
    with Rig([BINANCE, Instrument("bybit_linear", "*")], config(sim.addresses), sim, mine=lambda i: i == BYBIT) as rig:
        rig.synced(BYBIT)
        assert rig.tape(BINANCE).rows == 0
    rig.check(BYBIT)


def test_a_tape_that_is_appended_to_goes_on_with_a_reset(sim: SimulatorThread) -> None:
    with Rig([BYBIT], config(sim.addresses), sim, find_tail=lambda i: TapeTail(7, 1, 4, True)) as rig:
        rig.synced(BYBIT)
    tape = rig.tape(BYBIT)
    assert (tape.ordinal[0], tape.kind[0], tape.sequence[0]) == (7, RESET, 4)


def test_an_error_of_our_own_ends_the_run(sim: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    def run() -> None:
        with Rig([BINANCE], config(sim.addresses)) as rig:
            rig.synced(BINANCE)
            monkeypatch.setattr(SnapshotResync, "apply", broken)
            rig.wait(2.0)

    with pytest.raises(RuntimeError, match="live feeds have ended") as e:
        run()
    assert isinstance(e.value.__cause__, ZeroDivisionError)
