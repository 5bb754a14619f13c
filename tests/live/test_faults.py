"""Every fault of an exchange, over real sockets: afterwards the tape is right, and says where it is not whole."""

import pytest

from simulator.thread import SimulatorThread
from sources.instrument import Instrument
from sources.tape.batch import RESET, SNAPSHOT, TRADE
from tests.importers.captures import check_invariants
from tests.live.rig import BINANCE, BOTH, BYBIT, Rig, config

BOOK = {BINANCE: "*@depth*", BYBIT: "orderbook.*"}
TRADES = {BINANCE: "*@aggTrade", BYBIT: "publicTrade.*"}


def other(instrument: Instrument) -> Instrument:
    return BYBIT if instrument == BINANCE else BINANCE


def test_start_syncs_both_venues_and_loses_nothing(sim: SimulatorThread) -> None:
    with Rig(BOTH, config(sim.addresses), sim) as rig:
        for instrument in BOTH:
            rig.synced(instrument)
        rig.wait(1.0)
    for instrument in BOTH:
        rig.check(instrument)
        assert rig.kinds(instrument) == [SNAPSHOT]


@pytest.mark.parametrize("instrument", BOTH)
@pytest.mark.parametrize("kind", ["drop", "truncate", "bad_utf8", "future", "zero", "renumber"])
def test_a_message_that_is_lost_costs_one_reset_of_its_instrument(
    sim: SimulatorThread, instrument: Instrument, kind: str
) -> None:
    with Rig(BOTH, config(sim.addresses), sim) as rig:
        for i in BOTH:
            rig.synced(i)
        sim.fault(kind, venue=instrument.venue, stream=BOOK[instrument])
        rig.synced(instrument, 2)
    for i in BOTH:
        rig.check(i)
    assert rig.kinds(instrument) == [SNAPSHOT, RESET, SNAPSHOT]
    assert rig.kinds(other(instrument)) == [SNAPSHOT]


def test_missing_trades_are_found_where_they_are_numbered(sim: SimulatorThread) -> None:
    with Rig([BINANCE], config(sim.addresses), sim) as rig:
        rig.synced(BINANCE)
        rig.until(lambda: TRADE in rig.tape(BINANCE).kind)
        sim.fault("drop", venue=BINANCE.venue, stream=TRADES[BINANCE])
        rig.synced(BINANCE, 2)
    rig.check(BINANCE)
    assert rig.heard.count("gap", BINANCE, "trade") == 1


@pytest.mark.parametrize("kind", ["reset", "close"])
@pytest.mark.parametrize("code", [1001, 1008])
def test_disconnect(sim: SimulatorThread, kind: str, code: int) -> None:
    with Rig(BOTH, config(sim.addresses), sim) as rig:
        for i in BOTH:
            rig.synced(i)
        sim.fault(kind, **({"code": code} if kind == "close" else {}))
        for i in BOTH:
            rig.synced(i, 2)
    for i in BOTH:
        rig.check(i)
    assert rig.kinds(BYBIT) == [SNAPSHOT, RESET, SNAPSHOT]
    # Binance's prints have a connection of their own; the first may come, and show a hole, after the book is known.
    assert rig.kinds(BINANCE)[:4] in ([SNAPSHOT, RESET, SNAPSHOT], [SNAPSHOT, RESET, SNAPSHOT, RESET])
    assert rig.kinds(BINANCE).count(RESET) <= 1 + rig.heard.count("gap", BINANCE, "trade")


@pytest.mark.parametrize("how", ["reset", "status"])
def test_refused_connections_are_tried_again(sim: SimulatorThread, how: str) -> None:
    sim.fault("refuse", how=how, status=429, count=3)
    with Rig(BOTH, config(sim.addresses, backoff_max=0.2), sim) as rig:
        for i in BOTH:
            rig.synced(i)
    for i in BOTH:
        rig.check(i)


def test_an_address_that_is_blocked_is_left_alone(sim: SimulatorThread) -> None:
    with Rig([BYBIT], config(sim.addresses), sim) as rig:
        rig.synced(BYBIT)
        sim.fault("refuse", how="status", status=403, venue=BYBIT.venue, count=1)
        sim.fault("reset", venue=BYBIT.venue)
        rig.until(lambda: rig.heard.count("throttled", BYBIT.venue, 403, 600.0) == 1)
        rig.wait(1.0)  # twice the longest backoff
        assert rig.heard.counts["connected"] == 1
        assert rig.heard.counts["disconnected"] == 2
    rig.check(BYBIT)
    assert rig.kinds(BYBIT) == [SNAPSHOT, RESET]


