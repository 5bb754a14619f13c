"""What the live connectors need to be told; every duration is in seconds unless its name says otherwise."""

from dataclasses import dataclass, field

from sources.live.proxies import Proxies


@dataclass(frozen=True)
class BinanceFuturesConfig:
    """Addresses and limits of Binance USD-M futures.

    Exchange documentation: 2400 request weight a minute and IP address, 1024 streams and 10 incoming messages a second
    a connection, about 300 connects in 5 minutes.
    """

    public_ws: str = "wss://fstream.binance.com/public"
    market_ws: str = "wss://fstream.binance.com/market"
    rest: str = "https://fapi.binance.com"
    weight_per_minute: int = 2400
    snapshot_levels: int = 1000


@dataclass(frozen=True)
class BybitLinearConfig:
    """Addresses of Bybit V5 linear; ``depth`` is the number of levels of the book topic: 1, 50, 200 or 1000."""

    ws: str = "wss://stream.bybit.com/v5/public/linear"
    rest: str = "https://api.bybit.com"
    depth: int = 200


@dataclass(frozen=True)
class LiveConfig:
    """Parameters of all live connections of one worker."""

    binance_futures: BinanceFuturesConfig = field(default_factory=BinanceFuturesConfig)
    bybit_linear: BybitLinearConfig = field(default_factory=BybitLinearConfig)
    proxies: Proxies = field(default_factory=Proxies)
    buffer_rows: int = 1_000_000  # tape rows that may wait to be drained; beyond, instruments overflow
    streams_per_connection: int = 200
    start_timeout: float = 15.0  # until every address must have answered once
    open_timeout: float = 10.0  # TCP, TLS and handshake of one connection, or one REST request
    answer_timeout: float = 10.0  # of a subscription; then the connection is given up
    refused_wait: float = 5.0  # until a refused stream is asked for again; doubled with every refusal
    book_silence: float = 20.0  # a book stream that says nothing for longer is stale; so is one without a first frame
    trade_silence: float = 60.0  # the same of trades, which are rarer
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
