"""REST and websockets through real proxies: a host that only the proxy knows is reached."""

import pytest

from simulator.thread import SimulatorThread
from sources.errors import TickwaxError
from sources.live.proxies import Proxies
from tests.live.proxy import HOST, Proxy, running
from tests.live.rig import BINANCE, BOTH, BYBIT, Rig, config

SECRET = "pass word/%"
QUOTED = "pass%20word%2F%25"


def behind(sim: SimulatorThread) -> dict[str, str]:
    return {key: address.replace("127.0.0.1", HOST) for key, address in sim.addresses.items()}


def address(proxy: Proxy, scheme: str, userinfo: str = "") -> str:
    return f"{scheme}://{userinfo}127.0.0.1:{proxy.http if scheme == 'http' else proxy.socks}"


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_both_venues_through_a_proxy(sim: SimulatorThread, scheme: str) -> None:
    with running() as proxy, Rig(BOTH, config(behind(sim), proxies=Proxies({"all": address(proxy, scheme)}))) as rig:
        for instrument in BOTH:
            rig.synced(instrument)
        # REST of both; /public, /market and the one websocket of Bybit.
        assert len(proxy.tunnels) >= 5
        assert all(target.startswith(f"{HOST}:") for target in proxy.tunnels)


def test_a_proxy_with_a_password(sim: SimulatorThread) -> None:
    with running("me", SECRET) as proxy:
        proxies = Proxies({"http": address(proxy, "http", f"me:{QUOTED}@")})
        with Rig([BYBIT], config(behind(sim), proxies=proxies)) as rig:
            rig.synced(BYBIT)
        assert proxy.refused == 0


@pytest.mark.parametrize("instrument", BOTH)
def test_a_proxy_that_refuses_is_named_without_its_password(sim: SimulatorThread, instrument) -> None:
    with running("me", SECRET) as proxy:
        proxies = Proxies({"all": address(proxy, "http", "me:wrong@")})
        rig = Rig([instrument], config(behind(sim), proxies=proxies, start_timeout=1.5))
        with pytest.raises(TickwaxError) as caught:
            rig.collector.start()
        assert "407" in str(caught.value)
        assert "proxy http://***@127.0.0.1" in str(caught.value)
        assert "wrong" not in str(caught.value) + repr(rig.heard.events)


def test_a_websocket_that_its_proxy_refuses_is_named_without_its_password(sim: SimulatorThread) -> None:
    with running("me", SECRET) as proxy:
        proxies = Proxies({"http": address(proxy, "http", "me:wrong@")}, bypass="127.0.0.1")
        addresses = {**sim.addresses, "venues.bybit_linear.ws": behind(sim)["venues.bybit_linear.ws"]}
        rig = Rig([BYBIT], config(addresses, proxies=proxies, start_timeout=1.5))
        with pytest.raises(TickwaxError) as caught:
            rig.collector.start()
        assert "407" in str(caught.value)
        assert "wrong" not in str(caught.value) + repr(rig.heard.events)


def test_a_proxy_that_is_not_there(sim: SimulatorThread) -> None:
    proxies = Proxies({"all": "socks5://127.0.0.1:9"})
    rig = Rig([BINANCE], config(behind(sim), proxies=proxies, start_timeout=1.5))
    with pytest.raises(TickwaxError, match=r"proxy socks5h://127\.0\.0\.1:9"):
        rig.collector.start()


def test_hosts_that_need_none_are_reached_directly(sim: SimulatorThread) -> None:
    proxies = Proxies({"all": "http://127.0.0.1:9"}, bypass="example.com,127.0.0.1")
    with Rig([BYBIT], config(sim.addresses, proxies=proxies)) as rig:
        rig.synced(BYBIT)


@pytest.mark.parametrize(("url", "bypass", "proxy"), [
    ("wss://a.example/x", "", "s"), ("https://a.example", "", "s"), ("ws://a.example", "", "p"),
    ("http://a.example:80", "", "p"), ("wss://a.example", "example", None), ("wss://a.example", ".example", None),
    ("wss://a.example", "b.example", "s"), ("wss://a.example", "*", None),
    ("wss://a.example:443/", "a.example:443", None),
])  # fmt: skip
def test_which_proxy(url: str, bypass: str, proxy: str | None) -> None:
    assert Proxies({"http": "p", "https": "s"}, bypass).of(url) == proxy
    assert Proxies({"all": "x"}, bypass).of(url) == (proxy and "x")