@pytest.mark.parametrize("instrument", BOTH)
def test_a_book_that_falls_silent_on_a_live_socket(sim: SimulatorThread, instrument: Instrument) -> None:
    with Rig(BOTH, config(sim.addresses, book_silence=0.7), sim) as rig:
        for i in BOTH:
            rig.synced(i)
        sim.fault("silent", venue=instrument.venue, stream=BOOK[instrument], seconds=1.0)
        rig.synced(instrument, 2)
    for i in BOTH:
        rig.check(i)
    assert rig.heard.count("stale", instrument, "book") >= 1
    assert rig.kinds(instrument) == [SNAPSHOT, RESET, SNAPSHOT]
    assert rig.kinds(other(instrument)) == [SNAPSHOT]


@pytest.mark.parametrize("instrument", BOTH)
def test_trades_that_fall_silent_on_a_live_socket(sim: SimulatorThread, instrument: Instrument) -> None:
    with Rig([instrument], config(sim.addresses, trade_silence=0.7), sim) as rig:
        rig.synced(instrument)
        sim.fault("silent", venue=instrument.venue, stream=TRADES[instrument], seconds=1.0)
        rig.synced(instrument, 2)
    rig.check(instrument)
    assert rig.heard.count("stale", instrument, "trade") >= 1


@pytest.mark.parametrize("instrument", BOTH)
def test_a_subscription_that_is_acknowledged_and_silent(sim: SimulatorThread, instrument: Instrument) -> None:
    sim.fault("ignore_subscribe", venue=instrument.venue, stream=BOOK[instrument])
    with Rig([instrument], config(sim.addresses, book_silence=0.5), sim) as rig:
        rig.synced(instrument)
    rig.check(instrument)
    assert rig.heard.count("stale", instrument, "book") == 1


@pytest.mark.parametrize("instrument", BOTH)
def test_a_subscription_that_is_rejected(sim: SimulatorThread, instrument: Instrument) -> None:
    sim.fault("reject_subscribe", venue=instrument.venue, count=1)
    with Rig([instrument], config(sim.addresses, refused_wait=0.1), sim) as rig:
        rig.synced(instrument)
    rig.check(instrument)
    # A refused pair is asked for one by one; then nothing is refused any more.
    assert rig.heard.counts["refused"] == (instrument == BINANCE)


def test_wrong_path_is_acknowledged_silent_and_told(sim: SimulatorThread) -> None:
    swapped = dict(sim.addresses)
    swapped["venues.binance_futures.public_ws"] = sim.addresses["venues.binance_futures.market_ws"]
    with Rig([BINANCE], config(swapped, book_silence=0.3), sim) as rig:
        rig.until(lambda: rig.heard.count("stale", BINANCE, "book") >= 2)
    assert rig.kinds(BINANCE) == []


@pytest.mark.parametrize("kind", ["rest_stale", "rest_delay", "rest_truncate", "rest_status"])
def test_snapshot_that_does_not_come_right(sim: SimulatorThread, kind: str) -> None:
    with Rig([BINANCE], config(sim.addresses), sim) as rig:
        rig.synced(BINANCE)
        sim.fault(kind, venue=BINANCE.venue, count=2, stream="/fapi/v1/depth")
        sim.fault("drop", venue=BINANCE.venue, stream=BOOK[BINANCE])
        rig.synced(BINANCE, 2)
    rig.check(BINANCE)
    assert rig.kinds(BINANCE) == [SNAPSHOT, RESET, SNAPSHOT]


@pytest.mark.parametrize(("kind", "stream"), [("drop", BOOK), ("reset", TRADES)])
def test_prints_missing_behind_a_snapshot_ask_for_a_reset_of_their_own(
    sim: SimulatorThread, kind: str, stream: dict[Instrument, str]
) -> None:
    with Rig([BINANCE], config(sim.addresses, trade_silence=60.0), sim) as rig:
        rig.synced(BINANCE)
        rig.until(lambda: TRADE in rig.tape(BINANCE).kind)
        sim.fault("silent", venue=BINANCE.venue, stream=TRADES[BINANCE], seconds=2.0)
        sim.fault(kind, venue=BINANCE.venue, stream=stream[BINANCE])
        rig.synced(BINANCE, 3)
    rig.check(BINANCE)
    assert rig.kinds(BINANCE) == [SNAPSHOT, RESET, SNAPSHOT, RESET, SNAPSHOT]
    assert rig.heard.count("gap", BINANCE, "trade") == 1


