"""The groups of settings: every key with its type, default and meaning.

The text below a key is its line in docs/settings.md, which ``python docs/settings.py`` writes.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dataflows.settings.types import (
    Brokers,
    BybitDepth,
    Codec,
    ColumnName,
    FilePath,
    HttpUrl,
    Integer,
    Latency,
    Length,
    Number,
    OptionalDataSet,
    OptionalLength,
    OptionalNumber,
    OptionalPath,
    OptionalSampling,
    OptionalTime,
    OptionalTopic,
    ProxyAddress,
    Sampling,
    Symbols,
    WebSocketUrl,
    Words,
)
from sources.durations import Duration


class Group(BaseModel):
    """Keys that belong together; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSettings(Group):
    """What a run is about. These keys stand at the top of a file, before any table."""

    symbols: Symbols = ("binance_futures:BTCUSDT", "bybit_linear:BTCUSDT")
    """Instruments of a live run. A replay takes all of its tape unless this is set."""
    duration: OptionalLength = None
    """When a live run ends on its own."""
    horizons: tuple[Length, ...] = tuple(Duration.parse(text) for text in ("1s", "5s", "30s"))
    """How far the returns of a data set of labels look ahead. The text is part of the column's name."""
    stalled_after: Length = Duration.parse("30s")
    """How long the dataflow or the disk may stand still before the health check fails."""


class BinanceFuturesSettings(Group):
    """Addresses of Binance USD-M futures. The stream's path (`/stream`, `/ws`) is appended to them."""

    public_ws: WebSocketUrl = "wss://fstream.binance.com/public"
    """Websocket of the order books."""
    market_ws: WebSocketUrl = "wss://fstream.binance.com/market"
    """Websocket of the trades."""
    rest: HttpUrl = "https://fapi.binance.com"
    """REST: the list of instruments, and snapshots of books."""


class BybitLinearSettings(Group):
    """Addresses of Bybit V5 linear perpetuals."""

    ws: WebSocketUrl = "wss://stream.bybit.com/v5/public/linear"
    """Websocket of books and trades."""
    rest: HttpUrl = "https://api.bybit.com"
    """REST: the list of instruments."""
    depth: BybitDepth = 200
    """Levels of the book topic."""


class OkxSwapSettings(Group):
    """Addresses of OKX. Its swaps are experimental: they have never been tried against the exchange itself."""

    ws: WebSocketUrl = "wss://ws.okx.com:8443/ws/v5/public"
    """Websocket of books and trades."""
    rest: HttpUrl = "https://www.okx.com"
    """REST: the list of instruments."""


class VenueSettings(Group):
    """Where the exchanges are."""

    binance_futures: BinanceFuturesSettings = BinanceFuturesSettings()
    bybit_linear: BybitLinearSettings = BybitLinearSettings()
    okx_swap: OkxSwapSettings = OkxSwapSettings()


class NetworkSettings(Group):
    """How the exchanges are reached."""

    proxy: ProxyAddress = SecretStr("")
    """Proxy of all connections. Empty: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; `direct`: none."""


class TapeSettings(Group):
    """The recorded market data."""

    path: OptionalDataSet = Path("data/tape")
    """Folder of the tape. Empty: a live run records nothing."""
    topic: OptionalTopic = ""
    """Kafka topic to which a live run publishes the tape too, and which a replay reads in place of files."""
    follow: bool = False
    """A replay of the topic goes on with what comes, and does not end where the topic ended."""
    foreign: Literal["skip", "stop"] = "skip"
    """What becomes of messages in the topic that are none of a tape: skipped and counted, or the run ends."""
    derivatives: bool = True
    """A live run follows mark and index prices, funding, open interest and liquidations, too."""
    compression: Codec = "snappy"
    """Codec of every Parquet file that is written."""


class JournalSettings(Group):
    """What is recorded waits in journals before it becomes Parquet."""

    rotate_after: Length = Duration.parse("1h")
    """A journal becomes Parquet files at this age."""
    rotate_mb: Annotated[Integer, Field(ge=1)] = 1024
    """A journal becomes Parquet files at this size, in MB."""
    sync_after: Length = Duration.parse("10s")
    """The disk must have a row (fsync) after this long."""


