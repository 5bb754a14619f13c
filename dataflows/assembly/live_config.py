"""What the live connections are told by the settings."""

from urllib.request import getproxies_environment

from dataflows.settings.model import Settings
from dataflows.settings.types import DIRECT, check_proxy
from sources.errors import TickwaxError
from sources.live.config import LiveConfig
from sources.live.proxies import Proxies
from sources.venues.live import config_of, live_venues


def live_config(settings: Settings) -> LiveConfig:
    """The connectors' parameters."""
    return LiveConfig(
        live_venues(*(config_of(name, **dict(fields)) for name, fields in settings.venues)),
        derivatives=settings.tape.derivatives,
        proxies=_proxies(settings.network.proxy.get_secret_value()),
    )


def _proxies(named: str) -> Proxies:
    """The proxies that the setting names, or the environment."""
    if named:
        return Proxies({} if named == DIRECT else {"all": named})
    environment = getproxies_environment()
    for key, address in environment.items():
        if key in ("http", "https", "all"):
            try:
                check_proxy(address)
            except ValueError as e:
                raise TickwaxError(f"{key.upper()}_PROXY: {e}") from None
    return Proxies(environment, environment.get("no", ""))