@pytest.mark.parametrize("status", [429, 418])
def test_retry_after_is_obeyed(sim: SimulatorThread, status: int) -> None:
    with Rig([BINANCE], config(sim.addresses), sim) as rig:
        rig.synced(BINANCE)
        sim.fault("rest_status", status=status, retry_after=2, venue=BINANCE.venue, stream="/fapi/v1/depth")
        sim.fault("drop", venue=BINANCE.venue, stream=BOOK[BINANCE])
        rig.synced(BINANCE, 2)
    rig.check(BINANCE)
    assert rig.heard.count("throttled", BINANCE.venue, status, 2.0) == 1
    (_, _, seconds, _) = [e for e in rig.heard.events if e[0] == "synced"][-1]
    assert 2.0 <= seconds < 3.5


@pytest.mark.parametrize("instrument", BOTH)
@pytest.mark.parametrize("kind", ["duplicate", "unknown", "garbage", "oversize", "burst"])
def test_frames_that_do_not_belong(sim: SimulatorThread, instrument: Instrument, kind: str) -> None:
    with Rig([instrument], config(sim.addresses), sim) as rig:
        rig.synced(instrument)
        sim.fault(kind, venue=instrument.venue, stream=BOOK[instrument])
        rig.wait(1.5)
        rig.until(lambda: rig.heard.count("lost", instrument) + 1 == rig.heard.count("synced", instrument))
    rig.check(instrument)


@pytest.mark.parametrize("kind", ["restart", "resnapshot", "cross"])
def test_the_exchange_does_odd_things(sim: SimulatorThread, kind: str) -> None:
    with Rig(BOTH, config(sim.addresses), sim) as rig:
        for i in BOTH:
            rig.synced(i)
        sim.fault(kind)
        rig.wait(1.5)
    for i in BOTH:
        rig.check(i)


def test_trades_that_come_again_after_a_reconnect(sim: SimulatorThread) -> None:
    with Rig(BOTH, config(sim.addresses), sim) as rig:
        for i in BOTH:
            rig.synced(i)
            rig.until(lambda i=i: TRADE in rig.tape(i).kind)  # type: ignore[misc]
        sim.fault("repeat_trades", count=2)
        sim.fault("reset")
        for i in BOTH:
            rig.synced(i, 2)
        rig.wait(0.5)
    for i in BOTH:
        rig.check(i)
    assert rig.heard.counts["repeated"] > 0


def test_numbers_that_begin_anew_everywhere(sim: SimulatorThread) -> None:
    """As after the relisting of an instrument: books join by the new numbers, and prints are not taken for old ones."""
    with Rig([BINANCE], config(sim.addresses), sim) as rig:
        rig.synced(BINANCE)
        rig.until(lambda: TRADE in rig.tape(BINANCE).kind)
        anew = {"venue": BINANCE.venue, "back": 10**6, "seconds": 600.0}
        sim.fault("rest_renumber", **anew)
        sim.fault("renumber", **anew)
        rig.synced(BINANCE, 2)
        rows = rig.tape(BINANCE).rows
        rig.until(lambda: (rig.tape(BINANCE).kind[rows:] == TRADE).sum() > 5)
    tape = rig.tape(BINANCE)
    check_invariants(tape)
    first, last = (tape.sequence[tape.kind == TRADE][n] for n in (0, -1))
    assert last < first - 10**5
    assert rig.heard.counts["repeated"] < 5


def test_a_snapshot_of_the_future_is_asked_for_again(sim: SimulatorThread) -> None:
    with Rig([BINANCE], config(sim.addresses), sim) as rig:
        rig.synced(BINANCE)
        sim.fault("rest_future")
        sim.fault("drop", stream=BOOK[BINANCE])
        rig.synced(BINANCE, 2)
    rig.check(BINANCE)
    assert rig.kinds(BINANCE) == [SNAPSHOT, RESET, SNAPSHOT]
    assert rig.heard.counts["bad_frame"] == 1


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("instrument", BOTH)
def test_garbage_at_any_rate(sim: SimulatorThread, instrument: Instrument, every: int) -> None:
    with Rig([instrument], config(sim.addresses), sim) as rig:
        rig.synced(instrument)
        fault = sim.fault("garbage", venue=instrument.venue, stream=BOOK[instrument], seconds=1.5, every=every)
        rig.wait(1.7)
        lost = rig.heard.count("lost", instrument)
        rig.synced(instrument, lost + 1)
    rig.check(instrument)
    assert fault.applied >= 3
    assert rig.heard.counts["bad_frame"] >= fault.applied