class FeatureSettings(Group):
    """What is computed, and where it goes. The ranges are those of `operators.config.FeatureConfig`."""

    path: OptionalDataSet = Path("data/features")
    """Folder of the features. Empty: none are written."""
    overwrite: bool = False
    """A replay replaces the feature files of the instruments that it computes."""
    sampling: Sampling = Duration.parse("100ms")
    """When there is a row: on a grid of this step, or one an update of the book."""
    windows: tuple[Length, ...] = tuple(Duration.parse(text) for text in ("100ms", "1s", "5s", "30s"))
    """Windows of the rolling sums. The text is part of the column's name."""
    depths: Annotated[tuple[Integer, ...], Words("", "each 1 to 1000, rising")] = (1, 5, 10, 20)
    """Numbers of book levels that order flow and depth imbalance read."""
    ofi: Literal["cont", "depth"] = "cont"
    """Definition of order flow: Cont, Kukanov & Stoikov 2014, or the change of the depth imbalance."""
    zscore_window: Integer = 1000
    """Rows of a z-score."""
    max_hold: Length = Duration.parse("60s")
    """Longest stretch without an event over which features carry on."""
    price_d: Number = 0.4
    """Order of the fractional difference of the price."""
    volume_d: Number = 0.5
    """Order of the fractional difference of the volume."""
    d_file: OptionalPath = None
    """File of orders by instrument, as `tickwax optimal-d` writes it. Empty: the two orders above for all."""
    ffd_threshold: Annotated[Number, Words("", "above 0, up to 1")] = 1e-5
    """Weight at which a fractional difference is cut off."""
    fdi_window: Integer = 30
    """Samples of the fractal dimension."""
    fdi_interval: Annotated[Length, Words("", "a multiple of the sampling step")] = Duration.parse("1s")
    """Time between two samples of the fractal dimension."""
    fdi_method: Literal["variogram", "madogram", "sevcik", "chord"] = "variogram"
    """Estimator of the fractal dimension."""
    volatility_window: Integer = 100
    """Log returns of the volatility."""
    integrated_ofi: Integer = 0
    """Levels of the integrated order flow. 0: its columns are left out."""
    unknown: Literal["nan", "null"] = "nan"
    """What a number is that is not known yet, in files and messages of features and books."""
    normalised: bool = False
    """Whether the imbalances are there a second time, divided by what they are made of."""
    derivatives: bool = False
    """Whether mark and index price, funding, open interest and liquidations are there, too."""


class BookSettings(Group):
    """The data set of the book at every feature row."""

    path: OptionalDataSet = None
    """Folder of the 20 best levels at every feature row. Empty: none are written."""


class KafkaSecuritySettings(Group):
    """Who we are and whom we trust, handed to kafka-python as they are. Files are PEM."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the brokers are spoken to."""
    mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    """How a `SASL_…` protocol logs in. Empty with the others."""
    username: str = ""
    """Name to log in with."""
    password: SecretStr = SecretStr("")
    """Password to log in with."""
    ca_file: OptionalPath = None
    """Certificates of the authorities that are trusted."""
    cert_file: OptionalPath = None
    """Our own certificate."""
    key_file: OptionalPath = None
    """Its key."""
    key_password: SecretStr = SecretStr("")
    """Password of the key."""
    check_hostname: bool = True
    """The broker's certificate must be of its host."""


class KafkaSettings(Group):
    """Features to Kafka."""

    bootstrap: Brokers = ""
    """Brokers to begin with. Empty: nothing is published."""
    topic: OptionalTopic = "tickwax.features"
    """Topic of the features. Empty: only the tape is published."""
    format: Literal["json", "arrow"] = "json"
    """A message is one row as JSON, or an Arrow stream of the rows that came together."""
    compression: Literal["none", "gzip", "lz4", "zstd"] = "none"
    """Codec of the messages."""
    buffer_mb: Annotated[Integer, Field(ge=1)] = 64
    """Rows that may wait for the brokers, in MB."""
    deadline: Length = Duration.parse("30s")
    """Longest time without a confirmation before delivery is given up."""
    linger: Length = Duration.parse("20ms")
    """How long rows wait for others of their instrument, to share a message or a request."""
    security: KafkaSecuritySettings = KafkaSecuritySettings()


class ReplaySettings(Group):
    """Which part of a tape is read: rows with `start` ≤ `receive_ts` < `end`."""

    start: OptionalTime = None
    """First receive time. Empty: the tape's beginning."""
    end: OptionalTime = None
    """Receive time to stop before. Empty: the tape's end."""


