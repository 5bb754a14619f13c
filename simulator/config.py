"""What a simulated exchange is made with."""

from dataclasses import dataclass, field
from pathlib import Path

from sources.instrument import Instrument

VENUES = ("binance_futures", "bybit_linear", "okx_swap")
BINANCE, BYBIT, OKX = VENUES


@dataclass(frozen=True)
class Limits:
    """The venues' published limits; tests make them small.

    Binance, "WebSocket Market Streams": 1024 streams a connection, 10 incoming messages a second, a ping every
    3 minutes to be answered within 10, 24 hours of life; "General Info": 2400 request weight a minute and address.
    Bybit, "Connect": at most 21 000 characters of args a connection, 500 connects in 5 minutes; "Rate limit": 600
    requests in 5 s, then 403 for 10 minutes.
    OKX, "Connect": 3 connects a second, 480 requests an hour and connection, 30 s without a message; "Get instruments":
    20 requests in 2 s; "WS / Order book channel": about 60 s until a book without a change says that it lives.
    """

    streams: int = 1024
    messages_per_second: int = 10
    ping_interval_s: float = 180.0
    pong_timeout_s: float = 600.0
    lifetime_s: float = 86_400.0
    weight_per_minute: int = 2400
    refusals_before_ban: int = 10  # 429 replies within one minute; the next request is answered 418
    ban_s: int = 120
    binance_connects: int = 300  # in 5 minutes
    bybit_connects: int = 500  # in 5 minutes
    bybit_args_chars: int = 21_000
    bybit_requests: int = 600  # in 5 s
    bybit_ban_s: int = 600
    okx_connects: int = 900  # in 5 minutes
    okx_requests_per_hour: int = 480
    okx_idle_s: float = 30.0
    okx_rest_requests: int = 20  # in 2 s
    okx_silence_s: float = 60.0
    send_buffer_bytes: int = 64 << 20  # a client that leaves more unread is cut off


@dataclass(frozen=True)
class SimulatorConfig:
    """One simulated exchange.

    Raises:
        ValueError: a value is outside its range; the text begins with its name.
    """

    instruments: tuple[Instrument, ...] = ()
    seed: int = 7
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    events_per_second: float = 500.0  # of each instrument; about 7 % of them become prints
    binance_interval_ms: int = 50  # cadence of `@depth@0ms`; the slower streams join several
    bybit_interval_ms: int = 20  # cadence of the fastest book topics
    okx_interval_ms: int = 20  # cadence of the market behind the book channel
    snapshot_levels: int = 1000  # most levels a side of a REST book, whatever the request asks for
    captures: tuple[Path, ...] = ()  # recorded Binance instruments, played instead of a synthetic market
    speed: float = 1.0  # of playback; 0: as fast as the clients read
    faults_per_minute: float = 0.0  # at random, from the seed
    contract_types: tuple[tuple[Instrument, str], ...] = ()  # listed with another `contractType` than the exchange's
    strange_names: tuple[str, ...] = ()  # symbols that stand in the lists, of no market
    block_trades_every: int = 0  # of Bybit's prints one of so many is a block trade, far from the book; 0: none
    clock_offset_s: float = 0.0  # by how much the exchange's clock is ahead of the one that the simulator is given
    truth_rows: int = 2_000_000  # level changes that are remembered, over all instruments
    log_messages: int = 300_000  # sent messages that are remembered
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        def need(holds: bool, text: str) -> None:
            if not holds:
                raise ValueError(text)

        strangers = [str(i) for i in self.instruments if i.venue not in VENUES]
        need(not strangers, f"instruments: {strangers} are at no simulated venue: {', '.join(VENUES)}")
        need(len(set(self.instruments)) == len(self.instruments), "instruments: one stands twice")
        need(bool(self.instruments or self.captures), "instruments: none, and no capture to play")
        need(0 <= self.port <= 65535, f"port: {self.port} is outside 0 to 65535")
        need(1 <= self.events_per_second <= 1e5, f"events_per_second: {self.events_per_second} is outside 1 to 10**5")
        for name in ("binance_interval_ms", "bybit_interval_ms", "okx_interval_ms"):
            value = getattr(self, name)
            need(1 <= value <= 1000, f"{name}: {value} is outside 1 to 1000")
        need(1 <= self.snapshot_levels <= 1000, f"snapshot_levels: {self.snapshot_levels} is outside 1 to 1000")
        need(0 <= self.speed < float("inf"), f"speed: {self.speed} is not 0 or a positive number")
        need(self.block_trades_every != 1, "block_trades_every: 1 leaves no print of the book")
        need(self.block_trades_every >= 0, f"block_trades_every: {self.block_trades_every} is negative")
        need(abs(self.clock_offset_s) <= 1e9, f"clock_offset_s: {self.clock_offset_s} is no offset of a clock")
        need(self.faults_per_minute >= 0, f"faults_per_minute: {self.faults_per_minute} is negative")
