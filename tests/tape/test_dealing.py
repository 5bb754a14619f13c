"""Instruments dealt by weight: who computes what, and that Bytewax sends it there."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sources.instrument import Instrument
from sources.placement import BY_HASH, Placement, dealt, home_worker, plain

NAMES = st.from_regex(r"[A-Z0-9#.-]{1,8}USDT", fullmatch=True).filter(lambda name: not name.startswith("."))
INSTRUMENTS = st.builds(Instrument, st.sampled_from(("binance_futures", "bybit_linear")), NAMES)
WEIGHTS = st.dictionaries(INSTRUMENTS, st.integers(0, 10**9), max_size=12)


@settings(max_examples=40)
@given(WEIGHTS, st.integers(1, 24), INSTRUMENTS)
def test_an_item_arrives_at_its_home(weights, workers, other):
    placement = Placement({str(i): weight for i, weight in weights.items()})
    for instrument in [*weights, other]:
        route, home = placement.route(instrument, workers), placement.home(instrument, workers)
        assert home_worker(route, workers) == home
        assert Instrument.parse(plain(route)) == instrument
        if instrument not in weights:
            assert home == home_worker(str(instrument), workers)
            assert route == str(instrument)


@given(WEIGHTS, st.integers(1, 24))
def test_no_worker_has_more_than_the_mean_and_one_instrument(weights, workers):
    keys = {str(i): weight for i, weight in weights.items()}
    homes = dealt(keys, workers)
    loads = [sum(w for key, w in keys.items() if homes[key] == worker) for worker in range(workers)]
    heaviest = max(keys.values(), default=0)
    assert max(loads) * workers <= sum(loads) + heaviest * (workers - 1)
    assert homes == dealt(dict(reversed(keys.items())), workers)


def test_the_heavy_one_is_alone():
    weights = {"binance_futures:BTCUSDT": 90, **{f"binance_futures:S{n}USDT": 10 for n in range(9)}}
    homes = dealt(weights, 2)
    assert [key for key, home in homes.items() if home == homes["binance_futures:BTCUSDT"]] == [
        "binance_futures:BTCUSDT"
    ]


def test_without_weights_names_decide():
    assert BY_HASH.route(Instrument("bybit_linear", "BTCUSDT"), 3) == "bybit_linear:BTCUSDT"