class OptimalDSettings(Group):
    """The choice of fractional orders from a tape: rows with `start` ≤ `receive_ts` < `train_until`."""

    path: FilePath = Path("data/optimal_d.parquet")
    """File to write, which `features.d_file` takes."""
    sampling: OptionalSampling = None
    """Sampling of the series. Empty: that of the features."""
    price: Literal["mid", "trade"] = "mid"
    """The price series: the mid, or the last trade."""
    pvalue: Annotated[Number, Words("", "above 0, below 1")] = 0.05
    """A series is stationary below this p-value."""
    step: Annotated[Number, Words("", "0.0001 to 1")] = 0.05
    """Step of the grid of orders."""
    tolerance: Annotated[Number, Words("", "above 0, up to 1")] = 0.001
    """How closely the order is found between two of the grid."""
    start: OptionalTime = None
    """First receive time. Empty: the tape's beginning."""
    train_until: OptionalTime = None
    """Receive time to stop before, so that no later row has a say. Empty: the tape's end."""
    plot: OptionalPath = None
    """Picture of the search: .html, .png or .svg. Empty: none."""


class FeeSettings(Group):
    """Fees of one venue, in basis points of notional; negative is a rebate."""

    maker: Number
    """Of fills of orders that rested."""
    taker: Number
    """Of fills of orders that took."""


class GridSettings(Group):
    """The grid of one instrument."""

    tick: str | Number
    """Step of prices."""
    lot: str | Number
    """Step of sizes."""
    min: Number = 0.0
    """Least size of an order."""


class ExecutionSettings(Group):
    """How the exchange is simulated (docs/execution.md)."""

    queue: Literal["power", "risk_averse", "optimistic"] = "power"
    """How a level's decrease is shared between those before and behind an order."""
    queue_power: Annotated[Integer, Words("", "1 to 16")] = 3
    """Exponent of the queue model `power`."""
    latency_entry: Latency = Duration.parse("10ms")
    """From a decision to the exchange."""
    latency_response: Latency = Duration.parse("10ms")
    """From the exchange to its report."""
    latency_file: OptionalPath = None
    """Parquet, CSV or npz file of measured latencies, in place of the two above."""
    maker: Number = 2.0
    """Fee of fills of orders that rested, in basis points; negative is a rebate."""
    taker: Number = 5.0
    """Fee of fills of orders that took, in basis points."""
    fees: dict[str, FeeSettings] = {"bybit_linear": FeeSettings(maker=2.0, taker=5.5)}
    """Fees by venue, before the two above: `{bybit_linear = {maker = 2, taker = 5.5}}`."""
    grids: dict[str, GridSettings] = {}
    """Grids by instrument: `{"binance_futures:BTCUSDT" = {tick = 0.1, lot = 0.001}}`. Others come from the tape,
    or in paper trading from the exchange."""
    grid_file: OptionalPath = None
    """TOML file with further grids, such as paper trading writes."""
    one_clock: bool = False
    """Local time is exchange time: receive times are not used."""
    max_position: OptionalNumber = None
    """Largest position, in base currency. Empty: none."""
    max_order: OptionalNumber = None
    """Largest order, in base currency. Empty: none."""


class StrategySettings(Group):
    """What decides. Every other key is a parameter of the strategy (docs/strategies.md)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = ""
    """`hold`, `momentum`, `glft`, `twap`, `peg`, `agent`, or `module:Class` of your own."""


class PaperSettings(Group):
    """Where paper trading goes."""

    path: FilePath = Path("data/paper")
    """Folder of the data sets `orders`, `fills` and `equity` of a paper account."""


class BacktestSettings(Group):
    """Where a backtest goes."""

    path: FilePath = Path("data/backtest")
    """Folder of the data sets `orders`, `fills` and `equity`."""
    orders: OptionalPath = None
    """Parquet file with a schedule of orders, in place of a strategy."""
    overwrite: bool = False
    """A backtest replaces what the instruments have there."""


class LabelSettings(Group):
    """What is foretold (docs/learning.md, 1), beside `horizons`."""

    latency: Latency = Duration("0ms", 0)
    """From a feature row to the price at which one is in."""


class BarrierSettings(Group):
    """The triple barrier (docs/learning.md, 1)."""

    horizon: Length = Duration.parse("30s")
    """The vertical barrier."""
    width: Annotated[Number, Words("", "above 0")] = 1.0
    """Of the horizontal ones, in standard deviations of the return over `barrier.horizon`."""
    prices: Literal["mid", "executable"] = "mid"
    """What touches them: mids, or prices at which one trades, in at the ask and out at the bid."""


class DatasetSettings(Group):
    """Features and labels side by side (docs/learning.md, 4)."""

    path: FilePath = Path("data/dataset")
    """Folder of the data set."""
    columns: tuple[ColumnName, ...] = ()
    """Feature columns beside the labels. None: all of them."""
    overwrite: bool = False
    """Replace what the instruments have there."""
