"""What the live connectors need to be told; every duration is in seconds unless its name says otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from sources.live.proxies import Proxies


class LiveVenue(NamedTuple):
    """A venue that can be connected to."""

    make: Callable[[Any], Any]  # its `sources.live.adapter.VenueAdapter`, of its configuration
    config: Any  # the venue's own addresses and limits

    def adapter(self) -> Any:
        """A `sources.live.adapter.VenueAdapter`, for one connector."""
        return self.make(self.config)


@dataclass(frozen=True)
class LiveConfig:
    """Parameters of all live connections of one worker."""

    venues: Mapping[str, LiveVenue]  # by name
    proxies: Proxies = field(default_factory=Proxies)
    buffer_rows: int = 1_000_000  # tape rows that may wait to be drained; beyond, instruments overflow
    streams_per_connection: int = 200
    start_timeout: float = 15.0  # until every address must have answered once
    open_timeout: float = 10.0  # TCP, TLS and handshake of one connection, or one REST request
    answer_timeout: float = 10.0  # of a subscription; then the connection is given up
    refused_wait: float = 5.0  # until a refused stream is asked for again; doubled with every refusal
    book_silence: float = 20.0  # a book stream that says nothing for longer is stale; so is one without a first frame
    trade_silence: float = 60.0  # the same of trades, which are rarer
    derivatives: bool = True  # mark prices, funding, open interest and liquidations are followed, too
    ticker_silence: float = 60.0  # a stream of mark prices that says nothing for longer is told of
    poll_share: float = 0.05  # of a venue's requests, that open interest may take
    poll_interval: float = 10.0  # shortest time between two such requests about an instrument
    backoff_initial: float = 0.5
    backoff_max: float = 30.0
    backoff_jitter: float = 1.0
    connection_lifetime: float = 23 * 3600.0  # venues close a connection after 24 h
    hand_over_grace: float = 1.5  # how long both connections are read before the old one may be closed
    hand_over_timeout: float = 30.0  # then books that could not be joined are fetched anew
    refresh_hold: float = 2.0  # longest that a book's changes wait for the snapshot that widens its known range
    refresh_interval: float = 10.0  # shortest time between two such snapshots of an instrument
    universe_interval: float = 600.0  # between two looks at what is listed
    close_timeout: float = 1.0  # of the websocket's closing handshake

    def with_venue(self, name: str, **changes: Any) -> Self:
        """The same, with other fields of a venue's own configuration."""
        venue = self.venues[name]
        changed = venue._replace(config=replace(venue.config, **changes))
        return replace(self, venues={**self.venues, name: changed})
